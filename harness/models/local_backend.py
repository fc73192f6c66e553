"""Models whose weights are on this machine or can be downloaded: pinned archives, folders, the hub."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from harness.api import Capability, Model, ModelInfo, ProgressCallback
from harness.data.content_hash import file_hash, folder_hash
from harness.data.fetch import is_fetched
from harness.data.locate import is_gguf, locate
from harness.data.sources import all_sources
from harness.errors import HarnessError, unknown
from harness.models import folder_check, gguf_conversion, size_check
from harness.models.registry import Backend, Busy, ModelReference, Use

_HUB = re.compile(r"^(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?$")
_COMMIT = re.compile(r"^[0-9a-f]{40}$")
_ON = " on "
"""Stands between an adapter's folder and a base model that was given besides."""
_CAPABILITIES: frozenset[Capability] = frozenset({"generate", "score_choices", "train"})


class LocalBackend(Backend):
    """Causal language models that transformers loads: by pinned name, folder, GGUF file, hub id, or ADAPTER on BASE."""

    def identify(self, name: str, use: Use) -> ModelReference:
        """Identify a model by its weights.

        A pinned model is identified by its archive's sha256, a hub model by its commit (asked of the hub, or of the
        local hub cache without a network), and a folder by a sha256 over its files' names and contents
        (`harness.data.content_hash`), a GGUF file by its own; an adapter's folder by its base model's identity too.

        Raises:
            HarnessError: no such model, the hub cannot tell its commit, or no causal language model can be loaded from
                the folder.
        """
        pinned = {source.name: source for source in all_sources() if source.use in ("model", use)}
        if name in pinned:
            return _reference(name, name, f"archive:{pinned[name].content_sha256}")
        text, base_name = _split(name)
        folder = Path(text).expanduser()
        if folder.is_dir() or is_gguf(folder):
            _check(folder, use)
            base = self._base(folder, base_name)
            reference = str(folder.resolve()) + (f"{_ON}{base.reference}" if base and base_name else "")
            return _reference(name, reference, self._folder_identity(folder, base))
        hub = _HUB.match(name)
        if hub is None or folder.is_absolute() or name.startswith("."):
            hint = "A folder or a hub id such as org/name works too."
            raise unknown("model", name, pinned, hint=hint)
        commit = _commit(hub["repository"], hub["revision"])
        return _reference(name, f"{hub['repository']}@{commit}", f"hub:{hub['repository']}@{commit}")

    def identity(self, reference: str) -> str:
        """Return the identity of a fetched model as it is now; a damaged unpacked archive is unpacked again."""
        pinned = {source.name: source for source in all_sources()}
        if reference in pinned:
            locate(reference)
            return f"archive:{pinned[reference].content_sha256}"
        text, base_name = _split(reference)
        folder = Path(text).expanduser()
        if not (folder.is_dir() or is_gguf(folder)):
            return f"hub:{reference}"
        return self._folder_identity(folder, self._base(folder, base_name))

    def fetch(self, reference: str, progress: ProgressCallback | None = None) -> Path:
        """Download what is missing; return the folder, of an adapter its base model's."""
        text, base_name = _split(reference)
        path = locate(text, progress).path
        base = self._base(path, base_name)
        return self.fetch(base.reference, progress) if base else path

    def prepare(self, reference: str, cache: Path, busy: Busy) -> None:
        """Check the files, and convert a GGUF to safetensors, once, in a process of its own."""
        text, base_name = _split(reference)
        path = locate(text).path
        folder_check.check_weights(path)
        base = self._base(path, base_name)
        if base:
            self.prepare(base.reference, cache, busy)
            return
        size_check.check_size(path)
        if not gguf_conversion.is_loadable(path, cache):
            with busy(f"converting {reference} (once)"):
                gguf_conversion.convert_in_subprocess(path, cache)

    def present(self, reference: str, cache: Path) -> Path | None:
        """Return the folder that is loaded; None if the model has to be downloaded or converted first.

        Of an adapter, this is the base model's.
        """
        pinned = {source.name: source for source in all_sources()}
        if reference in pinned and not is_fetched(pinned[reference]):
            return None
        try:
            text, base_name = _split(reference)
            is_here = text in pinned or Path(text).exists()
            folder = locate(text).path if is_here else _cached_snapshot(text)
            base = self._base(folder, base_name) if folder else None
            if base:
                return self.present(base.reference, cache)
        except HarnessError:
            return None
        return (
            gguf_conversion.weights_folder(folder, cache)
            if folder and gguf_conversion.is_loadable(folder, cache)
            else None
        )

    def open(self, reference: str, cache: Path) -> Model:
        """Load weights and tokenizer; an adapter is merged into its base model."""
        from harness.models.loading import open_model  # noqa: PLC0415 - imports torch, which planning does not need

        text, base_name = _split(reference)
        folder = locate(text)
        info = ModelInfo(
            name=reference,
            revision=folder.revision,
            licence=folder.licence,
            note=folder.note,
            identity=self.identity(reference),
        )
        base = self._base(folder.path, base_name)
        if base:
            return open_model(locate(base.reference).path, info, cache, adapter=folder.path)
        return open_model(folder.path, info, cache)

    def _folder_identity(self, folder: Path, base: ModelReference | None) -> str:
        if folder.is_file():
            return f"gguf:{file_hash(folder)}"
        return f"folder:{folder_hash(folder)}" + (f" on {base.identity}" if base else "")

    def _base(self, folder: Path, name: str) -> ModelReference | None:
        """Identify the base model of an adapter's folder; None for a whole model.

        Args:
            folder: of the adapter, or of a model.
            name: of the base, where it was given besides; empty: the folder names it.

        Raises:
            HarnessError: the adapter names none, or one that cannot be found; or the folder is no adapter's.
        """
        base = folder_check.base_of(folder) if folder.is_dir() and not name else name
        if not base:
            return None
        if not (folder / folder_check.ADAPTER_CONFIG).is_file():
            raise HarnessError(f"{folder} is no adapter's folder: leave out --base {base}.")
        if (Path(base).expanduser() / folder_check.ADAPTER_CONFIG).is_file():
            raise HarnessError(f"the base model of the adapter in {folder} is an adapter too: merge one of them first.")
        try:
            return self.identify(base, "model")
        except HarnessError as error:
            raise HarnessError(
                f"the adapter in {folder} needs its base model {base!r}: {error} Or give --base MODEL, or "
                f"correct base_model_name_or_path in its {folder_check.ADAPTER_CONFIG}."
            ) from error


