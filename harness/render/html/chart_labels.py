"""Names in a chart: how wide they are, how they are shortened, and where there is room for them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

LONGEST = 26
HEIGHT = 14.0


class Box(NamedTuple):
    """A rectangle, in units of the chart from its lower left."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: Box) -> bool:
        """Whether the two overlap."""
        return not (
            self.right <= other.left or other.right <= self.left or self.top <= other.bottom or other.top <= self.bottom
        )

    def inside(self, room: Box) -> bool:
        """Whether all of it lies in the room."""
        return (
            self.left >= room.left and self.right <= room.right and self.bottom >= room.bottom and self.top <= room.top
        )


def shortened(name: str, most: int = LONGEST) -> str:
    """Cut a long name, which stands in full in the table behind the chart."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def width_of(text: str, size: float = 12) -> float:
    """Estimate how wide a text is in a page's usual fonts, in units."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return size * (0.56 * (len(text) - wide) + wide)


def place_labels(wanted: Sequence[tuple[str, float, float]], taken: Sequence[Box], room: Box) -> list[Box | None]:
    """Find a place beside its point for each label, the first ones first.

    Args:
        wanted: each text with the x and y of its point.
        taken: where no label may lie.
        room: where labels must lie.

    Returns:
        A box for each label; None where there is no room.
    """
    occupied = list(taken)
    found: list[Box | None] = []
    for text, x, y in wanted:
        spot = next((box for box in _around(text, x, y) if box.inside(room) and not _hits(box, occupied)), None)
        if spot:
            occupied.append(spot)
        found.append(spot)
    return found


def spread(centres: Sequence[float], low: float, high: float, gap: float = HEIGHT) -> list[float]:
    """Push rising heights apart until they are `gap` from one another, as near to where they were as can be.

    Args:
        centres: in rising order.
        low: the lowest allowed.
        high: the highest, as far as there is room.
        gap: between two.
    """
    placed = list(centres)
    for _ in range(200):
        moved = False
        for place in range(1, len(placed)):
            if (missing := gap - (placed[place] - placed[place - 1])) > 0.01:
                placed[place - 1] -= missing / 2
                placed[place] += missing / 2
                moved = True
        if placed and (shift := max(0.0, low - placed[0]) - max(0.0, placed[-1] - high)):
            placed = [one + shift for one in placed]
        if not moved:
            break
    return placed


def _around(text: str, x: float, y: float) -> list[Box]:
    width, half = width_of(text, 11), HEIGHT / 2
    lefts = {"right": x + 8, "left": x - 8 - width, "middle": x - width / 2}
    order = [("right", 0), ("left", 0), ("right", 11), ("right", -11), ("left", 11), ("left", -11)]
    order += [("middle", 15), ("middle", -15), ("right", 20), ("right", -20), ("left", 20), ("left", -20)]
    order += [(side, up) for up in (32, -32, 44, -44, 56, -56) for side in ("right", "left")]
    return [Box(lefts[side], y + up - half, lefts[side] + width, y + up + half) for side, up in order]


def _hits(box: Box, occupied: Sequence[Box]) -> bool:
    return any(box.meets(other) for other in occupied)
