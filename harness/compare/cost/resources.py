"""Resources of trials: spans added up by phase and averaged over seeds.

Requests (`serve`) and self-tests (`check`) measure a finished system. They are listed among the phases, but are in no
total of a strategy: seconds, joules or peak memory. Bytes and joules of a model that was asked over HTTP are unknown:
those of the process that asked are not its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.compare.cost.latency import summarise_latency
from harness.compare.cost.resource_types import Cost, Machine, PhaseCost
from harness.records.measurements import Held, Phase, Span
from harness.records.record import Completed

_UNKNOWN: dict[str, None] = dict.fromkeys(
    ("host_peak_bytes", "gpu_allocated_peak_bytes", "gpu_reserved_peak_bytes", "gpu_device_peak_bytes")
)
MEASURING: frozenset[Phase] = frozenset({"serve", "check"})
"""Phases that measure a finished system; using it does not need them."""


def trial_cost(record: Completed, items: int) -> Cost:
    """Add up one trial's spans by phase; `items` is the number of questions of its target task."""
    phases: dict[str, list[Span]] = {}
    for span in record.spans:
        phases.setdefault(span.phase, []).append(span.model_copy(update=_UNKNOWN) if record.model.endpoint else span)
    return _cost({name: _phase(spans) for name, spans in phases.items()}, [record], items)


def strategy_cost(records: Sequence[Completed], costs: Sequence[Cost], items: Sequence[int]) -> Cost:
    """Average the seeds of one strategy: mean seconds and tokens, highest peaks.

    Args:
        records: of the seeds.
        costs: of each (`trial_cost`).
        items: number of questions of each.
    """
    names = list(dict.fromkeys(name for cost in costs for name in cost.phases))
    phases = {name: _average([cost.phases[name] for cost in costs if name in cost.phases]) for name in names}
    return _cost(phases, records, sum(items) / len(items))


def machine(record: Completed) -> Machine:
    """Hardware that a record was measured on; a model that was asked over HTTP ran on another, which nobody knows."""
    environment, endpoint = record.environment, record.model.endpoint
    processor = environment.processor
    return Machine(
        processor=f"{endpoint.host} over HTTP, asked from {processor}" if endpoint and endpoint.host else processor,
        cores=environment.cores,
        threads=environment.threads,
        memory_bytes=environment.memory_bytes,
        gpu=environment.gpu,
    )


def _cost(phases: dict[str, PhaseCost], records: Sequence[Completed], items: float) -> Cost:
    predict = phases.get("predict")
    charged = [phase for name, phase in phases.items() if name not in MEASURING]
    tokens = _total([predict.tokens_in, predict.tokens_out]) if predict else None
    predict_spans = [span for record in records for span in record.spans if span.phase == "predict"]
    return Cost(
        phases=phases,
        total_s=sum(phase.wall_s for phase in charged),
        host_peak_bytes=_highest(phase.host_peak_bytes for phase in charged),
        gpu_peak_bytes=_highest(phase.gpu_peak_bytes for phase in charged),
        tokens_per_s=_rate(tokens, predict),
        items_per_s=_rate(items, predict),
        adapted_bytes=_highest(record.adapted_bytes for record in records),
        trained_parameters=_highest(record.trained_parameters for record in records),
        prefill_tokens_per_s=_ratio([(span.tokens_in, span.prefill_s) for span in predict_spans]),
        decode_tokens_per_s=_ratio([(span.decode_tokens, span.decode_s) for span in predict_spans]),
        energy_j=_energy(records),
        energy_source=next((source for record in records if (source := record.environment.energy_source)), None),
        latency=summarise_latency([record.serving for record in records if record.serving]),
        held=_largest([record.held for record in records if record.held]),
        forecast=next((record.forecast for record in records if record.forecast), None),
    )


def _ratio(parts: Sequence[tuple[int | None, float | None]]) -> float | None:
    """Tokens over the seconds of the model's forward passes, without retrieval, prompt layout and parsing.

    They include no warm-up: a model makes its first passes while it is loaded (`packing_probe.supports_packing`).
    """
    tokens, seconds = _total([count for count, _ in parts]), _total([duration for _, duration in parts])
    return tokens / seconds if tokens and seconds else None


def _energy(records: Sequence[Completed]) -> float | None:
    """Mean joules of a trial; unknown if those of any phase are."""
    spans = [span for record in records for span in record.spans if span.phase not in MEASURING]
    joules = _total([span.energy_j for span in spans])
    elsewhere = any(record.model.endpoint for record in records)
    return None if joules is None or elsewhere else joules / len(records)


def _largest(by_seed: Sequence[Held]) -> Held | None:
    """Largest of each size, over seeds."""
    if not by_seed:
        return None
    return Held(**{name: _highest(getattr(memory, name) for memory in by_seed) for name in Held.model_fields})


def _phase(spans: Sequence[Span]) -> PhaseCost:
    return PhaseCost(
        wall_s=sum(span.wall_s for span in spans),
        host_peak_bytes=_highest(span.host_peak_bytes for span in spans),
        gpu_peak_bytes=_highest(_gpu_bytes(span) for span in spans),
        tokens_in=_total([span.tokens_in for span in spans]),
        tokens_out=_total([span.tokens_out for span in spans]),
        reused=any(span.reused for span in spans),
    )


def _average(phases: Sequence[PhaseCost]) -> PhaseCost:
    tokens_in, tokens_out = (
        _total([phase.tokens_in for phase in phases]),
        _total([phase.tokens_out for phase in phases]),
    )
    return PhaseCost(
        wall_s=sum(phase.wall_s for phase in phases) / len(phases),
        host_peak_bytes=_highest(phase.host_peak_bytes for phase in phases),
        gpu_peak_bytes=_highest(phase.gpu_peak_bytes for phase in phases),
        tokens_in=None if tokens_in is None else tokens_in / len(phases),
        tokens_out=None if tokens_out is None else tokens_out / len(phases),
        reused=any(phase.reused for phase in phases),
    )


def _gpu_bytes(span: Span) -> int | None:
    reserved = span.gpu_reserved_peak_bytes
    return span.gpu_device_peak_bytes if reserved is None else reserved


def _highest(values: Iterable[int | None]) -> int | None:
    return max((number for number in values if number is not None), default=None)


def _total(values: Sequence[float | None]) -> float | None:
    """Sum; None if any part is unknown, because a partial sum would be mistaken for the whole."""
    numbers = [number for number in values if number is not None]
    return sum(numbers) if numbers and len(numbers) == len(values) else None


def _rate(amount: float | None, phase: PhaseCost | None) -> float | None:
    return amount / phase.wall_s if phase and amount is not None and phase.wall_s > 0 else None
