"""Reads the rows and the corpus of a task, from files or by functions of the suite's prepare.py."""

from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import Any

from harness import errors
from harness.data import archive, bad_rows, builtin_suites
from harness.data.corpus import Corpus, from_table, read_corpus
from harness.data.files import resolve_inside
from harness.data.schema import TaskConfig
from harness.data.suite import Suite
from harness.data.table_files import read_table
from harness.data.table_rows import RowError, TableRows, from_rows
from harness.errors import HarnessError

SPLITS = ("train", "validation", "test")


def read_task(suite: Suite, task: TaskConfig) -> tuple[dict[str, TableRows], Corpus]:
    """Read a task's tables by split (``all``: to be split) and its corpus.

    Raises:
        HarnessError: a file, a function, a column or a split is missing or unknown.
    """
    if task.source and task.rows:
        read = archive.reader(task.source)
        module = _prepare_module(suite)
        rows: Any = _function(module, task.rows)
        tables = _divide(task, from_rows(task.source, rows(read)), suite.config.max_bad_rows)
        if task.passages:
            passages: Any = _function(module, task.passages)
            return tables, Corpus(from_table(from_rows(f"corpus of {task.source}", passages(read))))
        if not task.corpus:
            return tables, Corpus()
    else:
        paths = {"all": task.data} | {name: getattr(task, name) for name in SPLITS}
        tables = {name: read_table(resolve_inside(suite.folder, p, str(suite.file))) for name, p in paths.items() if p}
        tables = _divide(task, tables["all"], suite.config.max_bad_rows) if task.split else tables
    if not task.corpus:
        return tables, Corpus()
    path = resolve_inside(suite.folder, task.corpus, str(suite.file))
    return tables, read_corpus(path, suite.folder, words=suite.config.passage_words)


def _divide(task: TaskConfig, table: TableRows, max_bad_rows: float) -> dict[str, TableRows]:
    """Divide a table by the column with the split's name; without such a column, all rows are to be split."""
    if not task.split:
        return {"all": table}
    table.require([task.split])
    parts: dict[str, list[int]] = {name: [] for name in SPLITS}
    faults = list(table.faults)
    for index in range(len(table.rows)):
        try:
            name = table.text(index, task.split)
            if name not in parts:
                raise table.error(index, str(errors.unknown("split", name, SPLITS)).removesuffix("."))
            parts[name].append(index)
        except RowError as error:
            faults.append(error.fault)
    notes = (*table.notes, *bad_rows.check(table, faults, max_bad_rows))
    for name in ("test",) if task.role == "probe" else ("train", "test"):
        if not parts[name]:
            raise HarnessError(f"no row of {table.name} is of the split {name!r} (column {task.split!r}).")
    tables = {name: replace(table.select(rows), faults=(), notes=()) for name, rows in parts.items() if rows}
    first = next(iter(tables))
    return tables | {first: replace(tables[first], notes=notes)}


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
