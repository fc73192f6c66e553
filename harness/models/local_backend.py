"""Models whose weights are on this machine or can be downloaded: pinned archives, folders, the hub."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from harness.api import Capability, Model, ModelInfo, ProgressCallback
from harness.data.fetch import is_fetched
from harness.data.locate import locate
from harness.data.sources import all_sources
from harness.errors import HarnessError, unknown
from harness.models import gguf_conversion
from harness.models.registry import Backend, Busy, ModelReference, Use

_HUB = re.compile(r"^(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?$")
_COMMIT = re.compile(r"^[0-9a-f]{40}$")
_BLOCK_BYTES, _BLOCKS = 4096, 1024
_CAPABILITIES: frozenset[Capability] = frozenset({"generate", "score_choices", "train"})


class LocalBackend(Backend):
    """Causal language models that transformers loads, by pinned name, folder or hub id."""

    def identify(self, name: str, use: Use) -> ModelReference:
        """Identify a model by its weights.

        A pinned model is identified by its archive's sha256, a hub model by its commit (asked of the hub, or of the
        local hub cache without a network), and a folder by a sha256 over its files' names, sizes and contents; of a
        file of more than 4 MiB, 1024 blocks of 4 KiB are read, evenly spaced.

        Raises:
            HarnessError: no such model, or the hub cannot tell its commit.
        """
        pinned = {source.name: source for source in all_sources() if source.use in ("model", use)}
        if name in pinned:
            return _reference(name, name, f"archive:{pinned[name].sha256}")
        folder = Path(name).expanduser()
        if folder.is_dir():
            return _reference(name, str(folder.resolve()), f"folder:{folder_hash(folder)}")
        hub = _HUB.match(name)
        if hub is None or folder.is_absolute() or name.startswith("."):
            hint = "A folder or a hub id such as org/name works too."
            raise unknown("model", name, pinned, hint=hint)
        commit = _commit(hub["repository"], hub["revision"])
        return _reference(name, f"{hub['repository']}@{commit}", f"hub:{hub['repository']}@{commit}")

    def fetch(self, reference: str, progress: ProgressCallback | None = None) -> Path:
        """Download what is missing; return the folder."""
        return locate(reference, progress).path

    def prepare(self, reference: str, cache: Path, busy: Busy) -> None:
        """Convert a GGUF to safetensors, once, in a process of its own."""
        path = locate(reference).path
        if not gguf_conversion.is_loadable(path, cache):
            with busy(f"converting {reference} (once)"):
                gguf_conversion.convert_in_subprocess(path, cache)

    def present(self, reference: str, cache: Path) -> Path | None:
        """Return the folder that is loaded; None if the model has to be downloaded or converted first."""
        pinned = {source.name: source for source in all_sources()}
        if reference in pinned and not is_fetched(pinned[reference]):
            return None
        try:
            is_here = reference in pinned or Path(reference).is_dir()
            folder = locate(reference).path if is_here else _cached_snapshot(reference)
        except HarnessError:
            return None
        return (
            gguf_conversion.weights_folder(folder, cache)
            if folder and gguf_conversion.is_loadable(folder, cache)
            else None
        )

    def open(self, reference: str, cache: Path) -> Model:
        """Load weights and tokenizer."""
        from harness.models.loading import open_model  # noqa: PLC0415 - imports torch, which planning does not need

        folder = locate(reference)
        info = ModelInfo(name=reference, revision=folder.revision, licence=folder.licence, note=folder.note)
        return open_model(folder.path, info, cache)


def _reference(name: str, reference: str, identity: str) -> ModelReference:
    return ModelReference(name, reference, identity, _CAPABILITIES, "local", uses_gpu=True)


def _cached_snapshot(name: str) -> Path | None:
    """Find a hub model in the local cache, without a download."""
    from huggingface_hub import constants, try_to_load_from_cache  # noqa: PLC0415 - only hub ids need it

    repository, _, revision = name.partition("@")
    path = try_to_load_from_cache(
        repository, "config.json", cache_dir=constants.HF_HUB_CACHE, revision=revision or None
    )
    return Path(path).parent if isinstance(path, str) else None


def folder_hash(folder: Path) -> str:
    """Hash a model's folder as `LocalBackend.identify` describes; hidden files are left out.

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
    """Resolve a branch or tag of a hub repository to its current commit."""
    if revision and _COMMIT.match(revision):
        return revision
    from huggingface_hub import HfApi, constants  # noqa: PLC0415 - half a second, only for hub ids
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError  # noqa: PLC0415

    try:
        if not constants.HF_HUB_OFFLINE:
            sha = HfApi().model_info(repository, revision=revision, timeout=10).sha
            if sha:
                return sha
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        model_id = repository + (f"@{revision}" if revision else "")
        raise HarnessError(f"the hub has no model {model_id!r} that you may read: check its name.") from error
    except (OSError, RuntimeError):  # no network: the local cache will do
        pass
    cached = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}" / "refs" / (revision or "main")
    try:
        return cached.read_text(encoding="ascii").strip()
    except OSError as error:
        raise HarnessError(
            f"model {repository!r} is in no local cache and the hub cannot be reached: connect, or give a folder."
        ) from error
