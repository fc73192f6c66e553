"""Bytes and seconds are written by one module, each way as its examples show."""

import re
from pathlib import Path

import pytest

from harness.measure.units import (
    GIB,
    MIB,
    decimal_duration,
    gib,
    rounded_duration,
    seconds,
    size,
)

HARNESS = Path(__file__).parents[2] / "harness"


@pytest.mark.parametrize(
    ("write", "amount", "text"),
    [
        (size, 1023, "1023 B"),
        (size, 1024, "1.0 KiB"),
        (size, 512 * MIB, "512 MiB"),
        (size, 1.7 * GIB, "1.7 GiB"),
        (size, 5000 * GIB, "4.9 TiB"),
        (size, 1075.4, "1.0 KiB"),  # whole bytes first
        (gib, 300 * MIB, "0.3 GiB"),
        (seconds, 0.0421, "0.042 s"),
        (seconds, 3.42, "3.4 s"),
        (seconds, 34.4, "34 s"),
        (seconds, 250, "4 min 10 s"),
        (seconds, 7500, "2 h 5 min"),
        (rounded_duration, 0.2, "1 s"),
        (rounded_duration, 89, "89 s"),
        (rounded_duration, 90, "2 min"),
        (rounded_duration, 3600, "60 min"),
        (rounded_duration, 7500, "2 h 5 min"),
        (decimal_duration, 0.2, "1 s"),
        (decimal_duration, 204, "3.4 min"),
        (decimal_duration, 7560, "2.1 h"),
    ],
)
def test_amounts_are_written_as_documented(write, amount, text):
    assert write(amount) == text


def test_no_other_module_has_a_gib_or_minutes_of_its_own():
    code = {path: path.read_text(encoding="utf-8") for path in HARNESS.rglob("*.py") if path.stem != "units"}
    pattern = re.compile(r"1 ?<< ?30|1024(\.0)? ?\*\* ?3|\b2(\.0)? ?\*\* ?3[01]\b|/ ?60\b[^\n]* (min|h)\b")
    assert not [path.name for path, text in code.items() if pattern.search(text)]
