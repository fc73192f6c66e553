"""Paths that a suite names: they must exist and lie within its folder."""

from pathlib import Path

from harness import errors
from harness.data.documents import SUFFIXES
from harness.data.folder_files import visible_files
from harness.errors import HarnessError


def resolve_inside(folder: Path, relative: str, where: str) -> Path:
    """Return the resolved path of a file or folder that a suite names.

    Args:
        folder: the suite's.
        relative: as written in the suite.toml.
        where: the suite.toml, for the error.

    Raises:
        HarnessError: it leads outside the folder (absolute, ``..`` or a link), isn't there, or is a pipe or a device,
            whose reading may never end.
    """
    path = (folder / relative).resolve()
    if Path(relative).is_absolute() or not path.is_relative_to(folder.resolve()):
        raise HarnessError(f"path {relative!r} in {where} leads outside the suite's folder: copy the file into it.")
    if not path.exists():
        paths = (file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.name != "suite.toml")
        raise errors.unknown("path", relative, paths, where=where)
    if not (path.is_file() or path.is_dir()):
        raise HarnessError(f"path {relative!r} in {where} is no regular file.")
    return path


def files_under(path: Path, folder: Path) -> tuple[Path, ...]:
    """Return a file itself, or the documents of a folder in the order of their names.

    Raises:
        HarnessError: a folder has no document, one of them is a link that leads outside `folder`, or a folder cannot
            be listed.
    """
    if path.is_file():
        return (path,)
    try:
        present = visible_files(path)
    except OSError as error:
        raise HarnessError(f"folder {error.filename} cannot be read ({error.strerror or error}).") from error
    files = [file for file in present if file.suffix.lower() in SUFFIXES]
    for file in files:
        if not file.resolve().is_relative_to(folder.resolve()):
            raise HarnessError(f"{file} is a link that leads outside the suite's folder: copy the file into it.")
    if not files:
        kinds = ", ".join(sorted({file.suffix.lower() or file.name for file in present})) or "nothing"
        raise HarnessError(f"the corpus folder {path} holds {kinds}: needed is one of {', '.join(SUFFIXES)}.")
    return tuple(files)
