"""Text files that a user names: settings, prices, templates. Each is a regular file of a size that is soon read."""

from __future__ import annotations

from pathlib import Path

from harness.errors import HarnessError
from harness.measure.units import MIB, size

MAX_BYTES = 16 * MIB


def read_settings(path: Path) -> str:
    """Read a text file in UTF-8.

    Raises:
        HarnessError: it is a folder, a pipe or a device, whose reading may never end, or of more than `MAX_BYTES`.
        OSError: it cannot be read.
        UnicodeDecodeError: it is in another encoding.
    """
    if path.exists() and (not path.is_file() or path.stat().st_size > MAX_BYTES):
        raise HarnessError(f"{path} is no regular file of up to {size(MAX_BYTES)}.")
    return path.read_text(encoding="utf-8")
