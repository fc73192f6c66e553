"""Where a model's weights are as transformers reads them: a pinned GGUF is converted to safetensors once.

This file loads no library, so that a command can ask, and let a process of its own convert.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.errors import HarnessError


def weights_folder(folder: Path, cache: Path) -> Path:
    """Return the folder that a model is loaded from: a GGUF's is in the cache, and may not be there yet."""
    return cache / "converted" / f"{folder.name}-bf16" if any(folder.glob("*.gguf")) else folder


def is_loadable(folder: Path, cache: Path) -> bool:
    """Tell whether a model can be loaded without being converted first."""
    return weights_folder(folder, cache).is_dir()


def convert_in_subprocess(folder: Path, cache: Path) -> None:
    """Convert a model in a process of its own, which ends with the memory and the libraries that this takes.

    Raises:
        HarnessError: it could not be converted.
    """
    command = [sys.executable, "-m", "harness.models.loading", str(folder), str(cache)]
    process = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if process.returncode:
        reason = next(
            (line for line in reversed(process.stderr.splitlines()) if line.strip()), f"exit {process.returncode}"
        )
        raise HarnessError(f"the model in {folder} could not be converted: {reason.strip()}")
