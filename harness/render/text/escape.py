"""Escaping of foreign text: names, reasons and warnings may hold anything that a model or a file wrote."""

from __future__ import annotations

import re
import unicodedata

_ANYWHERE = str.maketrans({c: f"\\{c}" for c in "\\`*<>|~"} | {"&": "&amp;"})
_LINK = re.compile(r"\](?=[(\[:])")
_EMPHASIS = re.compile(r"(?<!\w)_|_(?!\w)")


def plain(text: str | None) -> str:
    """One line without control, direction or surrogate characters, which could steer a terminal; spaces joined."""
    line = "".join(" " if c.isspace() else c for c in text or "" if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(line.split())


def markdown(text: str) -> str:
    """A line that Markdown and HTML show as it is; what stands between backticks becomes code."""
    line = plain(text)
    parts = line.split("`")
    if len(parts) % 2 == 0:
        return _no_block(_literal(line))
    return _no_block("".join(f"`{part}`" if index % 2 and part else _literal(part) for index, part in enumerate(parts)))


def cell(text: str) -> str:
    """Text for a cell of a Markdown table, which no character of it can leave."""
    return _literal(plain(text))


def spreadsheet(text: str) -> str:
    """Text that a spreadsheet takes for text: what would begin a formula gets an apostrophe in front."""
    line = plain(text)
    return f"'{line}" if line[:1] in ("=", "+", "-", "@") else line


def _literal(text: str) -> str:
    return _EMPHASIS.sub(r"\_", _LINK.sub(r"\]", text.translate(_ANYWHERE)))


def _no_block(line: str) -> str:
    """Keep a line from beginning a block of its own, by a backslash before the mark."""
    if match := re.match(r"\d+(?=[.)]\s)", line):
        return f"{match[0]}\\{line[match.end() :]}"
    return f"\\{line}" if line[:1] in tuple("#+=-") else line
