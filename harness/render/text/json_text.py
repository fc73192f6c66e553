"""JSON as every report writes it."""

from __future__ import annotations

import json
import re
from typing import Any

_UNSAFE = re.compile(r"([\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]|##(?=\w*\[))")
"""Characters that could steer a terminal or turn the direction of a line, and commands of continuous integration."""


def json_text(report: Any) -> str:
    """Write JSON with indents, ending in a newline; what could steer a terminal is escaped, and reads back the same.

    Raises:
        ValueError: a number is infinite or none: unknown is null.
    """
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)
    return "".join(map(_escaped, _UNSAFE.split(text))) + "\n"


def _escaped(part: str) -> str:
    """Escape a character as JSON does."""
    return json.dumps(part)[1:-1].replace("##", r"\u0023#") if _UNSAFE.fullmatch(part) else part
