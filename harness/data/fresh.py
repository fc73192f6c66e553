"""Fresh items: a file whose rows replace a task's test items; training material and corpus stay the same."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.api import Example
from harness.data.examples import EvidenceIndex, Pool, to_pool
from harness.data.schema import TaskConfig
from harness.data.splits import stratified_order
from harness.data.suite import Suite
from harness.data.table_files import read_table
from harness.errors import HarnessError

FOLDER = ".fresh"
"""Sub-folder of a results folder for results on fresh items, one folder for each file; no other report reads them."""
HINT = "write --split fresh=FILE, or --split TASK.fresh=FILE"
OPTIONAL = ("id", "cluster", "evidence")
"""Columns that a file of fresh items may lack though the suite names them."""


@dataclass(frozen=True)
class FreshItems:
    """A file of fresh items for one task.

    Attributes:
        file: absolute.
        digest: sha256 of its bytes.
    """

    task: str
    file: Path
    digest: str

    @property
    def label(self) -> str:
        """Name in records: the file's name and the start of its hash."""
        return f"{self.file.name} (sha256 {self.digest[:12]})"

    def folder(self, results: Path) -> Path:
        """Return the folder for its results within a results folder."""
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", self.file.stem).strip("-")[:40] or "items"
        return results / FOLDER / f"{stem}-{self.digest[:8]}"


def parse_split(suite: Suite, split_option: str, tasks: Sequence[str] = ()) -> FreshItems:
    """Read the option ``--split``.

    Args:
        suite: whose task it is for.
        split_option: ``fresh=FILE``, or ``TASK.fresh=FILE`` where the task is not clear otherwise.
        tasks: those of the run; empty: the suite's targets.

    Raises:
        HarnessError: it says something else, the task is unknown or not clear, or the file cannot be read.
    """
    split, _, file = split_option.partition("=")
    task_name, _, kind = split.strip().rpartition(".")
    if kind != "fresh" or not file.strip():
        raise HarnessError(f"--split {split_option!r} names no file of fresh items: {HINT}.")
    task_names = list(tasks) or [task.name for task in suite.targets]
    if task_name and tasks and task_name not in tasks:
        raise HarnessError(
            f"--split {split_option!r} is for task {task_name!r}, but --task names {', '.join(tasks)}: keep one."
        )
    if not task_name and len(task_names) != 1:
        raise HarnessError(
            f"--split {split_option!r} is for one task, but there are {', '.join(task_names)}: {HINT}, such as "
            f"--split {task_names[0]}.fresh={file.strip()}."
        )
    task, path = suite.task(task_name or task_names[0]), Path(file.strip()).expanduser().absolute()
    try:
        return FreshItems(task.name, path, hashlib.sha256(path.read_bytes()).hexdigest())
    except OSError as error:
        raise HarnessError(f"{path} can't be read ({error.strerror or error}).") from error


def read(file: Path, task: TaskConfig, labels: Mapping[str, str], evidence: EvidenceIndex, max_bad_rows: float) -> Pool:
    """Read fresh items, in an order of which every prefix is about stratified; their ids begin with ``fresh/``.

    Args:
        file: a table, with the columns that the suite names for the task. Those of ids, clusters
            and evidence may be missing, which is noted.
        task: says which column is what.
        labels: value in the file → label, as the suite's own items have them.
        evidence: what the evidence column may name → passage ids.
        max_bad_rows: share of its rows that may be left out as unusable.

    Raises:
        HarnessError: it cannot be read, a column is missing, or too many rows cannot be used.
    """
    table = read_table(file)
    missing = [kind for kind in OPTIONAL if getattr(task, kind) and not table.has(getattr(task, kind))]
    readable = task.model_copy(update={"split": None, **dict.fromkeys(missing)})
    pool = to_pool(table, readable, labels, evidence, drop=True, max_bad_rows=max_bad_rows)
    if not pool.examples:
        raise HarnessError(f"{file} has no row with an input and a reference.")
    examples = stratified_order(pool.examples, seed=task.split_seed, stratify=task.kind == "classification")
    notes = [f"{file.name} has no column {getattr(task, kind)!r}: {_effect_of_missing(kind)}." for kind in missing]
    return Pool(tuple(map(_with_fresh_id, examples)), (*pool.warnings, *notes))


def _with_fresh_id(example: Example) -> Example:
    return replace(example, query=replace(example.query, id=f"fresh/{example.query.id}"))


def _effect_of_missing(kind: str) -> str:
    if kind == "id":
        return "its items are called by file and line"
    return "its items count as independent" if kind == "cluster" else "how well passages are found is not scored"
