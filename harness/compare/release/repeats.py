"""Noise of each figure over repeats of the same trials, which a gate must not mistake for a change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from harness.compare.cost.resources import machine
from harness.compare.release.pairing import MeasuredTrial
from harness.compare.release.resource_ratios import run_figures
from harness.compare.release.run_noise import FigureNoise, Noise, PairedRuns, SystemName, SystemNoise, SystemSource


@dataclass(frozen=True)
class RepeatSummary:
    """Summary of repeats.

    Attributes:
        noise: of their systems, and the earlier one of other systems.
        same_answers: answers of later runs that equal those of the first; answers: all of later runs.
    """

    suite: str
    noise: Noise
    same_answers: int
    answers: int


def summarise_repeats(suite: str, runs: Sequence[Sequence[MeasuredTrial]], earlier: Noise) -> RepeatSummary:
    """Compare repeats of the same trials.

    Args:
        suite: its name.
        runs: the finished trials of each run.
        earlier: noise from earlier repeats.
    """
    return RepeatSummary(suite, measure_noise(runs, earlier), *count_same_answers(runs))


def measure_noise(runs: Sequence[Sequence[MeasuredTrial]], earlier: Noise) -> Noise:
    """Measure the noise of each system; it replaces the earlier one of the same system and machine.

    Args:
        runs: repeats of the same trials; a run holds those that finished.
        earlier: from earlier repeats.
    """
    by_trial: dict[tuple[SystemName, int], list[MeasuredTrial]] = {}
    for run in runs:
        for measured in run:
            trial = measured.record.trial
            name = SystemName(trial.suite, trial.task, trial.strategy, trial.model)
            by_trial.setdefault((name, trial.seed), []).append(measured)
    by_system = {
        (noise.machine, noise.system): noise for repeats in by_trial.values() if (noise := _system_noise(repeats))
    }
    retained = [noise for noise in earlier.floors if (noise.machine, noise.system) not in by_system]
    return earlier.model_copy(update={"floors": (*retained, *by_system.values())})


def pair_runs(rounds: Sequence[tuple[MeasuredTrial, MeasuredTrial]], earlier: Noise) -> Noise:
    """Add the figures of runs in turn; they replace earlier ones of the same two.

    Args:
        rounds: of one system, a run of the baseline and one of the candidate each, all on one machine.
        earlier: noise and pairs from earlier repeats.
    """
    figures = [(run_figures(before), run_figures(after)) for before, after in rounds]
    names = [name for name in figures[0][0] if all(name in before and name in after for before, after in figures)]
    first, trial = rounds[0], rounds[0][1].record.trial
    runs = PairedRuns(
        machine=machine(first[1].record),
        suite=trial.suite,
        task=trial.task,
        strategy=trial.strategy,
        model=trial.model,
        before=SystemSource.of(first[0].record),
        after=SystemSource.of(first[1].record),
        figures={name: tuple((before[name], after[name]) for before, after in figures) for name in names},
    )
    retained = [pairs for pairs in earlier.pairs if (pairs.before, pairs.after) != (runs.before, runs.after)]
    return earlier.model_copy(update={"pairs": (*retained, runs)})


def _system_noise(repeats: Sequence[MeasuredTrial]) -> SystemNoise | None:
    """Summarise one trial's repeats on the machine of the first; None where there is only one."""
    first_machine = machine(repeats[0].record)
    runs = [run_figures(trial) for trial in repeats if machine(trial.record) == first_machine]
    if len(runs) < 2:
        return None
    names = [name for name in runs[0] if all(name in figures for figures in runs)]
    trial = repeats[0].record.trial
    return SystemNoise(
        machine=first_machine,
        suite=trial.suite,
        task=trial.task,
        strategy=trial.strategy,
        model=trial.model,
        figures={name: _figure_noise([figures[name] for figures in runs]) for name in names},
    )


def _figure_noise(numbers: Sequence[float]) -> FigureNoise:
    return FigureNoise(mean=mean(numbers), sd=stdev(numbers), n=len(numbers))


def count_same_answers(runs: Sequence[Sequence[MeasuredTrial]]) -> tuple[int, int]:
    """Count the answers of later runs that equal those of the first: (equal, all)."""
    first = {trial.record.trial.key: trial for trial in runs[0]} if runs else {}
    equal = total = 0
    for trial in (trial for run in runs[1:] for trial in run if trial.record.trial.key in first):
        task = trial.record.trial.task
        before, after = first[trial.record.trial.key].items[task], trial.items[task]
        answers = dict(zip(before.ids, before.answers, strict=True))
        for name, answer in zip(after.ids, after.answers, strict=True):
            equal, total = equal + (answers.get(name) == answer), total + 1
    return equal, total