def _reference(name: str, reference: str, identity: str) -> ModelReference:
    return ModelReference(name, reference, identity, _CAPABILITIES, "local", uses_gpu=True)


def with_base(names: Sequence[str], base: str) -> list[str]:
    """Return models' names, those of adapters' folders with a base model in place of the one that they name.

    Raises:
        HarnessError: none of them is an adapter's folder.
    """
    adapters = [name for name in names if (Path(name).expanduser() / folder_check.ADAPTER_CONFIG).is_file()]
    if not adapters:
        raise HarnessError(f"--base {base} is of an adapter: give its folder by --model.")
    return [f"{name}{_ON}{base}" if name in adapters else name for name in names]


def _split(reference: str) -> tuple[str, str]:
    """Return an adapter and the base model that was given besides; of anything else, itself and an empty text."""
    text, on, base = reference.partition(_ON)
    adapter = Path(text).expanduser() / folder_check.ADAPTER_CONFIG
    return (text, base) if on and adapter.is_file() else (reference, "")


def _check(folder: Path, use: Use) -> None:
    """Refuse a folder or a GGUF that cannot be loaded."""
    if is_gguf(folder):
        gguf_conversion.check(folder)
        return
    check = folder_check.check if use == "model" else folder_check.check_weights
    check(folder)
    size_check.check_size(folder)


def _cached_snapshot(name: str) -> Path | None:
    """Find a hub model in the local cache, without a download."""
    from huggingface_hub import constants, try_to_load_from_cache  # noqa: PLC0415 - only hub ids need it

    repository, _, revision = name.partition("@")
    path = try_to_load_from_cache(
        repository, "config.json", cache_dir=constants.HF_HUB_CACHE, revision=revision or None
    )
    return Path(path).parent if isinstance(path, str) else None


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
    except Exception:  # noqa: BLE001, S110 - no network, whose error differs by version: the local cache will do
        pass
    cached = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}" / "refs" / (revision or "main")
    try:
        return cached.read_text(encoding="ascii").strip()
    except OSError as error:
        raise HarnessError(
            f"model {repository!r} is in no local cache and the hub cannot be reached: connect, or give a folder."
        ) from error
