"""Runs in which one factor is that of the baseline: they separate the effects of what differs between two releases."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from harness.compare.prose.numbers import listing
from harness.compare.release.attribution import Factor, RecordedChange, quality_factors
from harness.compare.release.pairing import ReleasePair
from harness.errors import HarnessError
from harness.plan.chain import build, canonical
from harness.plan.discover import find_step
from harness.records.measurements import StoredModel
from harness.records.record import Completed


class Separation(StoredModel):
    """Runs with one factor reverted: if the loss goes, that was its cause.

    Attributes:
        factor: that is reverted; what: the run in words.
        commands: in order; empty where the records do not hold how.
    """

    factor: Factor
    what: str
    commands: tuple[str, ...]


def plan_separations(
    changes: Sequence[RecordedChange], pairs: Sequence[ReleasePair], baseline: str, strategies: Sequence[str] = ()
) -> tuple[Separation, ...]:
    """Plan runs that separate the causes, where several factors that can move quality changed.

    Args:
        changes: between the releases.
        pairs: that were compared.
        baseline: its name.
        strategies: of the candidate, to run; empty: all.
    """
    factors = quality_factors(changes)
    if len(factors) < 2 or not pairs:
        return ()
    selected = [pair for pair in pairs if not strategies or pair.candidate.strategy in strategies] or list(pairs)
    runs: list[Separation] = []
    for factor in factors:
        folder = f"results-old-{factor}"
        commands = _instruction_commands(selected, baseline, folder) if factor == "prompt" else ()
        if not commands and (commands := _run_commands(factor, changes, selected, folder)):
            commands = (*commands, _gate_command(factor, selected, baseline, folder))
        runs.append(Separation(factor=factor, what=_describe(factor, changes), commands=commands))
    return tuple(runs)


def _run_commands(
    factor: Factor, changes: Sequence[RecordedChange], pairs: Sequence[ReleasePair], folder: str
) -> tuple[str, ...]:
    """Write the commands of a run in which only this factor is reverted."""
    before, after = pairs[0].baseline.records[0], pairs[0].candidate.records[0]
    if factor == "model" and _model(before) == _model(after):
        return ()  # other weights under the same name: the old ones cannot be located
    model = _model(before if factor == "model" else after)
    strategies = [(pair.baseline if factor == "method" else pair.candidate).strategy for pair in pairs]
    flags = [
        f"--model {shlex.quote(model)}",
        *_flags("--strategy", strategies),
        *_flags("--task", [pair.candidate.task for pair in pairs]),
        *([f"--seed {before.trial.seed}"] if factor == "seed" else []),
        f"--results {shlex.quote(folder)}",
    ]
    suite, end = shlex.quote(after.trial.suite), " ".join(flags)
    if factor in {"model", "method", "seed"}:
        return (f"harness run {suite} {end}",)
    if factor == "libraries":
        return _old_libraries(changes, before, f"harness run {suite} {end}")
    commit = (before.environment.git_commit or "").removesuffix("-dirty")[:12]
    run = {
        "code": f"PYTHONPATH=../old-code harness run {shlex.quote(_suite_folder(after))} {end}",
        "prompt": f"harness run {shlex.quote(f'../old-prompt/{_suite_folder(before)}')} {end}",
        "data": f"harness run {shlex.quote(f'../old-data/{_suite_folder(before)}')} {end}",
    }[factor]
    return (f"git worktree add --detach ../old-{factor} {shlex.quote(commit)}", run) if commit else ()


def _instruction_commands(pairs: Sequence[ReleasePair], baseline: str, folder: str) -> tuple[str, ...]:
    """Write the runs and gates in which only the instruction is the baseline's, whose record holds its text."""
    commands: list[str] = []
    for pair in pairs:
        record = pair.candidate.records[0]
        old, new = (side.records[0].tasks[0].instruction for side in (pair.baseline, pair.candidate))
        strategy = _with_instruction(old, record.trial.strategy)
        if old == new or strategy is None:
            continue
        suite, flag = shlex.quote(record.trial.suite), f"--strategy {shlex.quote(strategy)}"
        run = f"--model {shlex.quote(_model(record))} {flag} --task {shlex.quote(pair.candidate.task)}"
        against = f"{flag} --against {shlex.quote(pair.baseline.strategy)}"
        where = f"--results {shlex.quote(folder)}"
        commands += [
            f"harness run {suite} {run} {where}",
            f"harness gate {suite} --baseline {shlex.quote(baseline)} {against} {where}",
        ]
    return tuple(commands)


def _with_instruction(instruction: str, strategy: str) -> str | None:
    """Write a strategy that begins with another instruction, as results name it; None if it cannot be read."""
    steps = "" if strategy == "zero_shot" else f"+{strategy}"
    try:
        return canonical(build(f"prompt(instruction={instruction!r}){steps}", find_step))
    except HarnessError:
        return None


def _gate_command(factor: Factor, pairs: Sequence[ReleasePair], baseline: str, folder: str) -> str:
    """Write the command that judges such a run, of its strategies only."""
    old, new = pairs[0].baseline.strategy, pairs[0].candidate.strategy
    renamed = factor != "method" and old != new  # then there is one strategy on each side
    flags = _flags("--strategy", [(pair.baseline if factor == "method" else pair.candidate).strategy for pair in pairs])
    flags += _flags("--against", [old]) if renamed else []
    suite = shlex.quote(pairs[0].candidate.records[0].trial.suite)
    end = f"{' '.join(flags)} --results {shlex.quote(folder)}"
    return f"harness gate {suite} --baseline {shlex.quote(baseline)} {end}"


def _old_libraries(changes: Sequence[RecordedChange], before: Completed, run: str) -> tuple[str, ...]:
    """Write the commands for a virtual environment with the versions of the baseline."""
    packages = before.environment.packages
    names = dict.fromkeys(change.name for change in changes if change.factor == "libraries" and change.name in packages)
    pins = [shlex.quote(f"{name}=={packages[name]}") for name in names]
    if not pins:
        return ()
    enter = "python -m venv old-libraries && . old-libraries/bin/activate"
    return (enter, f"pip install -e . {' '.join(pins)}", run)


def _describe(factor: Factor, changes: Sequence[RecordedChange]) -> str:
    names = [change.name for change in changes if change.factor == factor and not change.part_of]
    listed = listing([*names[:3], *([f"{len(names) - 3} more"] if len(names) > 3 else [])])
    run = {
        "model": "the old model on everything new",
        "libraries": "everything new on the old libraries",
        "code": "everything new on the old code",
        "method": "the old strategy with everything else new",
        "prompt": "the old prompt with everything else new",
        "data": "the old data with everything else new",
        "seed": "the old seed with everything else new",
    }[factor]
    return f"{run} ({listed})"


def _suite_folder(record: Completed) -> str:
    """Return a suite's folder in its repository: the run's argument, or that of the built-in suites."""
    try:
        words = shlex.split(record.environment.command or "")
    except ValueError:  # a quote is not closed
        words = []
    path = words[2] if len(words) > 2 and words[1] == "run" else ""
    return path.strip("/") if "/" in path and not path.startswith(("/", "..")) else f"suites/{record.trial.suite}"


def _model(record: Completed) -> str:
    """Write a model's reference for `harness run`, with the revision of a hub's model."""
    name, revision = record.trial.model, record.model.revision
    return f"{name}@{revision}" if "/" in name and revision and "@" not in name else name


def _flags(flag: str, arguments: Sequence[str]) -> list[str]:
    return [f"{flag} {shlex.quote(argument)}" for argument in dict.fromkeys(arguments)]
