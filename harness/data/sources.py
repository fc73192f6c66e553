"""The pinned sources: which published file holds which model or data set, down to its sha256."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from harness import errors


class Source(BaseModel):
    """One published archive, of which exactly one content is accepted.

    Attributes:
        filename: the archive's name at the registry and in the cache.
        size_bytes: of the archive.
        licence: of the content that is used, as its publisher states it.
        members: the parts that are used: files, or folders (with a closing ``/``).
        note: what a reader of results must know of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    use: Literal["model", "embedder", "data"]
    registry: Literal["pypi"] = "pypi"
    package: str
    version: str
    filename: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(gt=0)
    licence: str
    members: tuple[str, ...] = ()
    note: str = ""


@cache
def all_sources() -> tuple[Source, ...]:
    """Return every pinned source, in the order of sources.toml."""
    table = tomllib.loads(Path(__file__).with_name("sources.toml").read_text(encoding="utf-8"))
    return tuple(Source.model_validate(entry) for entry in table["source"])


def source(name: str) -> Source:
    """Return one pinned source.

    Raises:
        HarnessError: no source has that name.
    """
    for pinned in all_sources():
        if pinned.name == name:
            return pinned
    raise errors.unknown("source", name, (s.name for s in all_sources()), hint="'harness fetch' lists them.")
