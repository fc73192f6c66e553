"""What the name of an endpoint's model means: ``PROVIDER:MODEL``, ``URL#MODEL`` or ``endpoint:NAME``.

Providers stand in `providers.toml`. A user's own endpoints stand in ``endpoints.toml``, in the working folder or in the
user's configuration folder; the working folder wins.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from platformdirs import user_config_dir
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from harness.errors import HarnessError, unknown
from harness.measure.settings_file import read_settings

TABLE = Path(__file__).with_name("providers.toml")
FILE = "endpoints.toml"
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_PROVIDER = re.compile(r"[a-z][a-z0-9]+")


class _Entry(BaseModel):
    """What both tables say of a host; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    key_env: str | None = None
    auth: Literal["bearer", "api-key"] = "bearer"

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, url: str) -> str:
        return checked_url(url)

    @field_validator("key_env")
    @classmethod
    def _variable(cls, name: str | None) -> str | None:
        if name is not None and not _VARIABLE.fullmatch(name):
            raise ValueError("write the NAME of an environment variable, in capitals, never the key itself")
        return name


class Provider(_Entry):
    """A line of `providers.toml`."""

    source: str
    status: str
    as_of: date


class UserEndpoint(_Entry):
    """A table ``[endpoint.NAME]`` of a user's ``endpoints.toml``.

    Attributes:
        model: as the server calls it.
        inside: whether the host belongs to the house, so that nothing asked leaves it and no token is paid.
        concurrency: most requests at once.
        timeout_s: that a reply may take.
        context_tokens: window of the model, where it is known.
        tokenizer: a model with the same tokenizer and chat template, so that choices of chat prompts can be scored.
        body: fields that are sent with each request as they are; they are part of the model's identity.
    """

    model: str = Field(min_length=1)
    inside: bool = False
    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    timeout_s: Annotated[float, Field(gt=0)] = 600
    context_tokens: Annotated[int | None, Field(ge=1)] = None
    tokenizer: str | None = None
    body: dict[str, Any] = Field(default_factory=dict[str, Any])


class Destination(UserEndpoint):
    """A model behind a URL, and how it is asked.

    Attributes:
        name: the reference as the user wrote it.
    """

    name: str

    @property
    def host(self) -> str:
        """Host name of the URL."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def away(self) -> bool:
        """Whether what is asked leaves this machine and the house."""
        return not (self.inside or is_loopback(self.host))

    @property
    def identity(self) -> str:
        """Names what is asked for, not the weights that answer: those are the server's to change."""
        named = [self.base_url, self.model, self.body, *([self.tokenizer] if self.tokenizer else [])]
        parts = json.dumps(named, sort_keys=True)
        return f"endpoint:{hashlib.sha256(parts.encode()).hexdigest()}"


def find_destination(name: str) -> Destination | None:
    """Return what a reference means; None: it names no endpoint.

    Raises:
        HarnessError: it names one that does not exist, or whose entry is wrong.
    """
    if name.startswith(("http://", "https://")):
        return _by_url(name)
    prefix, colon, model = name.partition(":")
    if not colon or not _PROVIDER.fullmatch(prefix):
        return None
    if prefix == "endpoint":
        entries = user_endpoints()
        if model not in entries:
            raise unknown("endpoint", model, entries, where=FILE, hint=f"Write [endpoint.{model or 'NAME'}] there.")
        return _checked(Destination(name=name, **entries[model].model_dump()))
    provider = providers().get(prefix)
    if provider is None:
        return None
    if not model:
        raise HarnessError(f"{name!r} names no model: write {prefix}:MODEL.")
    entry = provider.model_dump(include=set(_Entry.model_fields))
    return _checked(Destination(name=name, model=model, **entry))


def providers() -> Mapping[str, Provider]:
    """Return the providers by name."""
    return _read_providers()


def user_endpoints() -> dict[str, UserEndpoint]:
    """Return the user's endpoints by name; those of the working folder come before those of the configuration folder.

    Raises:
        HarnessError: a file cannot be read, or an entry is wrong.
    """
    entries: dict[str, UserEndpoint] = {}
    for file in (Path(user_config_dir("adaptbench", appauthor=False)) / FILE, Path(FILE)):
        if file.is_file():
            entries |= _read_endpoints(file)
    return entries


def key_variables() -> list[str]:
    """Return the names of all environment variables that may hold a key."""
    entries = [*providers().values(), *user_endpoints().values()]
    return sorted({entry.key_env for entry in entries if entry.key_env})


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_url(url: str) -> str:
    """Return a base URL without a slash at its end.

    Raises:
        ValueError: it is no http address, or holds user information or a query, where keys get lost in logs.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write an address that begins with http:// or https://")
    if parts.username or parts.password or parts.query:
        raise ValueError("an address holds no user, password or query: name the key's variable by key_env")
    return url.rstrip("/")


def _by_url(name: str) -> Destination:
    url, _, model = name.partition("#")
    if not model:
        raise HarnessError("an address names no model: write URL#MODEL, e.g. http://localhost:8000/v1#my-model.")
    try:
        return Destination(name=name, base_url=checked_url(url), model=model)
    except ValueError as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise HarnessError(f"the address before '#{model}' cannot be used: {reason}.") from None


def _checked(destination: Destination) -> Destination:
    """Refuse to send a key where others can read it."""
    if destination.key_env and destination.base_url.startswith("http://") and not is_loopback(destination.host):
        raise HarnessError(
            f"{destination.name!r} would send the key in {destination.key_env} to {destination.host} unencrypted: use "
            "https, or leave out key_env."
        )
    return destination


@cache
def _read_providers() -> dict[str, Provider]:
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {name: Provider.model_validate(entry) for name, entry in table.items()}


def _read_endpoints(file: Path) -> dict[str, UserEndpoint]:
    try:
        table = tomllib.loads(read_settings(file))
    except (OSError, ValueError, RecursionError) as error:
        raise HarnessError(f"{file} cannot be read ({' '.join(str(error).split())}).") from error
    entries: Any = table.pop("endpoint", {})
    if table or not isinstance(entries, dict):
        raise HarnessError(f"{file} must hold tables that begin with [endpoint.NAME], and nothing else.")
    endpoints: dict[str, UserEndpoint] = {}
    for name, entry in entries.items():
        try:
            endpoints[name] = UserEndpoint.model_validate(entry)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            field, reason = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
            raise HarnessError(f"[endpoint.{name}] in {file}: {field}: {reason}.") from None
    return endpoints
