"""What repeats of the same trials alone do to each figure: the noise that a gate must not mistake for change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from harness.compare.cost.resources import machine
from harness.compare.release.pairing import MeasuredTrial
from harness.compare.release.resource_ratios import of_run
from harness.compare.release.run_noise import FigureNoise, Noise, SystemNoise


@dataclass(frozen=True)
class RepeatSummary:
    """What repeats have shown.

    Attributes:
        noise: of their systems, and what was known of others before.
        same: answers of later runs that are those of the first; answers: all of later runs.
    """

    suite: str
    noise: Noise
    same: int
    answers: int


def repeated(suite: str, runs: Sequence[Sequence[MeasuredTrial]], known: Noise) -> RepeatSummary:
    """Compare repeats of the same trials.

    Args:
        suite: that they are of.
        runs: what each has finished.
        known: noise from earlier repeats.
    """
    return RepeatSummary(suite, floors(runs, known), *same_answers(runs))


def floors(runs: Sequence[Sequence[MeasuredTrial]], known: Noise) -> Noise:
    """Give the noise of each system, in place of what was known of it on the same machine.

    Args:
        runs: the same trials, measured again and again; one that did not finish is not among its run.
        known: from earlier repeats.
    """
    by_system: dict[tuple[str, str, str, str, int], list[MeasuredTrial]] = {}
    for run in runs:
        for one in run:
            trial = one.record.trial
            by_system.setdefault((trial.suite, trial.task, trial.strategy, trial.model, trial.seed), []).append(one)
    made = {
        (found.machine, found.suite, found.task, found.strategy, found.model): found
        for own in by_system.values()
        if (found := _floors(own))
    }
    kept = [one for one in known.floors if (one.machine, one.suite, one.task, one.strategy, one.model) not in made]
    return Noise(floors=(*kept, *made.values()))


def _floors(own: Sequence[MeasuredTrial]) -> SystemNoise | None:
    """Summarise one system's repeats; None where there are none on one machine."""
    here = machine(own[0].record)
    alike = [one for one in own if machine(one.record) == here]
    if len(alike) < 2:
        return None
    values = [of_run(one) for one in alike]
    names = [name for name in values[0] if all(name in one for one in values)]
    trial = own[0].record.trial
    return SystemNoise(
        machine=here,
        suite=trial.suite,
        task=trial.task,
        strategy=trial.strategy,
        model=trial.model,
        figures={name: _floor([one[name] for one in values]) for name in names},
    )


def _floor(values: Sequence[float]) -> FigureNoise:
    return FigureNoise(mean=mean(values), sd=stdev(values), n=len(values))


def same_answers(runs: Sequence[Sequence[MeasuredTrial]]) -> tuple[int, int]:
    """Count the answers of later runs that are those of the first: (the same, all)."""
    first = {one.record.trial.key: one for one in runs[0]} if runs else {}
    same = total = 0
    for one in (one for run in runs[1:] for one in run if one.record.trial.key in first):
        task = one.record.trial.task
        before, after = first[one.record.trial.key].items[task], one.items[task]
        answers = dict(zip(before.ids, before.answers, strict=True))
        for name, answer in zip(after.ids, after.answers, strict=True):
            same, total = same + (answers.get(name) == answer), total + 1
    return same, total
