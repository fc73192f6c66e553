"""Look for a strategy's parameters on the validation split, within a budget that is the same for every strategy."""

from __future__ import annotations

from collections.abc import Sequence

from harness.api import Choice, Range
from harness.chain import Link


def space_of(links: Sequence[Link]) -> dict[str, Range | Choice]:
    """Give what a search may try in a chain, by ``step.parameter``; a step that comes twice is ``step#2``.

    A parameter with another value than its default was set by the user, and stays as it is.
    """
    found: dict[str, Range | Choice] = {}
    for name, link in _named(links):
        for parameter, part in link.step.space.items():
            info = type(link.step).model_fields[parameter]
            if getattr(link.step, parameter) == info.get_default(call_default_factory=True):
                found[f"{name}.{parameter}"] = part
    return found


def _named(links: Sequence[Link]) -> list[tuple[str, Link]]:
    seen: dict[str, int] = {}
    named: list[tuple[str, Link]] = []
    for link in links:
        seen[link.name] = seen.get(link.name, 0) + 1
        named.append((link.name if seen[link.name] == 1 else f"{link.name}#{seen[link.name]}", link))
    return named
