"""What differs between two releases, by what it can move; and the runs that would tell the causes apart."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from harness.compare.prose.numbers import listing
from harness.compare.release.pairing import MeasuredTrial, ReleasePair
from harness.records.measurements import StoredModel
from harness.records.record import Completed

Factor = Literal["model", "method", "prompt", "data", "libraries", "code", "seed", "hardware"]

MOVES: dict[Factor, str] = {
    "model": "quality, speed and memory",
    "method": "quality, speed and memory",
    "prompt": "quality and speed",
    "data": "quality and speed",
    "libraries": "quality, speed and memory",
    "code": "quality, speed and memory",
    "seed": "quality",
    "hardware": "speed and memory; quality by rounding only",
}
"""What each can move. Versions alone have moved published accuracies by points."""

UNKNOWN = "unknown"


class RecordedChange(StoredModel):
    """One recorded thing that differs.

    Attributes:
        before, after: as recorded, in words.
        where: ``task · strategy`` of the systems that it is about; empty: all that were compared.
    """

    factor: Factor
    name: str
    before: str
    after: str
    where: tuple[str, ...] = ()


class Separation(StoredModel):
    """Runs with one thing put back to what it was: if the loss goes, that was its cause.

    Attributes:
        factor: what is put back; what: in words.
        commands: in order; empty where the records do not say how.
    """

    factor: Factor
    what: str
    commands: tuple[str, ...]


def changes(pairs: Sequence[ReleasePair]) -> tuple[RecordedChange, ...]:
    """List every recorded difference between the two sides of each pair, first seeds against first seeds."""
    found: dict[tuple[Factor, str, str, str], list[str]] = {}
    for pair in pairs:
        before, after = _told(pair.baseline.trials[0]), _told(pair.candidate.trials[0])
        for key in {**before, **after}:
            old, new = before.get(key, UNKNOWN), after.get(key, UNKNOWN)
            if old != new:
                found.setdefault((*key, old, new), []).append(pair.candidate.name)
        for name, old, new in _prompts(pair):
            found.setdefault(("prompt", name, old, new), []).append(pair.candidate.name)
    order = list(MOVES)
    made = [
        RecordedChange(
            factor=factor,
            name=name,
            before=old,
            after=new,
            where=() if len(set(where)) == len(pairs) else tuple(dict.fromkeys(where)),
        )
        for (factor, name, old, new), where in found.items()
    ]
    return tuple(sorted(made, key=lambda one: order.index(one.factor)))


def factors(found: Sequence[RecordedChange]) -> tuple[Factor, ...]:
    """Give the kinds of thing that differ and can move quality."""
    return tuple(dict.fromkeys(one.factor for one in found if one.factor != "hardware"))


def separations(
    found: Sequence[RecordedChange], pairs: Sequence[ReleasePair], baseline: str, strategies: Sequence[str] = ()
) -> tuple[Separation, ...]:
    """Offer the runs that tell the causes apart, where more than one thing that can move quality differs.

    Args:
        found: what differs.
        pairs: what was compared.
        baseline: what the baseline is called.
        strategies: of the candidate, to be run again; empty: all.
    """
    differing = factors(found)
    if len(differing) < 2 or not pairs:
        return ()
    chosen = [pair for pair in pairs if not strategies or pair.candidate.strategy in strategies] or list(pairs)
    made: list[Separation] = []
    for factor in differing:
        results = f"results-old-{factor}"
        run = _runs(factor, found, chosen, results)
        commands = (*run, _gate(factor, chosen, baseline, results)) if run else ()
        made.append(Separation(factor=factor, what=_words(factor, found), commands=commands))
    return tuple(made)


def _told(one: MeasuredTrial) -> dict[tuple[Factor, str], str]:
    """Give all that a record says of itself, in words, by what it is about."""
    record, trial, there = one.record, one.record.trial, one.record.environment
    told: dict[tuple[Factor, str], Any] = {
        ("model", "name"): trial.model,
        ("model", "revision"): record.model.revision,
        ("model", "weights"): _short(record.model.hash),
        ("model", "number format"): record.model.dtype,
        ("method", "strategy"): trial.strategy,
        ("method", "training items"): trial.train_items,
        ("method", "budget"): trial.budget,
        ("data", "suite version"): record.suite_version,
        ("data", "suite definition"): _short(record.suite_hash),
        ("libraries", "python"): there.python,
        ("code", "commit"): _short(there.git_commit),
        ("seed", "seed"): trial.seed,
        ("hardware", "processor"): there.processor,
        ("hardware", "cores"): there.cores,
        ("hardware", "threads"): there.threads,
        ("hardware", "memory bytes"): there.memory_bytes,
        ("hardware", "GPU"): there.gpu,
        ("hardware", "platform"): there.platform,
    }
    for name, version in there.packages.items():
        told["code" if name == "adaptbench" else "libraries", name] = version
    told |= {("method", name): value for name, value in _parameters(trial.steps)}
    for task in record.tasks:
        if task.role != "control":
            told["prompt", f"{task.name}: instruction"] = task.instruction
            told["data", f"{task.name}: items"] = _short(task.data_hash)
            told["data", f"{task.name}: preparation"] = "; ".join(task.preparation) or "none"
            told |= {("data", f"{task.name}: {split} size"): size for split, size in task.sizes.items()}
    return {key: UNKNOWN if value is None else str(value) for key, value in told.items()}


def _parameters(steps: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Name each parameter of each step: ``rag.k``; of a step that comes again, ``rag#2.k``."""
    times: Counter[str] = Counter()
    for step in steps:
        name = str(step.get("step", ""))
        times[name] += 1
        label = name if times[name] == 1 else f"{name}#{times[name]}"
        yield from (
            (f"{label}.{key}", "none" if value is None else value) for key, value in step.items() if key != "step"
        )


