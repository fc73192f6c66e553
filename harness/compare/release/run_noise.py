"""Noise of a figure from run to run, on one machine with nothing changed.

``noise.json`` in a results folder, written by whatever repeats a run and read by the gate::

    {"format_version": 1, "floors": [{
        "machine": {"processor": "...", "cores": 2, "threads": 2, "memory_bytes": 25325268992, "gpu": null},
        "suite": "quickstart", "task": "questions", "strategy": "rag(k=1)", "model": "smollm2-135m-instruct",
        "figures": {"latency": {"mean": 0.41, "sd": 0.012, "n": 5}}
    }]}

Figures are named as in `figures.FIGURES`; `sd` is the standard deviation of single runs (n - 1), in the unit of `mean`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import Field, ValidationError

from harness.compare.cost.resource_types import Machine
from harness.errors import HarnessError
from harness.records.measurements import StoredModel

FILE = "noise.json"
FORMAT_VERSION = 1


class SystemName(NamedTuple):
    """Key of a measured system."""

    suite: str
    task: str
    strategy: str
    model: str


class FigureNoise(StoredModel):
    """One figure of n runs that should have been equal."""

    mean: float = Field(gt=0)
    sd: float = Field(ge=0)
    n: int = Field(ge=2)

    @property
    def relative(self) -> float:
        """Standard deviation as a share of the mean."""
        return self.sd / self.mean


class SystemNoise(StoredModel):
    """The figures of one system on one machine."""

    machine: Machine
    suite: str
    task: str
    strategy: str
    model: str
    figures: Mapping[str, FigureNoise]

    @property
    def system(self) -> SystemName:
        """The system without its machine."""
        return SystemName(self.suite, self.task, self.strategy, self.model)


class Noise(StoredModel):
    """Noise of all systems whose repeats were measured."""

    format_version: int = FORMAT_VERSION
    floors: tuple[SystemNoise, ...] = ()

    def find(self, machine: Machine, system: SystemName, figure: str) -> FigureNoise | None:
        """Find a figure's noise by its name; the last one where there are several."""
        floors = [
            noise.figures[figure]
            for noise in self.floors
            if noise.machine == machine and noise.system == system and figure in noise.figures
        ]
        return floors[-1] if floors else None


def read_noise(root: Path) -> Noise:
    """Read the noise of a results folder; empty where it has no such file.

    Raises:
        HarnessError: the file is damaged.
    """
    path = root / FILE
    try:
        return Noise.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Noise()
    except (OSError, ValueError, ValidationError) as error:
        line = " ".join(str(error).split())[:160]
        raise HarnessError(f"{path} cannot be read ({line}): restore or delete it.") from error


def write_noise(root: Path, noise: Noise) -> Path:
    """Write the file into a results folder and return its path."""
    path = root / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(noise.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    return path
