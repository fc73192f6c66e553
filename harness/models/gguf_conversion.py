"""Folder of a model's weights as safetensors; a GGUF is converted once, in a subprocess.

This file imports no heavy library, so that the command line can use it.
"""

from __future__ import annotations

from pathlib import Path

from harness.data import manifest
from harness.errors import HarnessError
from harness.measure.child_process import run_python


def weights_folder(folder: Path, cache: Path) -> Path:
    """Return the folder that a model is loaded from; that of a GGUF is in the cache and may not exist yet."""
    return cache / "converted" / f"{folder.name}-bf16" if _is_gguf(folder) else folder


def is_loadable(folder: Path, cache: Path) -> bool:
    """Tell whether a model can be loaded without being converted first; a damaged conversion is made again."""
    return not _is_gguf(folder) or manifest.is_whole(weights_folder(folder, cache))


def convert_in_subprocess(folder: Path, cache: Path) -> None:
    """Convert a model in a subprocess: the command keeps neither the memory nor the libraries that it takes.

    Raises:
        HarnessError: it could not be converted.
    """
    process = run_python("harness.models.loading", [folder, cache])
    if process.returncode:
        reason = next(
            (line for line in reversed(process.stderr.splitlines()) if line.strip()), f"exit {process.returncode}"
        )
        raise HarnessError(f"the model in {folder} could not be converted: {reason.strip()}")


def _is_gguf(folder: Path) -> bool:
    """Tell whether a folder's weights are a GGUF only."""
    return any(folder.glob("*.gguf")) and not any(folder.glob("*.safetensors"))
