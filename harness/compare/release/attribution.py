"""Recorded changes between two releases, by factor, and the runs that would separate their effects."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from harness.api import EndpointInfo
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
"""Figures that each factor can move. Versions alone have moved published accuracies by points."""

UNKNOWN = "unknown"


class RecordedChange(StoredModel):
    """One recorded change.

    Attributes:
        before, after: as recorded, in words.
        where: ``task · strategy`` of the changed systems; empty: all that were compared.
    """

    factor: Factor
    name: str
    before: str
    after: str
    where: tuple[str, ...] = ()


class Separation(StoredModel):
    """Runs with one factor reverted: if the loss goes, that was its cause.

    Attributes:
        factor: that is reverted; what: the run in words.
        commands: in order; empty where the records do not hold how.
    """

    factor: Factor
    what: str
    commands: tuple[str, ...]


def list_changes(pairs: Sequence[ReleasePair]) -> tuple[RecordedChange, ...]:
    """List all recorded differences between the two sides of each pair, first seeds against first seeds."""
    systems: dict[tuple[Factor, str, str, str], list[str]] = {}
    for pair in pairs:
        before, after = _recorded(pair.baseline.trials[0]), _recorded(pair.candidate.trials[0])
        for key in {**before, **after}:
            old, new = before.get(key, UNKNOWN), after.get(key, UNKNOWN)
            if old != new and not (UNKNOWN in (old, new) and _recorded_later(key)):
                systems.setdefault((*key, old, new), []).append(pair.candidate.name)
        for name, old, new in _prompt_changes(pair):
            systems.setdefault(("prompt", name, old, new), []).append(pair.candidate.name)
    order = list(MOVES)
    changes = [
        RecordedChange(
            factor=factor,
            name=name,
            before=old,
            after=new,
            where=() if len(set(names)) == len(pairs) else tuple(dict.fromkeys(names)),
        )
        for (factor, name, old, new), names in systems.items()
    ]
    return tuple(sorted(changes, key=lambda change: order.index(change.factor)))


def quality_factors(changes: Sequence[RecordedChange]) -> tuple[Factor, ...]:
    """List the factors that changed and can move quality."""
    return tuple(dict.fromkeys(change.factor for change in changes if change.factor != "hardware"))


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
        commands = _run_commands(factor, changes, selected, folder)
        if commands:
            commands = (*commands, _gate_command(factor, selected, baseline, folder))
        runs.append(Separation(factor=factor, what=_describe(factor, changes), commands=commands))
    return tuple(runs)


def _returned(endpoint: EndpointInfo | None) -> str | None:
    """Name what answered behind an alias: ids and fingerprints, whatever their counts."""
    if endpoint is None:
        return None
    return listing(
        sorted(f"{model.model or 'unnamed'} {model.fingerprint or ''}".strip() for model in endpoint.returned)
    )


def _recorded_later(key: tuple[Factor, str]) -> bool:
    """Tell whether early records lack a field, so that its absence is no change; a package may not be installed."""
    factor, name = key
    return factor == "libraries" or name in ("tokenizer", "chat template")


def _recorded(measured: MeasuredTrial) -> dict[tuple[Factor, str], str]:
    """Describe a record in words, by factor and name."""
    record, trial, environment = measured.record, measured.record.trial, measured.record.environment
    fields: dict[tuple[Factor, str], Any] = {
        ("model", "name"): trial.model,
        ("model", "revision"): record.model.revision,
        ("model", "weights"): _short(record.model.hash),
        ("model", "identity"): _identity(record.model.identity),
        ("model", "number format"): record.model.dtype,
        ("model", "returned by the endpoint"): _returned(record.model.endpoint),
        ("model", "tokenizer"): _short(record.model.tokenizer_hash),
        ("prompt", "chat template"): _short(record.model.chat_template_hash),
        ("method", "strategy"): trial.strategy,
        ("method", "training items"): trial.train_items,
        ("method", "budget"): trial.budget,
        ("data", "suite version"): record.suite_version,
        ("data", "suite definition"): _short(record.suite_hash),
        ("libraries", "python"): environment.python,
        ("code", "protocol"): record.protocol,
        ("code", "commit"): _short(environment.git_commit),
        ("seed", "seed"): trial.seed,
        ("hardware", "processor"): environment.processor,
        ("hardware", "cores"): environment.cores,
        ("hardware", "threads"): environment.threads,
        ("hardware", "memory bytes"): environment.memory_bytes,
        ("hardware", "GPU"): environment.gpu,
        ("hardware", "platform"): environment.platform,
    }
    for name, version in environment.packages.items():
        fields["code" if name == "adaptbench" else "libraries", name] = version
    fields |= {("method", name): setting for name, setting in _parameters(trial.steps)}
    for task in record.tasks:
        if task.role != "control":
            fields["prompt", f"{task.name}: instruction"] = task.instruction
            fields["data", f"{task.name}: items"] = _short(task.data_hash)
            fields["data", f"{task.name}: preparation"] = "; ".join(task.preparation) or "none"
            fields |= {("data", f"{task.name}: {split} size"): size for split, size in task.sizes.items()}
    return {key: UNKNOWN if field is None else str(field) for key, field in fields.items()}


def _parameters(steps: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Name each parameter of each step: ``rag.k``; of a repeated step, ``rag#2.k``."""
    times: Counter[str] = Counter()
    for step in steps:
        name = str(step.get("step", ""))
        times[name] += 1
        label = name if times[name] == 1 else f"{name}#{times[name]}"
        yield from (
            (f"{label}.{key}", "none" if setting is None else setting) for key, setting in step.items() if key != "step"
        )


def _prompt_changes(pair: ReleasePair) -> Iterator[tuple[str, str, str]]:
    """Count the prompts that changed, by instruction, template, exemplars or passages: (name, before, after)."""
    before, after = pair.baseline.trials[0].prompts, pair.candidate.trials[0].prompts
    common = [name for name in before.keys() & after.keys() if before[name] and after[name]]
    changed = sum(before[name] != after[name] for name in common)
    if changed:
        yield "text sent", "", f"another for {changed:,} of {len(common):,} items"


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
    names = [change.name for change in changes if change.factor == factor]
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


def _identity(identity: str | None) -> str | None:
    """Shorten the hashes in a model's identity; an adapter's has its base model's too."""
    return " on ".join(str(_short(part.rpartition(":")[2])) for part in identity.split(" on ")) if identity else None


def _short(digest: str | None) -> str | None:
    head, dash, suffix = (digest or "").partition("-")
    return f"{head[:12]}{dash}{suffix}" if digest else None
