"""A trial that is about to run, and all that its process must know; it can be sent to another process."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from harness.records.measurements import Forecast, StoredModel
from harness.records.record import Trial


class MeasurementOptions(StoredModel):
    """What is measured of a finished system besides its score.

    Attributes:
        seen_items: the most training items that a tuned model is asked again, to measure overfitting; 0: none.
        requests: test items asked as single requests, for latencies; 0: none.
        arrival_rate: requests a second that arrive at random (open loop); None: each after the one before.
        latency_target_s: within which a request is to be answered.
        check_items: the most test items that self-tests and ablations ask again; 0: none are made.
        energy: whether joules are measured, by codecarbon.
        all_scores: whether every label is scored where there are many; else those that can still be the best.
    """

    seen_items: Annotated[int, Field(ge=0)] = 64
    requests: Annotated[int, Field(ge=0)] = 20
    arrival_rate: Annotated[float | None, Field(gt=0)] = None
    latency_target_s: Annotated[float | None, Field(gt=0)] = None
    check_items: Annotated[int, Field(ge=0)] = 16
    energy: bool = False
    all_scores: bool = False


DEFAULTS = MeasurementOptions()
MANY_LABELS = 30
"""Labels from which those that cannot be the best are left unread."""
SCORE_ONLY = MeasurementOptions(seen_items=0, requests=0, check_items=0)
"""Options of a trial of which nothing but the score is wanted."""


class TokenPrice(StoredModel):
    """Price of a million tokens, US dollars: read (`usd_in`) and written (`usd_out`)."""

    usd_in: Annotated[float, Field(ge=0)]
    usd_out: Annotated[float, Field(ge=0)]


class EndpointSettings(StoredModel):
    """What a run lets its endpoints do; no part of a trial's key.

    Attributes:
        folder: absolute path of the journals.
        ledger: name of the file there that holds what the run has spent.
        max_usd: most that the run may spend; None: no limit.
        prices: by reference of the model; one without costs nothing.
    """

    folder: str
    ledger: str
    max_usd: Annotated[float | None, Field(ge=0)] = None
    prices: dict[str, TokenPrice] = Field(default_factory=dict[str, TokenPrice])


class PlannedTrial(StoredModel):
    """One trial, ready to run.

    Attributes:
        suite_folder: absolute path.
        model_reference: what the model is loaded by, its commit included.
        model_identity: of that model, as it was when the trial was planned; None: it cannot change.
        backend: name of the backend that opens it (`harness.models.registry`).
        limits: the most items of each split.
        probes: tasks that are asked as well, once the weights have changed.
        measurement: what is measured besides the score; `seen_items` is 0 where no training items were learned.
        threads: of one operator; None: the library's choice.
        rows, row_tokens: fixed by the user (`PassSizes`); None: the device's choice.
        train_tasks: tasks besides the trial's own that a step learns from, in the suite's order.
        sources: other models that its steps load, such as an embedder.
        data_hashes: sha256 of each task's items, as they were when the trial was planned.
        forecast: predicted before the run.
        fresh_file: absolute path of the file that is asked instead of the test split; None: that is asked.
        skip: why the trial is not run; None: it is.
        endpoints: journal and money of models that are asked over HTTP; None: the trial has none.
    """

    trial: Trial
    suite_folder: str
    model_reference: str
    model_identity: str | None = None
    backend: str = "local"
    limits: dict[str, int]
    probes: tuple[str, ...] = ()
    measurement: MeasurementOptions = SCORE_ONLY
    threads: int | None = None
    rows: int | None = None
    row_tokens: int | None = None
    train_tasks: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    data_hashes: dict[str, str] = Field(default_factory=dict[str, str])
    forecast: Forecast | None = None
    fresh_file: str | None = None
    skip: str | None = None
    endpoints: EndpointSettings | None = None
