"""The results folder: atomic writes, reads that skip and name damaged records, one run at a time.

One trial is one folder, ``SUITE/TASK/MODEL/STRATEGY-sSEED-KEY8/``, with the files of `harness.store.record_file`.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from filelock import FileLock, Timeout

from harness.errors import HarnessError
from harness.records.home_path import without_home
from harness.records.record import Completed, Failed, Row, Skipped, Trial
from harness.store import record_file
from harness.store.column_file import ColumnFile
from harness.store.record_file import NewerRecordError, Record

_TEMPORARY, _ASIDE = ".tmp-", ".aside-"
_PRELOADED = ("task", "role", "id", "answer", "output", "references", "choices", "cluster")
"""Columns that most metrics and reports read."""
_PRELOADED_IF_ANY = {"output": "choice_scores"}
"""They tell whether an output was generated or chosen."""


@dataclass(frozen=True)
class StoredTrial:
    """A record and its folder; the rows are read on demand."""

    record: Record
    folder: Path

    def table(self) -> Any:
        """Read the rows as a `pyarrow.Table`; no rows if the trial did not complete.

        Raises:
            HarnessError: the file is damaged.
        """
        if not isinstance(self.record, Completed):
            return record_file.row_schema().empty_table()
        return record_file.read_table(self.folder)

    def columns(self) -> ColumnFile:
        """Read the rows of a completed trial column by column, on demand.

        Raises:
            HarnessError: the file is damaged or missing.
        """
        return ColumnFile(self.folder / record_file.ROWS, _PRELOADED, _PRELOADED_IF_ANY)

    def rows(self) -> list[Row]:
        """Read the rows, in the order of the test items."""
        return [Row.model_validate(row) for row in self.table().to_pylist()]


class Store:
    """The records below one results folder.

    Attributes:
        root: the results folder; created by the first write.
        problems: one line for each folder that the last `load` could not use.
        set_aside: folders that could not be read and were in the way of a new record; nothing reads or removes them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.problems: list[str] = []
        self.set_aside: list[Path] = []

    def folder(self, trial: Trial) -> Path:
        """Return the folder of a trial, whether it exists or not."""
        name = f"{slug(without_home(trial.strategy))}-s{trial.seed}-{trial.key[:8]}"
        return self.root / slug(trial.suite) / slug(trial.task) / slug(without_home(trial.model)) / name

    def is_completed(self, key: str) -> bool:
        """Whether a trial with this key is finished and can be read.

        Raises:
            NewerRecordError: a newer version stored it.
        """
        return self.find_completed(key) is not None

    def find_completed(self, key: str) -> Completed | None:
        """Read the record of the finished trial with this key; None: there is none that can be read.

        Raises:
            NewerRecordError: a newer version stored it.
        """
        records = (_read(folder) for folder in self._folders()[0] if folder.name.endswith(f"-{key[:8]}"))
        return next((record for record in records if isinstance(record, Completed) and record.trial.key == key), None)

    def load(self, suite: str | None = None) -> list[StoredTrial]:
        """Read every record, or one suite's; those that cannot be read are left out and named in `problems`."""
        folders, self.problems = self._folders(suite)
        stored_trials: list[StoredTrial] = []
        for folder in folders:
            try:
                stored_trials.append(StoredTrial(record_file.read(folder), folder))
            except HarnessError as error:
                self.problems.append(str(error))
        return stored_trials

    def suites(self) -> list[str]:
        """List the suites that have records."""
        return sorted({trial.record.trial.suite for trial in self.load()})

    def write(self, record: Record, rows: Sequence[Row] = ()) -> Path:
        """Store a record, with its rows if the trial completed, and return its folder.

        A finished trial is never overwritten: if the folder holds one already, it stays as it is. What cannot be read
        there is set aside under another name, for it may be a finished trial all the same.

        Raises:
            HarnessError: the results folder cannot be written to, or a newer version stored this trial.
        """
        target = self.folder(record.trial)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.parent / _temporary_name()
            temporary.mkdir()
            try:
                record_file.write(temporary, record, rows)
                stored = _read(target)  # once: what cannot be read now, for want of handles, may be read a moment later
                if not isinstance(stored, Completed) or stored.trial.key != record.trial.key:
                    if target.exists() and not isinstance(stored, Failed | Skipped):
                        self.set_aside.append(_set_aside(target))
                    _move(temporary, target)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        except OSError as error:
            raise HarnessError(f"{target} cannot be written ({error.strerror or error}): free or change it.") from error
        return target

    def refuse_newer(self) -> None:
        """Refuse results of a newer version: a run by this one would mix with them.

        Raises:
            NewerRecordError: a record was written by a newer version.
        """
        for folder in self._folders()[0]:
            record_file.refuse_newer(folder)

    def _folders(self, suite: str | None = None) -> tuple[list[Path], list[str]]:
        """List the trials' folders in order, and a line for each folder above them that cannot be listed."""
        problems: list[str] = []
        folders = [self.root / slug(suite)] if suite else _subfolders(self.root, problems)
        for _ in range(3):
            folders = [inner for folder in folders for inner in _subfolders(folder, problems)]
        return folders, problems

    def clean(self) -> int:
        """Remove half-written folders of processes that no longer run; return their number."""
        orphans = [path for path in self.root.glob(f"*/*/*/{_TEMPORARY}*") if not _owner_runs(path)]
        for path in orphans:
            shutil.rmtree(path, ignore_errors=True)
        return len(orphans)

    @contextmanager
    def lock(self) -> Generator[None]:
        """Lock the results folder for one run; the operating system releases it when the process ends.

        Raises:
            HarnessError: another run holds the lock, or the folder cannot be created.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.root / ".lock")
            lock.acquire(timeout=0)
        except Timeout:
            raise HarnessError(
                f"another run is writing to {self.root}: wait until it ends, or give --results another folder."
            ) from None
        except OSError as error:
            raise HarnessError(f"the results folder {self.root} cannot be used: {error.strerror or error}.") from error
        try:
            yield
        finally:
            lock.release()


@dataclass(frozen=True)
class Selection:
    """The records that belong in one report.

    Attributes:
        trials: at most one for each suite, task, strategy, model, seed, number of training items and budget.
        notes: one line for each task with records left out, and why.
    """

    trials: tuple[StoredTrial, ...]
    notes: tuple[str, ...]


def select_newest(stored: Iterable[StoredTrial]) -> Selection:
    """Select the trials for one report: on the same data, and the newest of repeated ones.

    The trial of a task that started last decides the data, limits and scoring of the report (`Trial.basis`); records
    with others are left out and counted. A skipped trial gives way to any other.
    """
    tasks: dict[tuple[str, str], list[StoredTrial]] = {}
    for trial in stored:
        tasks.setdefault((trial.record.trial.suite, trial.record.trial.task), []).append(trial)
    newest_trials: list[StoredTrial] = []
    notes: list[str] = []
    for (suite, task), task_trials in tasks.items():
        reference = max(task_trials, key=_age).record.trial.basis
        same = [trial for trial in task_trials if trial.record.trial.basis == reference]
        if len(same) < len(task_trials):
            count = len(task_trials) - len(same)
            amount = "1 record" if count == 1 else f"{count} records"
            notes.append(f"{suite}/{task}: {amount} of other data, limits or scoring left out; the newest is shown.")
        latest: dict[Any, StoredTrial] = {}
        for trial in sorted(same, key=_age):
            latest[trial.record.trial.place] = trial
        newest_trials += latest.values()
    return Selection(tuple(newest_trials), tuple(notes))


def slug(text: str) -> str:
    """Turn a name into a file name: letters, digits and ``._+-``, at most 80 of them."""
    short = re.sub(r"-+", "-", re.sub(r"[^A-Za-z0-9._+]", "-", text)).strip("-.")
    return short[:80] or "unnamed"


def _read(folder: Path) -> Record | None:
    try:
        return record_file.read(folder)
    except NewerRecordError:  # it may be finished: running it again would replace it
        raise
    except HarnessError:
        return None


def _subfolders(folder: Path, problems: list[str]) -> list[Path]:
    """List the visible folders in a folder, in order; `Path.glob` leaves out what it cannot list without a word."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry) for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        problems.append(f"{folder} cannot be read ({error.strerror or error}): what it holds is left out.")
        return []


