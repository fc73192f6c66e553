"""Escaping of foreign text: names, reasons and warnings may hold anything that a model or a file wrote."""

from __future__ import annotations

import re
import unicodedata

_ANYWHERE = str.maketrans({c: f"\\{c}" for c in "\\`*<>|~"} | {"&": "&amp;"})
_LINK = re.compile(r"\](?=[(\[:])")
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that steer a terminal or turn the direction of a line, and halves of characters."""
_CI_COMMAND = re.compile(r"(?m)#(?=#\w*\[)|^([ \t]*):(?=:)")
"""Commands of continuous integration: ``::set-env`` at the start of a line, ``##[error]`` anywhere."""
_EMPHASIS = re.compile(r"(?<!\w)_|_(?!\w)")


def neutral(text: str) -> str:
    """Text of any number of lines that steers neither a terminal nor continuous integration.

    Characters that could are replaced by ``�``; commands are parted by a space: ``: :set-env``, ``# #[error]``.
    """
    if text.isprintable() and "::" not in text and "##" not in text:
        return text
    return _CI_COMMAND.sub(lambda match: f"{match[0]} ", _STEERING.sub("�", text))


def plain(text: str | None) -> str:
    """One line that is `neutral`, without invisible characters; spaces joined."""
    line = neutral(" ".join((text or "").split()))
    return line if line.isprintable() else "".join(c for c in line if unicodedata.category(c)[0] != "C")


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
