"""Seconds, bytes, tokens and latency of a trial or a strategy, and the machine that they were measured on."""

from __future__ import annotations

from harness.compare.stats.estimates import Estimate
from harness.records.measurements import Forecast, Held, StoredModel


class Quantile(StoredModel):
    """A percentile of times with its 95 % interval by order statistics.

    Attributes:
        share: of the requests that took no longer, e.g. 0.95.
        low_s, high_s: None where the requests do not bound it on that side.
    """

    share: float
    value_s: float
    low_s: float | None = None
    high_s: float | None = None


class Latency(StoredModel):
    """Latency of requests, from the question's text to the parsed answer.

    Attributes:
        requests: number of measured requests, without warm-up.
        wall: percentiles of the whole request; first_token: time to first token, empty where choices were scored.
        prefill_tokens_per_s: prompt tokens read a second by a single request; decode_tokens_per_s: generated.
        output_tokens: mean tokens generated a request.
        arrival_rate: requests a second (open loop); None: each after the one before.
        service: percentiles of the request that was answered over a line, without waiting and earlier tries; retried:
            share of the requests that took more than one; None, as `concurrency`, where no model is elsewhere.
        concurrency: requests that could be under way at once in an open loop.
        latency_target_s: of a request; in_time: share of the requests that met it, in [0, 1].
    """

    requests: int
    wall: tuple[Quantile, ...] = ()
    first_token: tuple[Quantile, ...] = ()
    prefill_tokens_per_s: float | None = None
    decode_tokens_per_s: float | None = None
    output_tokens: float | None = None
    arrival_rate: float | None = None
    service: tuple[Quantile, ...] = ()
    retried: float | None = None
    concurrency: int | None = None
    latency_target_s: float | None = None
    in_time: Estimate | None = None

    def wall_s(self, share: float) -> Quantile | None:
        """Return the percentile of whole requests at a share such as 0.95; None where it was not taken."""
        return next((quantile for quantile in self.wall if abs(quantile.share - share) < 1e-9), None)


class PhaseCost(StoredModel):
    """Resources of one phase. Bytes are peaks; None: unknown. Of several seeds: mean seconds and tokens, highest peaks.

    Attributes:
        gpu_peak_bytes: reserved by the process, or of the whole device where only that is known.
        reused: measured in an earlier trial that made the same artifact, and charged here too.
    """

    wall_s: float
    host_peak_bytes: int | None = None
    gpu_peak_bytes: int | None = None
    tokens_in: float | None = None
    tokens_out: float | None = None
    reused: bool = False


class Cost(StoredModel):
    """Resources of one trial, all phases together.

    Attributes:
        tokens_per_s: read and generated while predicting; items_per_s: questions answered while predicting.
        adapted_bytes: of the adapted artifact on disk; None if there is none.
        trained_parameters: that took a gradient; None if none did.
        prefill_tokens_per_s: prompt tokens read a second while predicting in batches; decode_tokens_per_s: generated.
        energy_j: joules of all phases; None where it was not measured. energy_source: how it was measured.
        latency: of requests; None where none was measured.
        held: memory by its contents; forecast: made before the trial; None where unknown.
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
    """Hardware of a record: speed and memory are compared on one machine only."""

    processor: str
    cores: int
    threads: int
    memory_bytes: int
    gpu: str | None = None
