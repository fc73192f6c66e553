"""Artifacts of adaptation, shared by chains that begin alike: adapters, tuned weights, indexes.

Reuse saves the work, not the cost: an artifact's measured span is charged to every trial that uses it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from filelock import ReadWriteLock, Timeout
from pydantic import Field

from harness.api import TrainingRun
from harness.data import manifest
from harness.data.manifest import ListedFile
from harness.errors import HarnessError
from harness.records.measurements import CorpusLearning, Held, Span, StoredModel


class Account(StoredModel):
    """Cost of making an artifact, and what it consists of.

    Attributes:
        span: the measured phase.
        curves: points logged while training; trainings: how each loop ended.
        trained_parameters: parameters that took a gradient; None for what is not trained.
        size_bytes: on disk; None where it was not kept.
        held: memory of its training; None where nothing was trained, or it was not counted yet.
        rows: training items that it wrote, by what became of them.
        corpus: how well the corpus was known before and after; check_spans: the phases in which that was measured.
        files: of the content, by relative path; empty in accounts from before files were listed.
    """

    span: Span
    curves: tuple[dict[str, float], ...] = ()
    trainings: tuple[TrainingRun, ...] = ()
    trained_parameters: int | None = None
    size_bytes: int | None = None
    held: Held | None = None
    rows: dict[str, int] = Field(default_factory=dict[str, int])
    corpus: CorpusLearning | None = None
    check_spans: tuple[Span, ...] = ()
    files: dict[str, ListedFile] = Field(default_factory=dict[str, ListedFile])


@dataclass(frozen=True)
class Artifact:
    """An artifact on disk."""

    folder: Path
    account: Account


def artifact_key(parts: Mapping[str, Any]) -> str:
    """Return a sha256 over everything that decides the content."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def find(root: Path, key: str, *, private: bool = False) -> Artifact | None:
    """Return the artifact under a key; None if there is none that can be used.

    Args:
        root: folder of the artifacts.
        key: from `artifact_key`.
        private: it is in a folder that only this process knows, so its files are not hashed.

    Raises:
        DamagedArtifactError: a file is missing, was changed or was added since the artifact was kept.
    """
    folder = root / key
    try:
        account = Account.model_validate_json((folder / "account.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # absent, or written by another version: made again
        return None
    if not account.files and not private:
        return None
    difference = "" if private else manifest.damage(folder / "content", account.files)
    if difference:
        raise DamagedArtifactError(difference)
    return Artifact(folder / "content", account)


class DamagedArtifactError(HarnessError):
    """A kept artifact is no longer as it was made; the message names the first difference."""


@contextmanager
def in_use(root: Path) -> Generator[None]:
    """Hold off `remove` for the duration; other trials may use artifacts too.

    A folder that cannot be locked holds nothing that could be removed: the trial goes on without.
    """
    with ExitStack() as stack:
        with suppress(OSError, ValueError, RuntimeError, sqlite3.Error):
            root.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_lock(root).read_lock())
        yield


def size(root: Path) -> tuple[int, int]:
    """Count the artifacts that are kept, and their bytes on disk, unfinished ones included."""
    files = [file for file in root.rglob("*") if file.is_file()] if root.is_dir() else []
    return sum(file.name == "account.json" for file in files), sum(file.stat().st_size for file in files)


def remove(root: Path) -> None:
    """Remove every artifact; each is made again when a trial needs it.

    Raises:
        HarnessError: a trial is using them, or they cannot be removed.
    """
    try:
        with _lock(root).write_lock(blocking=False):
            shutil.rmtree(root)
    except Timeout as error:
        raise HarnessError(f"a trial is using what is kept in {root}: wait until it ends, then clean again.") from error
    except (OSError, ValueError, RuntimeError, sqlite3.Error) as error:
        raise HarnessError(f"{root} cannot be removed ({error}): remove it by hand.") from error


def keep(root: Path, key: str, save: Callable[[Path], None], account: Account, *, private: bool = False) -> Artifact:
    """Write an artifact whole or not at all, and return it with its size and, unless it is private, its files."""
    root.mkdir(parents=True, exist_ok=True)
    scratch = Path(mkdtemp(dir=root, prefix=".making-"))
    try:
        (scratch / "content").mkdir()
        save(scratch / "content")
        size = sum(file.stat().st_size for file in scratch.rglob("*") if file.is_file())
        files = {} if private else manifest.list_files(scratch / "content")
        account = account.model_copy(update={"size_bytes": size, "files": files})
        (scratch / "account.json").write_text(account.model_dump_json(indent=1), encoding="utf-8")
        shutil.rmtree(root / key, ignore_errors=True)
        os.rename(scratch, root / key)  # noqa: PTH104 - atomic, and fails where another process was first
    except OSError:
        if not (root / key / "account.json").is_file():
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Artifact(root / key / "content", account)


def _lock(root: Path) -> ReadWriteLock:
    return ReadWriteLock(root.with_name(f"{root.name}.lock"))
