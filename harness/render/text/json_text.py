"""JSON as every report writes it."""

from __future__ import annotations

import json
import re
from typing import Any

_STEERING = re.compile(r"[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]|#(?=#\w*\[)")
"""Characters that could steer a terminal or turn the direction of a line, and commands of continuous integration."""


def json_text(report: Any) -> str:
    """Write JSON with indents, ending in a newline; what could steer a terminal is escaped, and reads back the same.

    Raises:
        ValueError: a number is infinite or none: unknown is null.
    """
    return escape_steering(json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)) + "\n"


def escape_steering(text: str) -> str:
    """Escape what could steer a terminal or continuous integration in JSON, which reads back the same."""
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
