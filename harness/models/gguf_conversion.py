"""Folder of a model's weights as safetensors; a GGUF is converted once, in a subprocess.

This file imports no heavy library, so that the command line can use it.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from harness.data import cache as cache_folders
from harness.data import manifest
from harness.data.content_hash import file_hash
from harness.data.locate import is_gguf
from harness.errors import HarnessError
from harness.measure.child_process import run_python

_MAGIC = b"GGUF"
_PART = re.compile(r"-\d{5}-of-(\d{5})$")


def weights_folder(source: Path, cache: Path) -> Path:
    """Return the folder that a model is loaded from; that of a GGUF is in the cache and may not exist yet.

    Args:
        source: a model's folder, or a GGUF file.
        cache: folder of converted models.
    """
    file = gguf_file(source)
    if file is None:
        return source
    pinned = cache_folders.folder("sources") in source.parents  # its name holds its hash
    return cache / "converted" / (f"{source.name}-bf16" if pinned else f"{file.stem}-{file_hash(file)[:12]}-bf16")


def is_loadable(source: Path, cache: Path) -> bool:
    """Tell whether a model can be loaded without being converted first; a damaged conversion is made again."""
    return gguf_file(source) is None or manifest.is_whole(weights_folder(source, cache))


def gguf_file(source: Path) -> Path | None:
    """Return the GGUF that a model is: the file itself, or the first of a folder without safetensors."""
    if not is_gguf(source):
        return None
    return source if source.is_file() else min(source.glob("*.gguf"))


def check(source: Path) -> None:
    """Refuse a GGUF that cannot be converted, as far as its first bytes and its name tell.

    Raises:
        HarnessError: it is no GGUF, one part of one, one of several in the folder, or the library is missing.
    """
    file = gguf_file(source)
    if file is None:
        return
    others = sorted(source.glob("*.gguf")) if source.is_dir() else [file]
    if part := _PART.search(file.stem):
        raise HarnessError(
            f"{file} is one of {int(part[1])} parts: join them by 'llama-gguf-split --merge' and name the whole file."
        )
    if len(others) > 1:
        raise HarnessError(f"{source} holds {len(others)} GGUF files: name one, e.g. {others[0]}.")
    with file.open("rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise HarnessError(f"{file} is no GGUF, whatever its name says: download it again.")
    if find_spec("gguf") is None:
        raise HarnessError(f"{file} needs the package that reads GGUF: pip install gguf.")


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
