"""Latency of single requests: each is timed from the question's text to the parsed answer.

Only request-independent state is kept between requests: weights, an index and its embedder, exemplars, compiled
templates and label priors. No answer or passage is, and no keys and values of a prompt, not even of the common
instruction, unless the system itself keeps what all prompts begin with (`System.keeps_prefix`): the record says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter, sleep

from harness.api import Example, Query, System
from harness.predict import answering, prediction_rows
from harness.predict.answering import Prediction
from harness.records.measurements import Check, Request, Serving
from harness.records.planned_trial import PlannedTrial
from harness.records.record import Row
from harness.trial.arrivals import ENOUGH, WARM_UP, arrival_times, cap_s
from harness.trial.recorder import Recorder
from harness.trial.warm_prefix import kept_tokens


@dataclass(frozen=True)
class _TimedPrediction:
    """One request: its arrival (None: closed loop), start and end, seconds by one clock."""

    prediction: Prediction
    arrived_s: float | None
    start_s: float
    end_s: float


def serve(
    recorder: Recorder, system: System, examples: Sequence[Example], rows: Sequence[Row], planned: PlannedTrial
) -> tuple[Serving | None, tuple[Check, ...]]:
    """Ask test items as requests, starting over where there are fewer items than requests.

    One at a time, each after the one before (closed loop); or, with an arrival rate, as they arrive at random whether
    or not the system is ready (open loop): exponential gaps drawn with the trial's seed, first come first served, all
    that wait answered together as one batch of at most the model's rows. A model behind an address is sent each request
    when it is due, whatever is under way.

    Args:
        recorder: measures it as the phase ``serve``, warm-up and pauses between arrivals included.
        system: finished.
        examples: the target's test split.
        rows: the system's answers in batches.
        planned: its `measurement` says how many requests come, and how.

    Returns:
        The requests, and whether they were answered as in a batch; nothing where none are planned.
    """
    options = planned.measurement
    if not options.requests or not examples:
        return None, ()
    queries = [examples[index % len(examples)].query for index in range(options.requests)]
    progress = recorder.reporter("serve")
    concurrency: int | None = getattr(system.model, "concurrent_requests", None)
    with recorder.span("serve"):
        warm_up = [
            prediction for example in examples[-WARM_UP:] for prediction in answering.predict(system, [example.query])
        ]
        if options.arrival_rate is None:
            timed = _closed_loop(system, queries, cap_s(options), progress)
        else:
            times = arrival_times(options.requests, options.arrival_rate, planned.trial.seed, cap_s(options))
            loop = _open_loop if concurrency is None else _concurrent_loop
            timed = loop(system, list(zip(times, queries, strict=False)), progress)
        predictions = [*warm_up, *[request.prediction for request in timed]]
        recorder.meter.count_tokens(**prediction_rows.count_tokens(predictions))
        recorder.meter.set_timing(**prediction_rows.sum_timing(predictions))
    batch_answers = {row.id: row.answer for row in rows if row.role == "target"}
    serving = Serving(
        arrival_rate=options.arrival_rate,
        latency_target_s=options.latency_target_s,
        warm_up=len(warm_up),
        prefix_tokens=kept_tokens(system),
        concurrency=concurrency if options.arrival_rate is not None else None,
        requests=tuple(_request(request, batch_answers) for request in timed),
    )
    return serving, _check(serving)


def _closed_loop(
    system: System, queries: Sequence[Query], end_s: float | None, progress: Callable[[int, int], None]
) -> list[_TimedPrediction]:
    timed: list[_TimedPrediction] = []
    first_s = perf_counter()
    for query in queries:
        start_s = perf_counter()
        if end_s is not None and len(timed) >= ENOUGH and start_s - first_s > end_s:
            break
        (prediction,) = answering.predict(system, [query])
        timed.append(_TimedPrediction(prediction, None, start_s, perf_counter()))
        progress(len(timed), len(queries))
    return timed


def _open_loop(
    system: System, arrivals: Sequence[tuple[float, Query]], progress: Callable[[int, int], None]
) -> list[_TimedPrediction]:
    batch_size = getattr(system.model, "decode_rows", 1)  # a model without it is asked one question at a time
    timed: list[_TimedPrediction] = []
    first_s = perf_counter()
    while len(timed) < len(arrivals):
        sleep(max(0.0, first_s + arrivals[len(timed)][0] - perf_counter()))
        now = perf_counter() - first_s
        queue = [arrival for arrival in arrivals[len(timed) : len(timed) + batch_size] if arrival[0] <= now]
        queue = queue or [arrivals[len(timed)]]  # a sleep may end a little early
        predictions = answering.predict(system, [query for _, query in queue])
        end_s = perf_counter()
        timed += [
            _TimedPrediction(prediction, arrived_s, first_s + arrived_s, end_s)
            for (arrived_s, _), prediction in zip(queue, predictions, strict=True)
        ]
        progress(len(timed), len(arrivals))
    return timed


def _concurrent_loop(
    system: System, arrivals: Sequence[tuple[float, Query]], progress: Callable[[int, int], None]
) -> list[_TimedPrediction]:
    """Ask each query when it is due, in a thread of its own: nobody waits for an answer to somebody else."""
    finished = Counter[str]()
    first_s = perf_counter()

    def ask(arrival: tuple[float, Query]) -> _TimedPrediction:
        due_s, query = arrival
        (prediction,) = answering.predict(system, [query])
        end_s = perf_counter()
        finished["requests"] += 1
        progress(finished["requests"], len(arrivals))
        return _TimedPrediction(prediction, due_s, first_s + due_s, end_s)

    with ThreadPoolExecutor(max_workers=len(arrivals)) as pool:
        futures: list[Future[_TimedPrediction]] = []
        for arrival in arrivals:
            sleep(max(0.0, first_s + arrival[0] - perf_counter()))
            futures.append(pool.submit(ask, arrival))
    return [future.result() for future in futures]


def _request(request: _TimedPrediction, batch_answers: dict[str, str | None]) -> Request:
    raw, name = request.prediction.raw, request.prediction.query.id
    tokens = prediction_rows.count_tokens([request.prediction])
    first_at = request.end_s if raw.votes else raw.first_token_at  # before the votes are counted, there is no answer
    return Request(
        id=name,
        arrived_s=request.arrived_s,
        wall_s=request.end_s - request.start_s,
        first_token_s=None if raw.first_token_at is None or first_at is None else first_at - request.start_s,
        tokens_in=tokens["tokens_in"],
        tokens_out=(tokens["tokens_out"] or 0) if raw.counted else None,
        **prediction_rows.sum_timing([request.prediction]),
        service_s=raw.service_s,
        tries=raw.tries,
        agrees=request.prediction.answer == batch_answers[name] if name in batch_answers else None,
    )


def _check(serving: Serving) -> tuple[Check, ...]:
    """Count the items whose answer is the one that they got in a batch, each item once."""
    agrees = {request.id: request.agrees for request in reversed(serving.requests) if request.agrees is not None}
    if not agrees:
        return ()
    together = serving.arrival_rate is not None and serving.concurrency is None
    note = "requests that waited together were answered together" if together else None
    return (Check(name="batch", items=len(agrees), agreeing=sum(agrees.values()), note=note),)
