"""Reads what a task names: its rows, from files or by functions of the suite's prepare.py, and its corpus."""

from importlib import import_module
from typing import Any

from harness import errors
from harness.api import Passage
from harness.data import archive
from harness.data.corpus import from_table, read_corpus
from harness.data.files import inside
from harness.data.normalised_text import plain
from harness.data.schema import TaskConfig
from harness.data.suite import Suite
from harness.data.table_files import TableRows, from_rows, read_table
from harness.errors import HarnessError

SPLITS = ("train", "validation", "test")


def read_task(suite: Suite, task: TaskConfig) -> tuple[dict[str, TableRows], tuple[Passage, ...]]:
    """Read a task's tables by split (``all``: to be split) and its corpus.

    Raises:
        HarnessError: a file, a function, a column or a split is missing or unknown.
    """
    if task.source and task.rows:
        read = archive.reader(task.source)
        module = import_module(f"{suite.package}.prepare")
        rows: Any = _function(module, task.rows)
        tables = _divided(task, from_rows(task.source, rows(read)))
        if task.passages:
            passages: Any = _function(module, task.passages)
            return tables, from_table(from_rows(f"corpus of {task.source}", passages(read)))
        if not task.corpus:
            return tables, ()
    else:
        paths = {"all": task.data} | {name: getattr(task, name) for name in SPLITS}
        tables = {name: read_table(inside(suite.folder, p, str(suite.file))) for name, p in paths.items() if p}
        tables = _divided(task, tables["all"]) if task.split else tables
    if not task.corpus:
        return tables, ()
    path = inside(suite.folder, task.corpus, str(suite.file))
    return tables, read_corpus(path, suite.folder, words=suite.config.passage_words)


def _divided(task: TaskConfig, table: TableRows) -> dict[str, TableRows]:
    """Divide a table by the column that says which split a row belongs to; without one: all to be split."""
    if not task.split:
        return {"all": table}
    table.require([task.split])
    parts: dict[str, list[int]] = {name: [] for name in SPLITS}
    for index, row in enumerate(table.rows):
        name = plain(row[task.split])
        if name not in parts:
            raise errors.unknown("split", name, SPLITS, where=table.place(index))
        parts[name].append(index)
    for name in ("test",) if task.role == "probe" else ("train", "test"):
        if not parts[name]:
            raise HarnessError(f"no row of {table.name} is of the split {name!r} (column {task.split!r}).")
    return {name: table.only(chosen) for name, chosen in parts.items() if chosen}


def _function(module: Any, name: str) -> Any:
    found = getattr(module, name, None)
    if not callable(found):
        raise errors.unknown(
            "function", name, (n for n in vars(module) if callable(vars(module)[n])), where="prepare.py"
        )
    return found
