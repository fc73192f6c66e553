"""Paths that a suite names: they must exist and lie within its folder."""

from pathlib import Path

from harness import errors
from harness.errors import HarnessError

TEXT_SUFFIXES = (".txt", ".md")


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
    """Return a file itself, or the text files of a folder in the order of their names.

    Raises:
        HarnessError: a folder has no .txt or .md file, or one of them is a link that leads outside `folder`.
    """
    if path.is_file():
        return (path,)
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in TEXT_SUFFIXES and file.is_file())
    for file in files:
        if not file.resolve().is_relative_to(folder.resolve()):
            raise HarnessError(f"{file} is a link that leads outside the suite's folder: copy the file into it.")
    if not files:
        raise HarnessError(f"the corpus folder {path} has no {' or '.join(TEXT_SUFFIXES)} file.")
    return tuple(files)
