"""Paths below the user's home folder as ``~/…``: what is stored and passed on names no user."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any


def without_home(part: Any) -> Any:
    """Write the home folder as ``~`` in every text of a JSON value; `Path.expanduser` reads it back."""
    if isinstance(part, str):
        home = _home_folder(str(Path("~").expanduser()))
        return home.sub("~", part) if home else part
    if isinstance(part, dict):
        return {name: without_home(element) for name, element in part.items()}
    if isinstance(part, list | tuple):
        return type(part)(without_home(element) for element in part)
    return part


@cache
def _home_folder(path: str) -> re.Pattern[str] | None:
    """Match a home folder where a path begins with it; None: there is none, or it is the root."""
    if path == "~" or Path(path).parent == Path(path):
        return None
    return re.compile(rf"(?<![\w.~-]){re.escape(path)}(?![\w.-])")
