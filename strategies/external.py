"""A system made elsewhere, as it is: a command, a service, a Python function, or answers that are there already."""

import hashlib
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, model_validator

from harness.api import Context, Step, System, TaskData
from harness.errors import HarnessError

_WAYS = ("command", "url", "python", "answers")


class External(Step):
    """Ask a system that exists: each question goes to it with its id, choices and user, each answer comes back.

    One of `command`, `url`, `python` and `answers` says where. The protocol is in docs/systems.md.
    """

    command: str = Field("", description="reads a question a line and writes an answer a line; no shell reads it")
    url: str = Field("", description="each question is the body of a POST, its answer the body of the reply")
    python: str = Field("", description="module:function, called with each question; installed or in this folder")
    answers: str = Field("", description="file with an answer a line, made before")
    key_env: str = Field("", description="variable whose key is sent to the url as Authorization: Bearer")
    timeout_s: float = Field(60.0, gt=0, description="seconds to wait for an answer")
    concurrency: int = Field(4, ge=1, le=256, description="questions to the url at once")
    digest: str = Field("", repr=False, description="sha256 of the function's file or of the answers, when planned")

    answers_alone: ClassVar[bool] = True
    paper: ClassVar[str] = "none: whatever runs already"

    @model_validator(mode="before")
    @classmethod
    def read_digest(cls, parameters: Any) -> Any:
        """Hash the file once, so that what it holds is part of the trial key, not only its name.

        Raises:
            HarnessError: there is no such file.
        """
        if not isinstance(parameters, dict) or parameters.get("digest"):
            return parameters
        path = _source(parameters.get("python"), parameters.get("answers"))
        return {**parameters, "digest": _digest(path)} if path else parameters

    @model_validator(mode="after")
    def check_way(self) -> "External":
        """Refuse what names no system, or two."""
        if len([way for way in _WAYS if getattr(self, way)]) != 1:
            raise ValueError(f"give one of {', '.join(_WAYS)}, as in external(url='http://localhost:8000/answer')")
        if self.command:
            _require_words(self.command)
        if self.url:
            _require_safe(self.url, self.key_env)
        elif self.key_env:
            raise ValueError("key_env is sent to a url: leave it out, a command finds its keys in the environment")
        return self

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Put it in the place of the model.

        Raises:
            HarnessError: its file has changed since the trial was planned, or its key is not in the environment.
        """
        from harness.endpoints.external_system import ExternalSystem, ExternalTarget

        del context
        path = _source(self.python, self.answers)
        if path and _digest(path) != self.digest:
            raise HarnessError(f"{path} changed after this trial was planned: run again.")
        target = ExternalTarget(
            **{way: getattr(self, way) for way in _WAYS},
            source=path,
            digest=self.digest,
            key_env=self.key_env or None,
            timeout_s=self.timeout_s,
            concurrency=self.concurrency,
        )
        model = ExternalSystem(target, {passage.id: passage for passage in task.corpus})
        return System(model, system.task)


def _source(python: Any, answers: Any) -> Path | None:
    """Return the file that holds the function or the answers; None: neither is named.

    Raises:
        HarnessError: there is none.
    """
    if isinstance(answers, str) and answers:
        return Path(answers).expanduser()
    if not isinstance(python, str) or not python:
        return None
    module, colon, function = python.partition(":")
    if not (colon and function.isidentifier() and all(part.isidentifier() for part in module.split("."))):
        raise HarnessError(f"external(python={python!r}): write module:function, as in my_rag:answer.")
    first, *inner = module.split(".")
    spec = PathFinder.find_spec(first)  # nothing is imported
    roots = [Path(root) / first for root in spec.submodule_search_locations or ()] if spec else []
    plain = [Path(spec.origin)] if spec and spec.origin and not inner else []
    bases = [root.joinpath(*inner) for root in [*roots, Path.cwd() / first]]
    files = [*plain, *(file for base in bases for file in (base.with_suffix(".py"), base / "__init__.py"))]
    source = next((file for file in files if file.is_file()), None)
    if source is None:
        raise HarnessError(f"external(python={python!r}): no module {module!r} is installed or in {Path.cwd()}.")
    return source.resolve()


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise HarnessError(f"external: {path} cannot be read ({error.strerror or error}).") from error


def _require_words(command: str) -> None:
    import shlex

    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"the command cannot be read ({error})") from None
    if not words:
        raise ValueError("the command is empty")


def _require_safe(url: str, key_env: str) -> None:
    from urllib.parse import urlsplit

    from harness.endpoints.providers import checked_url, is_loopback

    checked_url(url)
    if key_env and url.startswith("http://") and not is_loopback(urlsplit(url).hostname or ""):
        raise ValueError("the key would be sent unencrypted: use https, or leave out key_env")
