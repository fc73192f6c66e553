"""Recorded changes between two releases, by factor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from harness.api import EndpointInfo
from harness.compare.prose.numbers import listing
from harness.compare.release.pairing import MeasuredTrial, ReleasePair
from harness.records.measurements import StoredModel

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
        part_of: factor of other changes that explain this one, so that it is no cause of its own; empty: none.
    """

    factor: Factor
    name: str
    before: str
    after: str
    where: tuple[str, ...] = ()
    part_of: Factor | None = None


def list_changes(pairs: Sequence[ReleasePair]) -> tuple[RecordedChange, ...]:
    """List all recorded differences between the two sides of each pair, first seeds against first seeds."""
    systems: dict[tuple[Factor, str, str, str], list[str]] = {}
    for pair in pairs:
        before, after = _recorded(pair.baseline.trials[0]), _recorded(pair.candidate.trials[0])
        explained = False
        for key in {**before, **after}:
            old, new = before.get(key, UNKNOWN), after.get(key, UNKNOWN)
            if old != new and not (UNKNOWN in (old, new) and _recorded_later(key)):
                systems.setdefault((*key, old, new), []).append(pair.candidate.name)
                explained = explained or key == ("prompt", _instruction(pair.candidate.task))
        for name, old, new in () if explained else _prompt_changes(pair):
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
    return _count_once(sorted(changes, key=lambda change: order.index(change.factor)))


def quality_factors(changes: Sequence[RecordedChange]) -> tuple[Factor, ...]:
    """List the factors that changed and can move quality."""
    causes: list[Factor] = [change.factor for change in changes if change.factor != "hardware" and not change.part_of]
    return tuple(dict.fromkeys(causes))


def _instruction(task: str) -> str:
    return f"{task}: instruction"


def _count_once(changes: Sequence[RecordedChange]) -> tuple[RecordedChange, ...]:
    """Mark a suite's version and digest as part of the changes of its instructions or items that explain them."""
    whole = {"suite version", "suite definition"}
    parts = [change for change in changes if change.name not in whole]
    factor = next((c.factor for c in parts if c.factor == "data" or c.name.endswith(_instruction(""))), None)
    return tuple(
        change.model_copy(update={"part_of": factor}) if factor and change.name in whole else change
        for change in changes
    )


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
            fields["prompt", _instruction(task.name)] = task.instruction
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


def _identity(identity: str | None) -> str | None:
    """Shorten the hashes in a model's identity; an adapter's has its base model's too."""
    return " on ".join(str(_short(part.rpartition(":")[2])) for part in identity.split(" on ")) if identity else None


def _short(digest: str | None) -> str | None:
    head, dash, suffix = (digest or "").partition("-")
    return f"{head[:12]}{dash}{suffix}" if digest else None
