"""Runs of a baseline and of a candidate in turn, each in a process of its own, so that both meet the same hours."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from harness.cli.commands import REPEATS, plan
from harness.compare.release.pairing import MeasuredSystem, MeasuredTrial, group_systems, read_measured
from harness.compare.release.repeats import pair_runs
from harness.compare.release.run_noise import PairedRuns, SystemSource, read_noise, write_noise
from harness.data import cache
from harness.errors import HarnessError
from harness.measure.child_process import run_harness
from harness.models import registry
from harness.plan.config import RunConfig
from harness.records.planned_trial import PlannedTrial
from harness.records.record import Failed, Trial
from harness.store.baselines import Baseline
from harness.store.results_store import Store


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a trial, and the interpreter of its release."""

    name: str
    python: str
    trial: Trial


def repeat_against(
    config: RunConfig, baseline: Baseline, python: Path | None, times: int, console: Console
) -> tuple[list[PairedRuns], Path]:
    """Run each trial and its baseline in turn, every run from scratch, and store both figures of each round.

    Which of the two runs first alternates. Finished runs are kept until all are done, so that the same command goes on
    after an interruption.

    Args:
        config: of the candidate; of several seeds the lowest is run.
        baseline: has a system of the same task and strategy for each trial.
        python: interpreter of the baseline's release; None: this one.
        times: rounds, 2 or more.
        console: shows the progress.

    Returns:
        The runs, and the file that they were added to.

    Raises:
        HarnessError: the baseline's model is gone, it was measured by other code than `python` has, it has none of the
            trials, or a run failed.
    """
    if times < 2:
        raise HarnessError(f"--times {times}: at least two rounds are needed to see how far they differ.")
    planned = [trial for trial in plan(config, console).plan.trials if not trial.skip]
    pairs = _pair(planned, group_systems(read_measured(baseline.trials)), baseline.name)
    for _, old in pairs:
        _require_model(old.records[0].trial, baseline.name, python)
    root, noise, measured = config.results / REPEATS / "pairs", read_noise(config.results), list[PairedRuns]()
    for number, (new, old) in enumerate(pairs, 1):
        sides = (
            Side("baseline", str(python or sys.executable), old.records[0].trial),
            Side("candidate", sys.executable, new.trial),
        )
        rounds: list[tuple[MeasuredTrial, MeasuredTrial]] = []
        for turn in range(1, times + 1):
            console.print(f"round {turn} of {times}: {new.trial.task} · {new.trial.label}", style="dim", markup=False)
            folder = root / f"{number}-{new.trial.key[:8]}" / str(turn)
            runs = {side.name: _run(side, config, folder / side.name) for side in sides[:: 1 if turn % 2 else -1]}
            rounds.append((runs["baseline"], runs["candidate"]))
            require_same(rounds[-1][0], old, baseline.name)
        noise = pair_runs(rounds, noise)
        measured.append(noise.pairs[-1])
    path = write_noise(config.results, noise)
    shutil.rmtree(root)
    return measured, path


def _pair(
    planned: Sequence[PlannedTrial], systems: Sequence[MeasuredSystem], baseline: str
) -> list[tuple[PlannedTrial, MeasuredSystem]]:
    """Find the baseline's system for each trial, with the same model or with its only one; the lowest seed of each."""
    pairs: dict[tuple[str, str, str], tuple[PlannedTrial, MeasuredSystem]] = {}
    for trial in sorted(planned, key=lambda planned_trial: planned_trial.trial.seed):
        name = (trial.trial.task, trial.trial.label, trial.trial.train_items)
        rivals = [system for system in systems if (system.task, system.strategy, system.train_items) == name]
        same = [system for system in rivals if system.model == trial.trial.model]
        matches = same or (rivals if len(rivals) == 1 else [])
        if matches:
            pairs.setdefault((trial.trial.task, trial.trial.label, trial.trial.model), (trial, matches[0]))
    if not pairs:
        names = ", ".join(f"{system.name} ({system.model})" for system in systems)
        raise HarnessError(f"baseline {baseline!r} has none of these trials: name some of {names}.")
    return list(pairs.values())


