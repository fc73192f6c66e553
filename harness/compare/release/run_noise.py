"""Noise of a figure from run to run, on one machine with nothing changed.

``noise.json`` in a results folder, written by whatever repeats a run and read by the gate::

    {"format_version": 1, "floors": [{
        "machine": {"processor": "...", "cores": 2, "threads": 2, "memory_bytes": 25325268992, "gpu": null},
        "suite": "quickstart", "task": "questions", "strategy": "rag(k=1)", "model": "smollm2-135m-instruct",
        "figures": {"latency": {"mean": 0.41, "sd": 0.012, "n": 5}}
    }]}

Figures are named as in `figures.FIGURES`; `sd` is the standard deviation of single runs (n - 1), in the unit of `mean`.
Beside them, ``pairs`` has the figures of a baseline's and a candidate's runs that were made in turn.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import Field, ValidationError

from harness.compare.cost.resource_types import Machine
from harness.errors import HarnessError
from harness.records.measurements import StoredModel
from harness.records.record import Completed

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


class SystemSource(StoredModel):
    """A system and the code that ran it: runs of another system or by other code say nothing of it.

    Attributes:
        system: sha256 over what it is made from and asked.
        commit: of the harness, where it is known; packages: versions.
    """

    system: str
    commit: str | None
    packages: Mapping[str, str]

    @classmethod
    def of(cls, record: Completed) -> SystemSource:
        """Source of a record, whatever was measured besides."""
        trial, environment = record.trial, record.environment
        parts = [trial.suite, trial.task, trial.label, trial.steps, trial.train_items, record.protocol]
        parts += [record.tasks[0].data_hash, record.model.identity or record.model.hash]
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        return cls(system=digest, commit=environment.git_commit, packages=environment.packages)


class PairedRuns(StoredModel):
    """Runs of a baseline and of a candidate, made in turn on one machine.

    Attributes:
        strategy, model: of the candidate.
        before: the baseline's system; after: the candidate's.
        figures: by name, the baseline's and the candidate's of each round.
    """

    machine: Machine
    suite: str
    task: str
    strategy: str
    model: str
    before: SystemSource
    after: SystemSource
    figures: Mapping[str, tuple[tuple[float, float], ...]]


class Noise(StoredModel):
    """Noise of all systems whose repeats were measured, and runs of two releases in turn."""

    format_version: int = FORMAT_VERSION
    floors: tuple[SystemNoise, ...] = ()
    pairs: tuple[PairedRuns, ...] = ()

    def find_pairs(self, before: Sequence[Completed], after: Sequence[Completed]) -> PairedRuns | None:
        """Find the runs in turn of a baseline's and a candidate's trials; the last ones where there are several."""
        sources = [[SystemSource.of(record) for record in records] for records in (before, after)]
        pairs = [runs for runs in self.pairs if runs.before in sources[0] and runs.after in sources[1]]
        return pairs[-1] if pairs else None

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
