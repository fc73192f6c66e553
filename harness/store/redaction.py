"""Leave out the texts of restricted rows: those whose prompt or answer rests on what not everybody may read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REDACTED = "(restricted)"
"""Replaces a text that is left out."""

_TEXTS = ("input", "prompt", "output", "answer", "rejected")
_LISTS = ("references", "choices", "reasoning", "votes")


def redact(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row by column without its texts if it is restricted, and as it is otherwise.

    Ids, scores and counts stay. A missing text stays missing, and a list keeps its length.
    """
    if not row.get("restricted"):
        return dict(row)
    texts = {name: REDACTED for name in _TEXTS if row.get(name)}
    lists = {name: type(row[name])([REDACTED] * len(row[name])) for name in _LISTS if row.get(name)}
    return {**row, **texts, **lists}