def _prompts(pair: ReleasePair) -> Iterator[tuple[str, str, str]]:
    """Tell how many of the texts that were sent are others: instruction, template, exemplars or passages changed."""
    before, after = pair.baseline.trials[0].prompts, pair.candidate.trials[0].prompts
    common = [name for name in before.keys() & after.keys() if before[name] and after[name]]
    moved = sum(before[name] != after[name] for name in common)
    if moved:
        yield "text sent", "", f"another for {moved:,} of {len(common):,} items"


def _runs(
    factor: Factor, found: Sequence[RecordedChange], pairs: Sequence[ReleasePair], results: str
) -> tuple[str, ...]:
    """Give the commands of a run in which only this factor is what it was."""
    before, after = pairs[0].baseline.records[0], pairs[0].candidate.records[0]
    if factor == "model" and _model(before) == _model(after):
        return ()  # other weights under the same name: nothing says where the old ones are
    model = _model(before if factor == "model" else after)
    strategies = [(pair.baseline if factor == "method" else pair.candidate).strategy for pair in pairs]
    flags = [
        f"--model {shlex.quote(model)}",
        *_flags("--strategy", strategies),
        *_flags("--task", [pair.candidate.task for pair in pairs]),
        *([f"--seed {before.trial.seed}"] if factor == "seed" else []),
        f"--results {results}",
    ]
    suite, end = after.trial.suite, " ".join(flags)
    if factor in {"model", "method", "seed"}:
        return (f"harness run {suite} {end}",)
    if factor == "libraries":
        return _old_libraries(found, before, f"harness run {suite} {end}")
    commit = (before.environment.git_commit or "").removesuffix("-dirty")[:12]
    run = {
        "code": f"PYTHONPATH=../old-code harness run {_folder(after)} {end}",
        "prompt": f"harness run ../old-prompt/{_folder(before)} {end}",
        "data": f"harness run ../old-data/{_folder(before)} {end}",
    }[factor]
    return (f"git worktree add --detach ../old-{factor} {commit}", run) if commit else ()


def _gate(factor: Factor, pairs: Sequence[ReleasePair], baseline: str, results: str) -> str:
    """Give the command that judges such a run: of what was run again, nothing else."""
    old, new = pairs[0].baseline.strategy, pairs[0].candidate.strategy
    renamed = factor != "method" and old != new  # then there is one strategy on each side
    flags = _flags("--strategy", [(one.baseline if factor == "method" else one.candidate).strategy for one in pairs])
    flags += _flags("--against", [old]) if renamed else []
    suite = pairs[0].candidate.records[0].trial.suite
    return f"harness gate {suite} --baseline {shlex.quote(baseline)} {' '.join(flags)} --results {results}"


def _old_libraries(found: Sequence[RecordedChange], before: Completed, run: str) -> tuple[str, ...]:
    """Give the commands for a virtual environment with the versions of the baseline."""
    packages = before.environment.packages
    moved = dict.fromkeys(one.name for one in found if one.factor == "libraries" and one.name in packages)
    pins = [shlex.quote(f"{name}=={packages[name]}") for name in moved]
    if not pins:
        return ()
    enter = "python -m venv old-libraries && . old-libraries/bin/activate"
    return (enter, f"pip install -e . {' '.join(pins)}", run)


def _words(factor: Factor, found: Sequence[RecordedChange]) -> str:
    names = [one.name for one in found if one.factor == factor]
    shown = listing([*names[:3], *([f"{len(names) - 3} more"] if len(names) > 3 else [])])
    whole = {
        "model": "the old model on everything new",
        "libraries": "everything new on the old libraries",
        "code": "everything new on the old code",
        "method": "the old strategy with everything else new",
        "prompt": "the old prompt with everything else new",
        "data": "the old data with everything else new",
        "seed": "the old seed with everything else new",
    }[factor]
    return f"{whole} ({shown})"


def _folder(record: Completed) -> str:
    """Give a suite's folder in its repository: what the run was told, or where the built-in ones are."""
    words = shlex.split(record.environment.command or "")
    given = words[2] if len(words) > 2 and words[1] == "run" else ""
    return given.strip("/") if "/" in given and not given.startswith(("/", "..")) else f"suites/{record.trial.suite}"


def _model(record: Completed) -> str:
    """Name a model as `harness run` takes it, with the revision where it is a hub's."""
    name, revision = record.trial.model, record.model.revision
    return f"{name}@{revision}" if "/" in name and revision and "@" not in name else name


def _flags(flag: str, values: Sequence[str]) -> list[str]:
    return [f"{flag} {shlex.quote(value)}" for value in dict.fromkeys(values)]


def _short(value: str | None) -> str | None:
    head, dash, rest = (value or "").partition("-")
    return f"{head[:12]}{dash}{rest}" if value else None
