"""Figures of a release besides its scores: name, unit, and the gate limit that each falls under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Aspect = Literal["speed", "memory", "cost"]
Unit = Literal["s", "bytes", "tokens", "usd"]


@dataclass(frozen=True)
class Figure:
    """A quantity that two releases are compared by.

    Attributes:
        name: as in reports and in ``noise.json``.
        aspect: which limit of a gate is for it.
        unit: of its values.
    """

    name: str
    aspect: Aspect
    unit: Unit


LATENCY = Figure("latency", "speed", "s")
ANSWERING_TIME = Figure("answering time", "speed", "s")
ADAPTING_TIME = Figure("adapting time", "speed", "s")
ANSWERING_MEMORY = Figure("memory while answering", "memory", "bytes")
ADAPTING_MEMORY = Figure("memory while adapting", "memory", "bytes")
ANSWERING_GPU_MEMORY = Figure("GPU memory while answering", "memory", "bytes")
ADAPTING_GPU_MEMORY = Figure("GPU memory while adapting", "memory", "bytes")
QUESTION_TOKENS = Figure("tokens a question", "cost", "tokens")

FIGURES: Mapping[str, Figure] = {
    figure.name: figure
    for figure in (
        LATENCY,
        ANSWERING_TIME,
        ADAPTING_TIME,
        ANSWERING_MEMORY,
        ADAPTING_MEMORY,
        ANSWERING_GPU_MEMORY,
        ADAPTING_GPU_MEMORY,
        QUESTION_TOKENS,
    )
}
"""By name."""
