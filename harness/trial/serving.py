"""A finished system as a server has it: test items asked as requests, each timed from its text to the parsed answer.

Between requests only that is held which belongs to no question: the weights, an index and its embedder, the exemplars
and compiled templates, and what calibration has found labels to be favoured by. No answer, no passages and no keys and
values of a prompt are kept, not even of the instruction that all prompts begin with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter, sleep

from harness.api import Example, Query, System
from harness.predict import answering, prediction_rows
from harness.predict.answering import Prediction
from harness.records.measurements import Check, Request, Serving
from harness.records.planned_trial import PlannedTrial
from harness.records.record import Row
from harness.trial.arrivals import ENOUGH, WARM_UP, arriving, cap_s
from harness.trial.recorder import Recorder


@dataclass(frozen=True)
class _Answered:
    """One request: when it came (None: closed loop), and when its answer was there, seconds by one clock."""

    prediction: Prediction
    arrived_s: float | None
    began_s: float
    ended_s: float


def serve(
    stage: Recorder, system: System, items: Sequence[Example], rows: Sequence[Row], planned: PlannedTrial
) -> tuple[Serving | None, tuple[Check, ...]]:
    """Ask test items as requests, from the first on and round again where more are wanted than there are.

    One at a time, each after the one before (closed loop); or, with `PlannedTrial.arrival_rate`, as they arrive at random
    whether or not the system is ready (open loop): exponential gaps drawn with the trial's seed, first come first
    served, all that wait answered together as one batch of at most the model's rows.

    Args:
        stage: measures it as the phase ``serve``, warm-up and pauses between arrivals included.
        system: finished.
        items: of the target's test split.
        rows: what the system made of them in batches.
        planned: says how many requests come, and how.

    Returns:
        The requests, and whether they were answered as in a batch; nothing where none were wanted.
    """
    if not planned.requests or not items:
        return None, ()
    queries = [items[place % len(items)].query for place in range(planned.requests)]
    progress = stage.reporter("serve")
    with stage.span("serve"):
        warm = [one for item in items[-WARM_UP:] for one in answering.ask(system, [item.query])]
        if planned.arrival_rate is None:
            answered = _one_by_one(system, queries, cap_s(planned), progress)
        else:
            arrivals = arriving(planned.requests, planned.arrival_rate, planned.trial.seed, cap_s(planned))
            answered = _as_they_arrive(system, list(zip(arrivals, queries, strict=False)), progress)
        everything = [*warm, *[one.prediction for one in answered]]
        stage.meter.tokens(**prediction_rows.tokens_of(everything))
        stage.meter.passes(**prediction_rows.passes_of(everything))
    batch = {row.id: row.answer for row in rows if row.role == "target"}
    serving = Serving(
        arrival_rate=planned.arrival_rate,
        latency_target_s=planned.latency_target_s,
        warm_up=len(warm),
        requests=tuple(_request(one, batch) for one in answered),
    )
    return serving, _check(serving)


def _one_by_one(
    system: System, queries: Sequence[Query], end_s: float | None, progress: Callable[[int, int], None]
) -> list[_Answered]:
    found: list[_Answered] = []
    start = perf_counter()
    for query in queries:
        began = perf_counter()
        if end_s is not None and len(found) >= ENOUGH and began - start > end_s:
            break
        (prediction,) = answering.ask(system, [query])
        found.append(_Answered(prediction, None, began, perf_counter()))
        progress(len(found), len(queries))
    return found


def _as_they_arrive(
    system: System, coming: Sequence[tuple[float, Query]], progress: Callable[[int, int], None]
) -> list[_Answered]:
    rows = getattr(system.model, "decode_rows", 1)  # a model that says nothing of rows is asked one question at a time
    found: list[_Answered] = []
    start = perf_counter()
    while len(found) < len(coming):
        sleep(max(0.0, start + coming[len(found)][0] - perf_counter()))
        now = perf_counter() - start
        waiting = [one for one in coming[len(found) : len(found) + rows] if one[0] <= now]
        waiting = waiting or [coming[len(found)]]  # a sleep may end a little early
        predictions = answering.ask(system, [query for _, query in waiting])
        ended = perf_counter()
        found += [
            _Answered(prediction, arrived, start + arrived, ended)
            for (arrived, _), prediction in zip(waiting, predictions, strict=True)
        ]
        progress(len(found), len(coming))
    return found


def _request(one: _Answered, batch: dict[str, str | None]) -> Request:
    raw, name = one.prediction.raw, one.prediction.query.id
    tokens = prediction_rows.tokens_of([one.prediction])
    first_at = one.ended_s if raw.votes else raw.first_token_at  # before the votes are counted, there is no answer
    return Request(
        id=name,
        arrived_s=one.arrived_s,
        wall_s=one.ended_s - one.began_s,
        first_token_s=None if raw.first_token_at is None or first_at is None else first_at - one.began_s,
        tokens_in=tokens["tokens_in"] or 0,
        tokens_out=tokens["tokens_out"] or 0,
        **prediction_rows.passes_of([one.prediction]),
        agrees=one.prediction.answer == batch[name] if name in batch else None,
    )


def _check(serving: Serving) -> tuple[Check, ...]:
    """Count the items whose answer is the one that they got in a batch, each item once."""
    agrees = {one.id: one.agrees for one in reversed(serving.requests) if one.agrees is not None}
    if not agrees:
        return ()
    note = None if serving.arrival_rate is None else "requests that waited together were answered together"
    return (Check(name="batch", items=len(agrees), agreeing=sum(agrees.values()), note=note),)
