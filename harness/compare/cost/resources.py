"""What trials took: spans added up by phase and averaged over seeds.

Asking requests one by one (`serve`) and self-tests (`check`) only measure: they stand among the phases, but are no part
of what a strategy takes, neither of its seconds and joules nor of its peak memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.compare.cost.latency import latency_of
from harness.compare.cost.resource_types import Cost, Machine, PhaseCost
from harness.records.measurements import Held, Phase, Span
from harness.records.record import Completed

ASIDE: frozenset[Phase] = frozenset({"serve", "check"})
"""Phases that measure a finished system, and that nobody has to go through who only uses it."""


def of_trial(record: Completed, items: int) -> Cost:
    """Add up one trial's spans by phase; `items` is how many questions its target task asked."""
    phases: dict[str, list[Span]] = {}
    for span in record.spans:
        phases.setdefault(span.phase, []).append(span)
    return _cost({name: _phase(spans) for name, spans in phases.items()}, [record], items)


def of_seeds(records: Sequence[Completed], costs: Sequence[Cost], items: Sequence[int]) -> Cost:
    """Put the seeds of one strategy together: mean seconds and tokens, highest peaks.

    Args:
        records: of the seeds.
        costs: of each (`of_trial`).
        items: how many questions each asked.
    """
    names = list(dict.fromkeys(name for cost in costs for name in cost.phases))
    phases = {name: _pooled([c.phases[name] for c in costs if name in c.phases]) for name in names}
    return _cost(phases, records, sum(items) / len(items))


def machine(record: Completed) -> Machine:
    """Tell the hardware that a record comes from."""
    there = record.environment
    return Machine(
        processor=there.processor,
        cores=there.cores,
        threads=there.threads,
        memory_bytes=there.memory_bytes,
        gpu=there.gpu,
    )


def _cost(phases: dict[str, PhaseCost], records: Sequence[Completed], items: float) -> Cost:
    predict = phases.get("predict")
    taken = [phase for name, phase in phases.items() if name not in ASIDE]
    tokens = _total([predict.tokens_in, predict.tokens_out]) if predict else None
    predicted = [span for record in records for span in record.spans if span.phase == "predict"]
    return Cost(
        phases=phases,
        total_s=sum(phase.wall_s for phase in taken),
        host_peak_bytes=_highest(phase.host_peak_bytes for phase in taken),
        gpu_peak_bytes=_highest(phase.gpu_peak_bytes for phase in taken),
        tokens_per_s=_rate(tokens, predict),
        items_per_s=_rate(items, predict),
        adapted_bytes=_highest(record.adapted_bytes for record in records),
        trained_parameters=_highest(record.trained_parameters for record in records),
        prefill_tokens_per_s=_ratio([(span.tokens_in, span.prefill_s) for span in predicted]),
        decode_tokens_per_s=_ratio([(span.decode_tokens, span.decode_s) for span in predicted]),
        energy_j=_energy(records),
        energy_source=next((one.environment.energy_source for one in records if one.environment.energy_source), None),
        latency=latency_of([record.serving for record in records if record.serving]),
        held=_held([record.held for record in records if record.held]),
        forecast=next((record.forecast for record in records if record.forecast), None),
    )


def _ratio(parts: Sequence[tuple[int | None, float | None]]) -> float | None:
    """Tokens over the seconds of the model's own passes: retrieval, layout and parsing are not in them.

    They hold no warm-up: a model makes its first passes while it is loaded, where `tree.packs` looks how it reads.
    """
    tokens, seconds = _total([count for count, _ in parts]), _total([value for _, value in parts])
    return tokens / seconds if tokens and seconds else None


def _energy(records: Sequence[Completed]) -> float | None:
    """Mean joules of a trial; unknown if those of any phase are."""
    spans = [span for record in records for span in record.spans if span.phase not in ASIDE]
    joules = _total([span.energy_j for span in spans])
    return None if joules is None else joules / len(records)


def _held(found: Sequence[Held]) -> Held | None:
    """The largest of each size, over seeds."""
    if not found:
        return None
    return Held(**{name: _highest(getattr(one, name) for one in found) for name in Held.model_fields})


def _phase(spans: Sequence[Span]) -> PhaseCost:
    return PhaseCost(
        wall_s=sum(span.wall_s for span in spans),
        host_peak_bytes=_highest(span.host_peak_bytes for span in spans),
        gpu_peak_bytes=_highest(_gpu(span) for span in spans),
        tokens_in=_total([span.tokens_in for span in spans]),
        tokens_out=_total([span.tokens_out for span in spans]),
        reused=any(span.reused for span in spans),
    )


def _pooled(phases: Sequence[PhaseCost]) -> PhaseCost:
    tokens = _total([p.tokens_in for p in phases]), _total([p.tokens_out for p in phases])
    return PhaseCost(
        wall_s=sum(p.wall_s for p in phases) / len(phases),
        host_peak_bytes=_highest(p.host_peak_bytes for p in phases),
        gpu_peak_bytes=_highest(p.gpu_peak_bytes for p in phases),
        tokens_in=None if tokens[0] is None else tokens[0] / len(phases),
        tokens_out=None if tokens[1] is None else tokens[1] / len(phases),
        reused=any(p.reused for p in phases),
    )


def _gpu(span: Span) -> int | None:
    held = span.gpu_reserved_peak_bytes
    return span.gpu_device_peak_bytes if held is None else held


def _highest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def _total(values: Sequence[float | None]) -> float | None:
    """Sum; unknown if any part is, because a partial sum would pass for the whole."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _rate(amount: float | None, phase: PhaseCost | None) -> float | None:
    return amount / phase.wall_s if phase and amount is not None and phase.wall_s > 0 else None
