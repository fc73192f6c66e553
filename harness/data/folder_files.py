"""Files of a folder, listed whole or not at all: `Path.rglob` leaves out what it may not read without a word."""

import os
from pathlib import Path


def visible_files(folder: Path) -> list[Path]:
    """Return the regular files below a folder in order, without hidden ones and those of hidden folders.

    Raises:
        OSError: a folder within it cannot be listed.
    """
    files: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(place) / name for name in names if not name.startswith(".")]
    return sorted(file for file in files if file.is_file())


def _refuse(error: OSError) -> None:
    raise error
