"""Baselines: named, immutable copies of finished trials, small enough to commit.

A baseline is a folder, ``baselines/NAME/``: ``baseline.json`` is its manifest, with a hash of every file, and each
trial has a folder as `harness.store.record_file` writes it, one level less deep than a store's, so that no report takes
it for a result. Prompts are stored as hashes, which show a change at a tenth of the size.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import ValidationError

from harness import metrics
from harness.errors import HarnessError, unknown
from harness.metrics import Items
from harness.records.measurements import StoredModel
from harness.records.record import Completed, Row, TaskInfo
from harness.store import record_file
from harness.store.record_file import Record
from harness.store.results_store import Store, StoredTrial, slug

FOLDER = "baselines"
FORMAT_VERSION = 1
_MANIFEST = "baseline.json"
_PROMPT_DIGITS = 12


class Manifest(StoredModel):
    """Manifest of a baseline.

    Attributes:
        set_at: creation time, ISO 8601, UTC; measured_at: start of its last trial.
        note: the user's comment.
        files: sha256 of each file, by path below the baseline's folder.
    """

    format_version: int = FORMAT_VERSION
    name: str
    suite: str
    set_at: str
    measured_at: str
    note: str = ""
    files: dict[str, str]


@dataclass(frozen=True)
class Baseline:
    """A baseline, read and checked; its trials are used like any stored ones."""

    manifest: Manifest
    trials: tuple[StoredTrial, ...]
    folder: Path

    @property
    def name(self) -> str:
        """Name of the baseline."""
        return self.manifest.name


def set_baseline(store: Store, name: str, trials: Sequence[StoredTrial], note: str = "") -> Baseline:
    """Write finished trials of one suite as a new baseline.

    Raises:
        HarnessError: the name is taken or cannot be a folder's, no trial has finished, the trials are of several
            suites, or the folder cannot be written.
    """
    target = new_baseline_folder(store.root, name)
    completed = [trial for trial in trials if isinstance(trial.record, Completed)]
    suites = sorted({trial.record.trial.suite for trial in completed})
    if not completed:
        raise HarnessError(f"no finished trial to keep as {name!r}: 'harness run SUITE' makes some.")
    if len(suites) > 1:
        raise HarnessError(f"baseline {name!r} would be of several suites ({', '.join(suites)}): name one of them.")
    temporary = target.parent / f".tmp-{os.getpid()}-{uuid4().hex[:8]}"
    try:
        temporary.mkdir(parents=True)
        try:
            _write(temporary, name, suites[0], completed, note)
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise HarnessError(f"{target} cannot be written ({error.strerror or error}): free or change it.") from error
    return read_baseline(target)


def new_baseline_folder(root: Path, name: str) -> Path:
    """Return the folder of a new baseline in a results folder.

    Raises:
        HarnessError: the name is taken or cannot be a folder's.
    """
    target = root / FOLDER / _check_name(name)
    if target.exists():
        raise HarnessError(
            f"baseline {name!r} is there already ({target}) and never changes: choose another name, or "
            f"'harness baseline remove {name} --yes' first."
        )
    return target


def find_baseline(name: str, roots: Iterable[Path]) -> Baseline:
    """Read a baseline by its name in the first results folder that has it, or by the path of its own folder.

    Raises:
        HarnessError: there is none, or it is damaged.
    """
    if (Path(name) / _MANIFEST).is_file():
        return read_baseline(Path(name))
    folders = list(dict.fromkeys(root.absolute() / FOLDER for root in roots))
    for folder in folders:
        if not re.search(r"[/\\]", name) and (folder / name / _MANIFEST).is_file():
            return read_baseline(folder / name)
    names = [path.parent.name for folder in folders for path in folder.glob(f"*/{_MANIFEST}")]
    locations = " or ".join(map(str, folders))
    hint = f"'harness baseline set {shlex.quote(name)}' makes one."
    raise unknown("baseline", name, names, where=locations, hint=hint)


def list_baselines(root: Path) -> tuple[list[Baseline], list[str]]:
    """Read all baselines of a results folder, oldest first; return them and a line for each damaged one."""
    baselines: list[Baseline] = []
    problems: list[str] = []
    for manifest in sorted((root / FOLDER).glob(f"*/{_MANIFEST}")):
        if manifest.parent.name.startswith("."):
            continue
        try:
            baselines.append(read_baseline(manifest.parent))
        except HarnessError as error:
            problems.append(str(error))
    return sorted(baselines, key=lambda baseline: (baseline.manifest.measured_at, baseline.manifest.set_at)), problems


def read_baseline(folder: Path) -> Baseline:
    """Read and check a baseline's folder.

    Raises:
        HarnessError: a file is missing, was changed or cannot be read; the message names baseline and file.
    """
    path = folder / _MANIFEST
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        version = raw["format_version"]
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise HarnessError(f"{path} was written by a newer version: upgrade adaptbench to read it.")
        manifest = Manifest.model_validate(raw)
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        line = " ".join(str(error).split())[:120]
        raise HarnessError(f"baseline {folder.name!r} is damaged ({path}: {line}): restore it, e.g. by git.") from error
    for name, digest in manifest.files.items():
        _check_file(folder, name, digest)
    trials = [folder / name for name in dict.fromkeys(name.split("/")[0] for name in manifest.files)]
    return Baseline(manifest, tuple(StoredTrial(record_file.read(trial), trial) for trial in trials), folder)


def is_baseline(name: str, roots: Iterable[Path]) -> bool:
    """Whether `find_baseline` would find a folder of that name, damaged or not."""
    is_folder = (Path(name) / _MANIFEST).is_file()
    return is_folder or any((root / FOLDER / name / _MANIFEST).is_file() for root in roots)


def baseline_folder(name: str, root: Path) -> Path:
    """Return the folder of an existing baseline, damaged or not.

    Raises:
        HarnessError: there is none of that name.
    """
    names = [path.name for path in (root / FOLDER).glob("*/") if not path.name.startswith(".")]
    if name not in names:
        raise unknown("baseline", name, names, where=str(root / FOLDER))
    return root / FOLDER / name


def remove_baseline(folder: Path) -> None:
    """Delete a baseline's folder.

    Raises:
        HarnessError: it cannot be deleted.
    """
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise HarnessError(f"{folder} cannot be deleted: {error.strerror or error}.") from error


def prompt_hash(prompt: str) -> str:
    """Hash a prompt as baselines store it; a hash is returned as it is."""
    if re.fullmatch(rf"sha256:[0-9a-f]{{{_PROMPT_DIGITS}}}", prompt):
        return prompt
    return f"sha256:{hashlib.sha256(prompt.encode()).hexdigest()[:_PROMPT_DIGITS]}" if prompt else ""


def _check_name(name: str) -> str:
    if name != slug(name) or name.startswith("."):
        raise HarnessError(f"{name!r} cannot name a baseline: use letters, digits and '._+-', e.g. {slug(name)!r}.")
    return name


def _write(folder: Path, name: str, suite: str, trials: Sequence[StoredTrial], note: str) -> None:
    for stored_trial in trials:
        trial = stored_trial.record.trial
        target = folder / f"{slug(trial.task)}-{slug(trial.strategy)}-s{trial.seed}-{trial.key[:8]}"
        target.mkdir()
        record_file.write(
            target,
            stored_trial.record.model_copy(update={"curves": ()}),
            _compact(stored_trial.record, stored_trial.rows()),
        )
    start_times = [trial.record.started_at for trial in trials if isinstance(trial.record, Completed)]
    manifest = Manifest(
        name=name,
        suite=suite,
        set_at=datetime.now(UTC).isoformat(timespec="seconds"),
        measured_at=max(start_times),
        note=note,
        files={
            path.relative_to(folder).as_posix(): _sha256(path) for path in sorted(folder.glob("*/*")) if path.is_file()
        },
    )
    (folder / _MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _compact(record: Record, rows: Sequence[Row]) -> list[Row]:
    """Return the rows that a gate compares, with the fields that their metrics read."""
    tasks = (
        {task.name: task for task in record.tasks if task.role != "control"} if isinstance(record, Completed) else {}
    )
    tasks_reading_inputs = {
        name for name, task in tasks.items() if _reads_inputs(task, [row for row in rows if row.task == name])
    }
    blank: dict[str, Any] = {"reasoning": (), "votes": ()}
    return [
        row.model_copy(
            update=blank
            | {"prompt": prompt_hash(row.prompt)}
            | ({} if row.task in tasks_reading_inputs else {"input": ""})
        )
        for row in rows
        if row.role in ("target", "probe") and row.task in tasks
    ]


def _reads_inputs(task: TaskInfo, rows: Sequence[Row]) -> bool:
    """Whether a metric of the task is defined for fewer items without their inputs."""
    items = Items.from_rows(rows, task.labels)
    without = Items.from_rows([row.model_copy(update={"input": ""}) for row in rows], task.labels)
    return any(
        int(metrics.get(name).defined(without).sum()) < int(metrics.get(name).defined(items).sum())
        for name in task.metrics
    )


def _check_file(folder: Path, name: str, digest: str) -> None:
    path = folder / name
    try:
        damage = "is missing" if not path.is_file() else "was changed" if _sha256(path) != digest else ""
    except OSError as error:
        damage = f"cannot be read ({error.strerror or error})"
    if damage:
        raise HarnessError(f"baseline {folder.name!r} is damaged: {path} {damage}; restore it, e.g. by git.")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
