"""Models whose weights are on this machine or can be downloaded: pinned archives, folders, the hub."""

from __future__ import annotations

import re
from pathlib import Path

from harness.api import Capability, Model, ModelInfo, ProgressCallback
from harness.data.content_hash import folder_hash
from harness.data.fetch import is_fetched
from harness.data.locate import locate
from harness.data.sources import all_sources
from harness.errors import HarnessError, unknown
from harness.models import folder_check, gguf_conversion
from harness.models.registry import Backend, Busy, ModelReference, Use

_HUB = re.compile(r"^(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?$")
_COMMIT = re.compile(r"^[0-9a-f]{40}$")
_CAPABILITIES: frozenset[Capability] = frozenset({"generate", "score_choices", "train"})


class LocalBackend(Backend):
    """Causal language models that transformers loads, by pinned name, folder or hub id."""

    def identify(self, name: str, use: Use) -> ModelReference:
        """Identify a model by its weights.

        A pinned model is identified by its archive's sha256, a hub model by its commit (asked of the hub, or of the
        local hub cache without a network), and a folder by a sha256 over its files' names and contents
        (`harness.data.content_hash`); an adapter's folder by its base model's identity too.

        Raises:
            HarnessError: no such model, the hub cannot tell its commit, or no causal language model can be loaded from
                the folder.
        """
        pinned = {source.name: source for source in all_sources() if source.use in ("model", use)}
        if name in pinned:
            return _reference(name, name, f"archive:{pinned[name].content_sha256}")
        folder = Path(name).expanduser()
        if folder.is_dir():
            check = folder_check.check if use == "model" else folder_check.check_weights
            check(folder)
            return _reference(name, str(folder.resolve()), self._folder_identity(folder))
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
        folder = Path(reference).expanduser()
        return self._folder_identity(folder) if folder.is_dir() else f"hub:{reference}"

    def fetch(self, reference: str, progress: ProgressCallback | None = None) -> Path:
        """Download what is missing; return the folder, of an adapter its base model's."""
        path = locate(reference, progress).path
        base = self._base(path)
        return self.fetch(base.reference, progress) if base else path

    def prepare(self, reference: str, cache: Path, busy: Busy) -> None:
        """Check the files, and convert a GGUF to safetensors, once, in a process of its own."""
        path = locate(reference).path
        folder_check.check_weights(path)
        base = self._base(path)
        if base:
            self.prepare(base.reference, cache, busy)
        elif not gguf_conversion.is_loadable(path, cache):
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
            is_here = reference in pinned or Path(reference).is_dir()
            folder = locate(reference).path if is_here else _cached_snapshot(reference)
            base = self._base(folder) if folder else None
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

        folder = locate(reference)
        info = ModelInfo(
            name=reference,
            revision=folder.revision,
            licence=folder.licence,
            note=folder.note,
            identity=self.identity(reference),
        )
        base = self._base(folder.path)
        if base:
            return open_model(locate(base.reference).path, info, cache, adapter=folder.path)
        return open_model(folder.path, info, cache)

    def _folder_identity(self, folder: Path) -> str:
        base = self._base(folder)
        return f"folder:{folder_hash(folder)}" + (f" on {base.identity}" if base else "")

    def _base(self, folder: Path) -> ModelReference | None:
        """Identify the base model of an adapter's folder; None for a whole model.

        Raises:
            HarnessError: it names none, or one that cannot be found.
        """
        base = folder_check.base_of(folder)
        if base is None:
            return None
        if (Path(base).expanduser() / folder_check.ADAPTER_CONFIG).is_file():
            raise HarnessError(f"the base model of the adapter in {folder} is an adapter too: merge one of them first.")
        try:
            return self.identify(base, "model")
        except HarnessError as error:
            raise HarnessError(
                f"the adapter in {folder} needs its base model {base!r}: {error} Or correct base_model_name_or_path in "
                f"its {folder_check.ADAPTER_CONFIG}."
            ) from error


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
