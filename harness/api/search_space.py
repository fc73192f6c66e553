"""Ranges and choices that a hyperparameter search may try for a step's parameters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones if both ends are.

    Attributes:
        log: whether the logarithm is spread evenly, as suits a learning rate.
    """

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some values."""

    values: tuple[str | int | float | bool | None, ...]
