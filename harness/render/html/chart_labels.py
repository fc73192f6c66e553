"""Labels in a chart: width, shortening, and placement without overlap."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

MAX_NAME_LENGTH = 26
NAME_HEIGHT = 14.0


class Box(NamedTuple):
    """A rectangle, in units of the chart from its lower left."""

    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: Box) -> bool:
        """True where the two overlap."""
        return not (
            self.right <= other.left or other.right <= self.left or self.top <= other.bottom or other.top <= self.bottom
        )

    def inside(self, frame: Box) -> bool:
        """True where all of it lies in the frame."""
        return (
            self.left >= frame.left
            and self.right <= frame.right
            and self.bottom >= frame.bottom
            and self.top <= frame.top
        )


def shorten(name: str, max_length: int = MAX_NAME_LENGTH) -> str:
    """Cut a long name; the table behind the chart has it in full."""
    return name if len(name) <= max_length else f"{name[: max_length - 1]}…"


def text_width(text: str, size: float = 12) -> float:
    """Estimate the width of a text in common page fonts, in units."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return size * (0.56 * (len(text) - wide) + wide)


def place_labels(labels: Sequence[tuple[str, float, float]], obstacles: Sequence[Box], frame: Box) -> list[Box | None]:
    """Place each label beside its point, in order of priority.

    Args:
        labels: each text with the x and y of its point.
        obstacles: where no label may lie.
        frame: where labels must lie.

    Returns:
        A box for each label; None where none fits.
    """
    occupied = list(obstacles)
    boxes: list[Box | None] = []
    for text, x, y in labels:
        position = next(
            (box for box in _candidate_boxes(text, x, y) if box.inside(frame) and not _overlaps_any(box, occupied)),
            None,
        )
        if position:
            occupied.append(position)
        boxes.append(position)
    return boxes


def spread(centres: Sequence[float], low: float, high: float, gap: float = NAME_HEIGHT) -> list[float]:
    """Push rising heights apart until they are `gap` from one another, moving each as little as possible.

    Args:
        centres: in rising order.
        low: the lowest allowed.
        high: the highest, exceeded where they do not fit.
        gap: the least distance between two.
    """
    heights = list(centres)
    for _ in range(200):
        overlap = False
        for index in range(1, len(heights)):
            if (missing := gap - (heights[index] - heights[index - 1])) > 0.01:
                heights[index - 1] -= missing / 2
                heights[index] += missing / 2
                overlap = True
        if heights and (shift := max(0.0, low - heights[0]) - max(0.0, heights[-1] - high)):
            heights = [height + shift for height in heights]
        if not overlap:
            break
    return heights


def _candidate_boxes(text: str, x: float, y: float) -> list[Box]:
    width, half = text_width(text, 11), NAME_HEIGHT / 2
    lefts = {"right": x + 8, "left": x - 8 - width, "middle": x - width / 2}
    order = [("right", 0), ("left", 0), ("right", 11), ("right", -11), ("left", 11), ("left", -11)]
    order += [("middle", 15), ("middle", -15), ("right", 20), ("right", -20), ("left", 20), ("left", -20)]
    order += [(side, up) for up in (32, -32, 44, -44, 56, -56) for side in ("right", "left")]
    return [Box(lefts[side], y + up - half, lefts[side] + width, y + up + half) for side, up in order]


def _overlaps_any(box: Box, occupied: Sequence[Box]) -> bool:
    return any(box.overlaps(other) for other in occupied)
