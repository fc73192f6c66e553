"""Reads the rows and the corpus of a task, from files or by functions of the suite's prepare.py."""

from importlib import import_module
from types import ModuleType
from typing import Any

from harness import errors
from harness.api import Passage
from harness.data import archive, builtin_suites
from harness.data.corpus import from_table, read_corpus
from harness.data.files import resolve_inside
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
        module = _prepare_module(suite)
        rows: Any = _function(module, task.rows)
        tables = _divide(task, from_rows(task.source, rows(read)))
        if task.passages:
            passages: Any = _function(module, task.passages)
            return tables, from_table(from_rows(f"corpus of {task.source}", passages(read)))
        if not task.corpus:
            return tables, ()
    else:
        paths = {"all": task.data} | {name: getattr(task, name) for name in SPLITS}
        tables = {name: read_table(resolve_inside(suite.folder, p, str(suite.file))) for name, p in paths.items() if p}
        tables = _divide(task, tables["all"]) if task.split else tables
    if not task.corpus:
        return tables, ()
    path = resolve_inside(suite.folder, task.corpus, str(suite.file))
    return tables, read_corpus(path, suite.folder, words=suite.config.passage_words)


def _divide(task: TaskConfig, table: TableRows) -> dict[str, TableRows]:
    """Divide a table by the column with the split's name; without such a column, all rows are to be split."""
    if not task.split:
        return {"all": table}
    table.require([task.split])
    parts: dict[str, list[int]] = {name: [] for name in SPLITS}
    for index in range(len(table.rows)):
        name = table.text(index, task.split)
        if name not in parts:
            raise errors.unknown("split", name, SPLITS, where=table.location(index))
        parts[name].append(index)
    for name in ("test",) if task.role == "probe" else ("train", "test"):
        if not parts[name]:
            raise HarnessError(f"no row of {table.name} is of the split {name!r} (column {task.split!r}).")
    return {name: table.select(indices) for name, indices in parts.items() if indices}


def _prepare_module(suite: Suite) -> ModuleType:
    if suite.folder.parent == builtin_suites.FOLDER:
        return builtin_suites.import_prepare(suite.folder.name)
    return import_module(f"{suite.package}.prepare")


def _function(module: ModuleType, name: str) -> Any:
    function = getattr(module, name, None)
    if not callable(function):
        raise errors.unknown(
            "function", name, (n for n in vars(module) if callable(vars(module)[n])), where="prepare.py"
        )
    return function