def _set_aside(folder: Path) -> Path:
    """Rename a folder so that no command reads or removes it."""
    aside = next(
        path for number in count(1) if not (path := folder.with_name(f"{_ASIDE}{folder.name}-{number}")).exists()
    )
    return folder.rename(aside)


def _move(temporary: Path, target: Path) -> None:
    """Rename a complete folder to its target; an earlier, failed one is removed."""
    if target.exists():
        old = target.parent / _temporary_name()
        target.rename(old)
        temporary.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        temporary.rename(target)
    record_file.sync(target.parent)


def _temporary_name() -> str:
    """Name a folder after its owner: machine, process id and start of the process in seconds."""
    start_s = int(psutil.Process().create_time())
    return f"{_TEMPORARY}{slug(socket.gethostname())}~{os.getpid()}~{start_s}~{uuid4().hex[:8]}"


def _owner_runs(path: Path) -> bool:
    host, pid, start_s, _ = (*path.name.removeprefix(_TEMPORARY).split("~"), "", "", "", "")[:4]
    if host != slug(socket.gethostname()):
        return True  # another machine's processes are unknown
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(start_s)) <= 2
    except (psutil.Error, ValueError):
        return False


def _age(stored: StoredTrial) -> tuple[bool, datetime]:
    """Order records from old to new; a skipped one has no time and counts as oldest."""
    if isinstance(stored.record, Skipped):
        return False, datetime.min.replace(tzinfo=UTC)
    started_at = datetime.fromisoformat(stored.record.started_at)
    return True, started_at if started_at.tzinfo else started_at.replace(tzinfo=UTC)