def _require_model(trial: Trial, baseline: str, python: Path | None) -> None:
    try:
        if python is None:
            registry.identify(trial.model)
    except HarnessError as error:
        raise HarnessError(
            f"the model of baseline {baseline!r} is gone ({str(error).rstrip('.')}): restore it, or set a new baseline."
        ) from error


def require_same(run: MeasuredTrial, old: MeasuredSystem, baseline: str) -> None:
    """Refuse a run that is not what the baseline holds: its seconds would be another system's."""
    record, stored = run.record, old.records[0]
    now, then = SystemSource.of(record), SystemSource.of(stored)
    if now == then:
        return
    packages = {*now.packages, *then.packages}
    differs = [
        f"{name} {then.packages.get(name, 'none')} → {now.packages.get(name, 'none')}"
        for name in sorted(packages)
        if now.packages.get(name) != then.packages.get(name)
    ]
    if now.commit != then.commit:
        differs.append(f"commit {(then.commit or 'unknown')[:8]} → {(now.commit or 'unknown')[:8]}")
    if now.system != then.system:
        differs.append("data, model, limits or parameters")
    raise HarnessError(
        f"baseline {baseline!r} cannot be run again as it was measured ({'; '.join(differs[:3])}): name the Python of "
        "its release by --baseline-python, or set a new baseline."
    )


def _run(side: Side, config: RunConfig, folder: Path) -> MeasuredTrial:
    """Run one trial in a process of its own, unless an interrupted command has run it, and read it back."""
    store = Store(folder)
    if not read_measured(store.load(side.trial.suite)):
        folder.mkdir(parents=True, exist_ok=True)
        settings = folder / "run.toml"
        settings.write_text(_toml(side.trial, config, folder), encoding="utf-8")
        with _cache_without_artifacts() as cache_folder:
            environment = {"HARNESS_CACHE": str(cache_folder), "HARNESS_FORECAST": "off"}
            process = run_harness(side.python, ["run", "--config", settings], environment=environment)
        if process.returncode:
            failed = [stored.record.reason for stored in store.load() if isinstance(stored.record, Failed)]
            lines = [*process.stderr.strip().splitlines(), *failed] or ["no message"]
            message = lines[-1].removeprefix("error: ")
            raise HarnessError(f"a run of the {side.name} ({side.trial.strategy}) failed: {message}")
    return read_measured(store.load(side.trial.suite))[0]


def _toml(trial: Trial, config: RunConfig, folder: Path) -> str:
    """Write the settings of one trial; JSON's numbers, texts and lists are TOML's too."""
    limits = {name: size for name, size in config.limits.model_dump().items() if size is not None}
    settings = {
        "suite": config.suite,
        "strategies": [trial.strategy],
        "models": [trial.model],
        "tasks": [trial.task],
        "seeds": [trial.seed],
        "results": str(folder.absolute()),
        "requests": config.measurement.requests,
        "check_items": 0,
        "seen_items": 0,
        **({"threads": config.threads} if config.threads else {}),
        **({"train_sizes": [trial.train_items]} if trial.train_items else {}),
        **({"answers": trial.answers} if trial.answers else {}),
        **({"budget": f"{trial.budget.unit}={trial.budget.amount}"} if trial.budget else {}),
    }
    lines = [f"{name} = {json.dumps(setting, ensure_ascii=False)}" for name, setting in settings.items()]
    return "\n".join([*lines, "[limits]", *(f"{name} = {size}" for name, size in limits.items())]) + "\n"


@contextmanager
def _cache_without_artifacts() -> Generator[Path]:
    """Give a view of the cache without artifacts of trials, so that every run makes its own."""
    with TemporaryDirectory(dir=cache.folder(), prefix=".repeat-") as name:
        for entry in cache.folder().iterdir():
            if not entry.name.startswith((".repeat-", "artifacts")):
                (Path(name) / entry.name).symlink_to(entry)
        yield Path(name)
