"""Hyperparameters of a chain that a search may try, each with its range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.api import Choice, Range
from harness.plan.chain import Link

Space = Mapping[str, Range | Choice]
"""Ranges by ``step.parameter``."""


def space_of(links: Sequence[Link]) -> dict[str, Range | Choice]:
    """Give what a search may try in a chain, by ``step.parameter``; a step that comes twice is ``step#2``.

    A parameter with another value than its default was set by the user, and stays as it is.
    """
    space: dict[str, Range | Choice] = {}
    for name, link in zip(step_names([link.name for link in links]), links, strict=True):
        for parameter, part in link.step.space.items():
            info = type(link.step).model_fields[parameter]
            if getattr(link.step, parameter) == info.get_default(call_default_factory=True):
                space[f"{name}.{parameter}"] = part
    return space


def step_names(steps: Sequence[str]) -> list[str]:
    """Name each step of a chain once: the second ``lora`` is ``lora#2``."""
    return [
        name if (before := steps[:index].count(name)) == 0 else f"{name}#{before + 1}"
        for index, name in enumerate(steps)
    ]
