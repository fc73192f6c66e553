"""Entry points of other packages, by group and name."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points


def plugin_points(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    """Return the entry points of a group by name; a name with several is ambiguous, which is the caller's to refuse."""
    points: dict[str, tuple[EntryPoint, ...]] = {}
    for point in entry_points(group=group):
        if point not in points.get(point.name, ()):  # an editable install can list its package twice
            points[point.name] = (*points.get(point.name, ()), point)
    return points


def point_origin(point: EntryPoint) -> str:
    """Write where an entry point leads and which package brings it: ``mine.steps:Mine (package mine)``."""
    package = f" (package {point.dist.name})" if point.dist else ""
    return f"{point.value}{package}"
