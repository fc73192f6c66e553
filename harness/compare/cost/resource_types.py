"""Seconds, bytes, tokens and latency of a trial or a strategy, and the machine that they were measured on."""

from __future__ import annotations

from harness.compare.stats.estimates import Estimate
from harness.records.measurements import Forecast, Held, StoredModel


class Quantile(StoredModel):
    """A percentile of times with its 95 % interval by order statistics.

    Attributes:
        share: of the requests that took no longer, e.g. 0.95.
        low_s, high_s: None where so few requests do not bound it on that side.
    """

    share: float
    value_s: float
    low_s: float | None = None
    high_s: float | None = None


class Latency(StoredModel):
    """How fast requests are answered, from the question's text to the parsed answer.

    Attributes:
        requests: how many were measured; those that warmed the system up are not among them.
        wall: percentiles of the whole request; first_token: to the first token, empty where choices were scored.
        prefill_tokens_per_s: prompt tokens read a second by one request alone; decode_tokens_per_s: written.
        output_tokens: mean tokens written a request.
        arrival_rate: requests a second (open loop); None: each after the one before.
        latency_target_s: within which a request was to be answered; in_time: the share that was, in [0, 1].
    """

    requests: int
    wall: tuple[Quantile, ...] = ()
    first_token: tuple[Quantile, ...] = ()
    prefill_tokens_per_s: float | None = None
    decode_tokens_per_s: float | None = None
    output_tokens: float | None = None
    arrival_rate: float | None = None
    latency_target_s: float | None = None
    in_time: Estimate | None = None


class PhaseCost(StoredModel):
    """What one phase took. Bytes are peaks; None: unknown. Of several seeds: mean seconds and tokens, highest peaks.

    Attributes:
        gpu_peak_bytes: what the process held of the GPU (reserved), or the whole device's where only that is known.
        reused: taken from an earlier trial that made the same artifact, and charged here too.
    """

    wall_s: float
    host_peak_bytes: int | None = None
    gpu_peak_bytes: int | None = None
    tokens_in: float | None = None
    tokens_out: float | None = None
    reused: bool = False


class Cost(StoredModel):
    """What one trial took, all phases together.

    Attributes:
        tokens_per_s: read and written while predicting; items_per_s: questions answered while predicting.
        adapted_bytes: on disk, of what adaptation made; None if nothing.
        trained_parameters: that took a gradient; None if none.
        prefill_tokens_per_s: prompt tokens read a second while predicting in batches; decode_tokens_per_s: written.
        energy_j: joules of all phases; None where it was not measured. energy_source: how they came to be.
        latency: of requests; None where none was measured.
        held: what parts of memory hold; forecast: what was predicted before; None where unknown.
    """

    phases: dict[str, PhaseCost]
    total_s: float
    host_peak_bytes: int | None = None
    gpu_peak_bytes: int | None = None
    tokens_per_s: float | None = None
    items_per_s: float | None = None
    adapted_bytes: int | None = None
    trained_parameters: int | None = None
    prefill_tokens_per_s: float | None = None
    decode_tokens_per_s: float | None = None
    energy_j: float | None = None
    energy_source: str | None = None
    latency: Latency | None = None
    held: Held | None = None
    forecast: Forecast | None = None


class Machine(StoredModel):
    """The hardware behind some of the records: speed and memory are compared within one only."""

    processor: str
    cores: int
    threads: int
    memory_bytes: int
    gpu: str | None = None
