"""Bytes and seconds: how large their units are, and how amounts of them are written."""

from __future__ import annotations

MIB = 1 << 20
GIB = 1 << 30
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
"""Binary units of bytes, each 1024 times the one before."""


def size(value: float) -> str:
    """Write bytes in the binary unit that fits: ``1.7 GiB``, ``512 MiB``."""
    amount = float(round(value))
    for unit in UNITS[:-1]:
        if amount < 1023.5:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 9.95 else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def gib(value: float) -> str:
    """Write bytes in GiB, however many they are: ``0.3 GiB``."""
    return f"{value / GIB:.1f} GiB"


def seconds(value: float) -> str:
    """Write a measured duration: ``0.42 s``, ``34 s``, ``4 min 10 s``, ``2 h 5 min``."""
    if value < 9.95:
        return f"{value:.2g} s" if value < 0.095 else f"{value:.1f} s"
    rounded = round(value)
    if rounded < 60:
        return f"{rounded} s"
    if rounded < 3600:
        return f"{rounded // 60} min {rounded % 60} s"
    return f"{rounded // 3600} h {rounded % 3600 // 60} min"


def rounded_duration(value: float) -> str:
    """Write a duration of which only the size matters, such as the time left: ``4 s``, ``3 min``, ``2 h 5 min``."""
    if value < 90:
        return f"{max(1, round(value))} s"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def decimal_duration(value: float) -> str:
    """Write a forecast, which minutes and seconds would make too exact: ``8 s``, ``3.4 min``, ``2.1 h``."""
    if value < 90:
        return f"{max(1, round(value))} s"
    return f"{value / 60:.1f} min" if value < 5400 else f"{value / 3600:.1f} h"
