"""Cells of a table as text: what is missing, what has a text, and what holds several."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")
_EXACT = 1e16
"""Floats up to here are written as whole numbers where they are."""


def cell_text(cell: object) -> str:
    """Return a cell as text.

    A missing cell (None, NaN, NaT) is empty; true and false are lower-case, as in JSON; 1.0 is 1, as whole numbers
    become floats in a column with gaps; bytes are UTF-8.

    Raises:
        ValueError: the cell is a list, an object or other bytes: says what it holds, for a sentence with its place.
    """
    if cell is None or cell != cell:  # noqa: PLR0124 - NaN and NaT are unlike themselves
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _EXACT:
        return str(int(cell))
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    if isinstance(cell, bytes):
        return _decoded(cell)
    if isinstance(cell, dict | list | tuple):
        raise ValueError(_contents(cell))  # noqa: TRY004 # pyright: ignore[reportUnknownArgumentType] - what a file holds
    return whole_text(str(cell)).strip()


def whole_text(text: str) -> str:
    """Return a text in which halves of characters (lone surrogates, as of a cut emoji in JSON) are U+FFFD."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def cell_at(row: Mapping[str, Any], column: str) -> Any:
    """Return the cell of a column, or what a path such as ``answers.text`` or ``turns.-1.content`` leads to within one.

    A column of that very name comes first. A key that is not there is None; -1 is the last of a list.
    """
    if column in row or "." not in column:
        return row.get(column)
    name, _, path = column.partition(".")
    cell = row.get(name)
    for key in path.split("."):
        if isinstance(cell, dict):
            cell = cell.get(key)
        elif isinstance(cell, list | tuple) and key.removeprefix("-").isdecimal():
            index = int(key)
            cell = cell[index] if -len(cell) <= index < len(cell) else None
        else:
            return None
    return cell


def paths_within(column: str, cell: object) -> Iterator[str]:
    """Yield the paths that lead into a cell, one level deep."""
    keys = cell if isinstance(cell, dict) else range(min(len(cell), 3)) if isinstance(cell, list) else ()
    for key in keys:
        yield f"{column}.{key}"


def _decoded(content: bytes) -> str:
    try:
        return content.decode().strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"{len(content)} bytes that are no UTF-8 text") from error


def _contents(cell: dict[Any, Any] | list[Any] | tuple[Any, ...]) -> str:
    if isinstance(cell, dict):
        return f"an object with the keys {', '.join(map(repr, list(cell)[:6]))}{', …' if len(cell) > 6 else ''}"
    return f"a list of {len(cell)}"
