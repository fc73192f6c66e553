"""Lines that end with a checksum each, so that a damaged line is told from a sound one."""

from __future__ import annotations

import hashlib
import re

_DIGITS = 16
_SEALED = re.compile(rf"(.*) ([0-9a-f]{{{_DIGITS}}})", re.DOTALL)


def seal(text: str) -> str:
    """Return a text with its checksum behind it."""
    return f"{text} {_digest(text)}"


def unseal(line: str, *, bare: bool = False) -> str | None:
    """Return the text of a line that `seal` wrote; None: it is damaged.

    Args:
        line: without its end.
        bare: take a line without a checksum as it is: files of earlier versions have none.
    """
    match = _SEALED.fullmatch(line)
    if match is None:
        return line if bare else None
    return match[1] if match[2] == _digest(match[1]) else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
