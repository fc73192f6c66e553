"""Cells that hold several labels: lists, lists as JSON, or labels with a separator between."""

import json
from collections.abc import Iterator

from harness.data.cells import cell_at
from harness.data.schema import TaskConfig
from harness.data.table_rows import RowError, TableRows


def cell_labels(table: TableRows, index: int, task: TaskConfig) -> list[str] | None:
    """Return the labels of a row, in the order of the cell, each once; None: the cell is missing or empty.

    An empty list is a row to which no label applies.

    Raises:
        RowError: the cell is neither a list nor a text.
    """
    cell = cell_at(table.rows[index], task.reference)
    if isinstance(cell, tuple):
        cell = list(cell)
    if not isinstance(cell, list):
        text = table.text(index, task.reference)
        if not text:
            return None
        cell = _parts(text, task.separator)
    parts = (part.strip() for part in table.part_texts(index, task.reference, cell))
    return list(dict.fromkeys(filter(None, parts)))


def label_values(table: TableRows, task: TaskConfig) -> Iterator[str]:
    """Yield every label that occurs in a table; rows without readable labels are left out."""
    for index in range(len(table.rows)):
        try:
            yield from cell_labels(table, index, task) or ()
        except RowError:
            continue


def _parts(text: str, separator: str) -> list[object]:
    if separator:
        return list(text.split(separator))
    if text.startswith("[") and text.endswith("]"):
        try:
            return list(json.loads(text))
        except ValueError:
            return [text]
    return [text]
