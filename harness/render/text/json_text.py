"""JSON as every report writes it."""

from __future__ import annotations

import json
from typing import Any


def json_text(report: Any) -> str:
    """Write JSON with indents, ending in a newline.

    Raises:
        ValueError: a number is infinite or none: unknown is null.
    """
    return json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
