"""A sheet of answers for people to label: a random sample of items, the same for all systems, which are not named."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.errors import HarnessError
from harness.judge.judgements import Labels, answer_key, answer_text
from harness.judge.judging import JudgedTask

COLUMNS = ("key", "question", "reference", "answer", "label")
_LABELS: Mapping[str, int] = {"1": 1, "pass": 1, "yes": 1, "0": 0, "fail": 0, "no": 0}


def draw_items(task: JudgedTask, count: int, seed: int) -> tuple[str, ...]:
    """Draw a simple random sample of the items that every system answered."""
    common = set.intersection(*({row.id for row in rows} for rows in task.rows.values()))
    return tuple(random.Random(seed).sample(sorted(common), min(count, len(common))))


def write_sheet(
    task: JudgedTask, items: Sequence[str], path: Path, seed: int = 0, *, as_text: Callable[[str], str]
) -> int:
    """Write the answers to these items in a random order, equal answers to one item once; return how many.

    Args:
        task: judged; its answers are whatever a model wrote.
        items: ids.
        path: of the new file.
        seed: of the order.
        as_text: makes a text one that a spreadsheet takes for no formula.

    Raises:
        HarnessError: the file is there already, or cannot be written.
    """
    rows = {answer_key(row): row for system in task.rows.values() for row in system if row.id in set(items)}
    keys = sorted(rows)
    random.Random(seed).shuffle(keys)
    try:
        with path.open("x", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for key in keys:
                row = rows[key]
                writer.writerow([key, *map(as_text, (row.input, row.references[0], answer_text(row))), ""])
    except FileExistsError:
        raise HarnessError(f"{path} is there already: read it with --read, or name another file.") from None
    except OSError as error:
        raise HarnessError(f"{path} cannot be written ({error.strerror or error}): free or change it.") from error
    return len(keys)


def read_sheet(task: JudgedTask, path: Path) -> Labels:
    """Read a sheet back; rows without a label are left out.

    Raises:
        HarnessError: the file cannot be read, or a row is not of this task's answers or has no such label.
    """
    rows = {answer_key(row): row for system in task.rows.values() for row in system}
    labels: dict[str, int] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            sheet = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise HarnessError(f"{path} cannot be read ({error}).") from error
    for number, line in enumerate(sheet, 2):
        key, text = line.get("key") or "", (line.get("label") or "").strip().lower()
        if key not in rows:
            raise HarnessError(f"{path}, line {number}: {key!r} is no answer of task {task.task!r} in these results.")
        if text and text not in _LABELS:
            raise HarnessError(f"{path}, line {number}: write 1 (passes) or 0 (does not) as its label, not {text!r}.")
        if text:
            labels[key] = _LABELS[text]
    if not labels:
        raise HarnessError(f"{path} has no labels: write 1 or 0 into its last column.")
    items = tuple(dict.fromkeys(rows[key].id for key in labels))
    return Labels(suite=task.suite, task=task.task, items=items, labels=labels)
