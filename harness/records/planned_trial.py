"""A trial that is about to run, and what its process must know; it can be sent to another process."""

from __future__ import annotations

from harness.records.measurements import Forecast, StoredModel
from harness.records.record import Trial


class PlannedTrial(StoredModel):
    """One trial, ready to run.

    Attributes:
        suite: absolute path of the suite's folder.
        model: what the model is loaded by, its commit included.
        limits: the most items of each split.
        probes: tasks that are asked as well, once the weights have changed.
        seen_items: how many training items are asked again, to tell what was learned by heart; 0: none.
        threads: of one operator; None: the library's choice.
        learned: tasks besides the trial's own that a step learns from, in the suite's order.
        sources: other models that its steps load, such as an embedder.
        requests: how many items are asked as requests, one by one or as they arrive; 0: none.
        arrival_rate: requests a second, open loop; None: each after the one before.
        latency_target_s: within which a request is to be answered.
        check_items: how many items the self-tests and controls ask again; 0: none are made.
        energy: whether its joules are measured.
        forecast: what is predicted of it.
        fresh: absolute path of the file that is asked instead of the test split; None: that is asked.
        skip: why the trial is not run; None: it is.
    """

    trial: Trial
    suite: str
    model: str
    limits: dict[str, int]
    probes: tuple[str, ...] = ()
    seen_items: int = 0
    learned: tuple[str, ...] = ()
    threads: int | None = None
    sources: tuple[str, ...] = ()
    requests: int = 0
    arrival_rate: float | None = None
    latency_target_s: float | None = None
    check_items: int = 0
    energy: bool = False
    forecast: Forecast | None = None
    fresh: str | None = None
    skip: str | None = None
