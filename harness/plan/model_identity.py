"""Which model a name means, down to the bytes, without loading it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.api import Capability
from harness.data.sources import all_sources
from harness.errors import HarnessError, unknown

_HUB = re.compile(r"^(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?$")
_COMMIT = re.compile(r"^[0-9a-f]{40}$")
_BLOCK_BYTES, _BLOCKS = 4096, 1024
_LOCAL: frozenset[Capability] = frozenset({"generate", "score_choices", "train"})


@dataclass(frozen=True)
class ModelReference:
    """A model, as it was named and as it is pinned.

    Attributes:
        name: what the user wrote.
        reference: what it is loaded by: the pinned name, the folder's absolute path, or the hub id with its commit.
        identity: changes when the weights, the configuration or the tokenizer change.
        can: what such a model is able to do.
    """

    name: str
    reference: str
    identity: str
    can: frozenset[Capability] = _LOCAL


def identify(name: str, use: Literal["model", "embedder"] = "model") -> ModelReference:
    """Find what a model's name means, one that answers or (`use`) one that a step brings.

    A pinned model is identified by its archive's sha256, a hub model by its commit (asked of the hub, or of the local
    hub cache without a network), and a folder by a sha256 over its files' names, sizes and contents; of a file of
    more than 4 MiB, 1024 blocks of 4 KiB are read, evenly spaced.

    Raises:
        HarnessError: no such model, or the hub cannot tell its commit.
    """
    pinned = {source.name: source for source in all_sources() if source.use in ("model", use)}
    if name in pinned:
        return ModelReference(name, name, f"archive:{pinned[name].sha256}")
    folder = Path(name).expanduser()
    if folder.is_dir():
        return ModelReference(name, str(folder.resolve()), f"folder:{folder_hash(folder)}")
    hub = _HUB.match(name)
    if hub is None or folder.is_absolute() or name.startswith("."):
        hint = "A folder or a hub id such as org/name works too."
        raise unknown("model", name, pinned, hint=hint)
    commit = _commit(hub["repository"], hub["revision"])
    return ModelReference(name, f"{hub['repository']}@{commit}", f"hub:{hub['repository']}@{commit}")


def folder_hash(folder: Path) -> str:
    """Hash a model's folder as `identify` says; hidden files are left out.

    Raises:
        HarnessError: a file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for path in sorted(folder.rglob("*")):
            relative = path.relative_to(folder)
            if path.is_file() and not any(part.startswith(".") for part in relative.parts):
                digest.update(f"{relative.as_posix()}\0{path.stat().st_size}\0".encode())
                for block in _blocks(path):
                    digest.update(block)
    except OSError as error:
        raise HarnessError(f"model folder {folder} cannot be read: {error.strerror or error}.") from error
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _BLOCK_BYTES * _BLOCKS:
            yield file.read()
            return
        for block in range(_BLOCKS):
            file.seek(block * (size - _BLOCK_BYTES) // (_BLOCKS - 1))
            yield file.read(_BLOCK_BYTES)


def _commit(repository: str, revision: str | None) -> str:
    """Resolve a branch or tag of a hub repository to the commit that it points to now."""
    if revision and _COMMIT.match(revision):
        return revision
    from huggingface_hub import HfApi, constants  # noqa: PLC0415 - half a second that only a hub id is worth
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError  # noqa: PLC0415

    try:
        if not constants.HF_HUB_OFFLINE:
            found = HfApi().model_info(repository, revision=revision, timeout=10).sha
            if found:
                return found
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        wanted = repository + (f"@{revision}" if revision else "")
        raise HarnessError(f"the hub has no model {wanted!r} that you may read: check its name.") from error
    except (OSError, RuntimeError):  # no network: what was fetched before will do
        pass
    cached = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}" / "refs" / (revision or "main")
    try:
        return cached.read_text(encoding="ascii").strip()
    except OSError as error:
        raise HarnessError(
            f"model {repository!r} is in no local cache and the hub cannot be reached: connect, or give a folder."
        ) from error
