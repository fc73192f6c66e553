"""How far a figure moves from run to run on one machine with nothing changed: what a gate must not mistake for change.

``noise.json`` in a results folder, written by whatever repeats a run and read by the gate::

    {"format_version": 1, "floors": [{
        "machine": {"processor": "...", "cores": 2, "threads": 2, "memory_bytes": 25325268992, "gpu": null},
        "suite": "quickstart", "task": "questions", "strategy": "rag(k=1)", "model": "smollm2-135m-instruct",
        "figures": {"latency": {"mean": 0.41, "sd": 0.012, "n": 5}}
    }]}

Figures are those of `figures.FIGURES`; `sd` is the standard deviation of single runs (n - 1), in the unit of `mean`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, ValidationError

from harness.compare.cost.resource_types import Machine
from harness.errors import HarnessError
from harness.records.measurements import StoredModel

FILE = "noise.json"
FORMAT_VERSION = 1


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


class Noise(StoredModel):
    """All that is known of repeats."""

    format_version: int = FORMAT_VERSION
    floors: tuple[SystemNoise, ...] = ()

    def of(self, machine: Machine, system: tuple[str, str, str, str], figure: str) -> FigureNoise | None:
        """Find a figure of (suite, task, strategy, model) on a machine; the last one where there are several."""
        found = [
            floors.figures[figure]
            for floors in self.floors
            if floors.machine == machine
            and (floors.suite, floors.task, floors.strategy, floors.model) == system
            and figure in floors.figures
        ]
        return found[-1] if found else None


def read_noise(root: Path) -> Noise:
    """Read what a results folder knows of repeats; nothing where it has no such file.

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
