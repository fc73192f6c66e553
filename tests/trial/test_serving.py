"""A system asked as a server: what is timed, what waits, and whether the answers are those of a batch."""

from time import perf_counter, sleep

import pytest

from harness.api import Answer, Example, Query, System, Task
from harness.plan.config import RunConfig
from harness.records.measurements import Check
from harness.records.planned_trial import DEFAULTS, SCORE_ONLY, PlannedTrial
from harness.records.record import Row, Trial
from harness.trial.arrivals import CAP_S, ENOUGH, WARM_UP, arrival_times, expected
from harness.trial.recorder import Recorder
from harness.trial.serving import serve

TASK = Task("t", "qa", max_new_tokens=4)
ITEMS = [Example(Query(f"{n:02d}", f"question {n}"), (f"answer {n}",)) for n in range(12)]
BATCH = [Row(task="t", id=one.query.id, references=one.references, answer=one.references[0]) for one in ITEMS]

REQUESTS = DEFAULTS.requests


def options_of(**changes):
    return SCORE_ONLY.model_copy(update=changes)


class Slow:
    """Answers question n with ``answer n``; a call takes so many seconds, however many it is asked."""

    decode_rows = 4

    def __init__(self, seconds=0.004, first=0.0, wrong=()):
        self.seconds, self.first, self.wrong = seconds, first, wrong
        self.calls = []

    def generate(self, prompts, *, max_new_tokens, one_line, sampling=None, progress=None):
        self.calls.append([prompt.question for prompt in prompts])
        sleep(self.seconds + (self.first if len(self.calls) <= WARM_UP else 0))
        first_at = perf_counter()
        sleep(self.seconds)
        return [
            Answer(
                p.question,
                "?" if p.question in self.wrong else p.question.replace("question", "answer"),
                prompt_tokens=10,
                output_tokens=3,
                prefill_s=self.seconds / len(prompts),
                decode_s=self.seconds / len(prompts),
                decode_tokens=3,
                first_token_at=first_at,
            )
            for p in prompts
        ]


@pytest.fixture
def asked(tmp_path):
    """Serve with a model; give the stage, the requests and the checks."""

    def call(model, items=ITEMS, seed=0, **options):
        trial = Trial(suite="s", task="t", strategy="x", model="m", seed=seed)
        planned = PlannedTrial(
            trial=trial, suite_folder="s", model_reference="m", limits={}, measurement=options_of(**options)
        )
        stage = Recorder(tmp_path, call.told.append)
        serving, checks = serve(stage, System(model, TASK), items, BATCH, planned)
        return stage, serving, checks

    call.told = []

    return call


def test_each_request_is_asked_alone_after_the_one_before(asked):
    model = Slow()
    stage, serving, checks = asked(model, requests=7)
    assert [one.id for one in serving.requests] == [f"{n:02d}" for n in range(7)]
    assert [len(call) for call in model.calls] == [1] * (7 + WARM_UP)
    assert all(one.wall_s >= 0.008 and 0.004 <= one.first_token_s < one.wall_s for one in serving.requests)
    assert all(
        (one.tokens_in, one.tokens_out, one.decode_tokens, one.agrees) == (10, 3, 3, True) for one in serving.requests
    )
    assert checks == (Check(name="batch", items=7, agreeing=7),)
    (span,) = stage.spans
    assert (span.phase, span.tokens_in, span.tokens_out) == ("serve", 90, 27)
    assert span.prefill_s == pytest.approx(9 * 0.004)


@pytest.mark.parametrize("rate", [None, 1000.0])
def test_progress_counts_the_requests(asked, rate):
    asked(Slow(0.0), requests=4, arrival_rate=rate)
    assert {event["phase"] for event in asked.told} == {"serve"}
    assert asked.told[-1] == {"phase": "serve", "step": None, "done": 4, "total": 4}


def test_what_the_first_requests_make_is_not_in_the_others(asked):
    _, serving, _ = asked(Slow(first=0.5), requests=6)
    assert serving.warm_up == WARM_UP
    assert max(one.wall_s for one in serving.requests) < 0.4


def test_more_requests_than_items_go_round_again_and_each_item_is_checked_once(asked):
    _, serving, checks = asked(Slow(0.0), items=ITEMS[:3], requests=8)
    assert [one.id for one in serving.requests] == ["00", "01", "02"] * 2 + ["00", "01"]
    assert checks == (Check(name="batch", items=3, agreeing=3),)


def test_another_answer_than_in_the_batch_is_found(asked):
    _, serving, checks = asked(Slow(wrong=("question 2",)), requests=5)
    assert [one.agrees for one in serving.requests] == [True, True, False, True, True]
    assert checks == (Check(name="batch", items=5, agreeing=4),)


def test_nothing_is_asked_where_no_requests_are_wanted(asked):
    model = Slow()
    stage, serving, checks = asked(model, requests=0)
    assert (model.calls, stage.spans, serving, checks) == ([], (), None, ())


def test_a_slow_system_answers_fewer_unless_their_number_was_asked_for(asked, monkeypatch):
    monkeypatch.setattr("harness.trial.arrivals.CAP_S", 0.05)
    _, usual, _ = asked(Slow(0.01), requests=REQUESTS)
    assert len(usual.requests) == ENOUGH
    _, wanted, _ = asked(Slow(0.01), requests=9)
    assert len(wanted.requests) == 9


def test_all_that_wait_are_answered_together_first_come_first_served(asked):
    model = Slow(0.02)
    stage, serving, checks = asked(model, requests=12, arrival_rate=1000.0)
    batches = model.calls[WARM_UP:]
    assert [text for batch in batches for text in batch] == [one.query.input for one in ITEMS]
    assert max(map(len, batches)) == Slow.decode_rows
    assert all(one.wall_s >= one.first_token_s >= 0.02 for one in serving.requests)
    last = serving.requests[-1]
    assert last.wall_s >= (len(batches) - 1) * 0.04 - last.arrived_s  # it waited for the batches before its own
    assert checks[0].agreeing == 12
    assert stage.spans[0].prefill_s == pytest.approx((len(batches) + WARM_UP) * 0.02)


def test_a_system_that_keeps_up_lets_nobody_wait(asked):
    model = Slow(0.001)
    _, serving, _ = asked(model, requests=6, arrival_rate=20.0)
    assert serving.arrival_rate == 20.0
    assert min(one.wall_s for one in serving.requests) < 0.05
    assert len(model.calls) > WARM_UP + 6 / Slow.decode_rows


def test_arrivals_are_poisson_and_the_seed_s():
    first, again, other = (arrival_times(4000, 5.0, seed) for seed in (0, 0, 1))
    assert first == again != other
    gaps = [b - a for a, b in zip([0.0, *first], first, strict=False)]
    mean = sum(gaps) / len(gaps)
    assert mean == pytest.approx(0.2, rel=0.05)
    assert (sum((g - mean) ** 2 for g in gaps) / len(gaps)) ** 0.5 == pytest.approx(mean, rel=0.06)


def test_late_arrivals_are_left_out_beforehand():
    every = arrival_times(20, 1.0, 0)
    assert arrival_times(20, 1.0, 0, latest_s=8.0) == [at for at in every if at <= 8]
    assert arrival_times(20, 0.01, 0, latest_s=8.0) == arrival_times(20, 0.01, 0)[:ENOUGH]


def test_what_requests_will_take_is_foretold_with_the_cap():
    trial = Trial(suite="s", task="t", strategy="x", model="m")
    usual = PlannedTrial(
        trial=trial, suite_folder="s", model_reference="m", limits={}, measurement=options_of(requests=REQUESTS)
    )
    assert expected(usual, 0.1) == (REQUESTS + WARM_UP, pytest.approx(0.1 * (REQUESTS + WARM_UP)))
    assert expected(usual, 1.0) == (int(CAP_S) + 1 + WARM_UP, CAP_S + 1 + WARM_UP)
    assert expected(usual, 60.0) == (ENOUGH + WARM_UP, 60.0 * (ENOUGH + WARM_UP))
    assert expected(usual.model_copy(update={"measurement": options_of(requests=300)}), 1.0) == (
        300 + WARM_UP,
        300 + WARM_UP,
    )
    coming = usual.model_copy(update={"measurement": options_of(requests=REQUESTS, arrival_rate=5.0)})
    assert expected(coming, 0.1)[1] == pytest.approx(arrival_times(REQUESTS, 5.0, 0, CAP_S)[-1] + 0.3)


def test_an_arrival_rate_without_requests_is_refused():
    with pytest.raises(ValueError, match="requests=0"):
        RunConfig(suite="s", requests=0, arrival_rate=2.0)


def test_a_real_system_answers_a_request_as_in_a_batch(open_tiny, tmp_path):
    from harness.predict.answering import predict
    from harness.predict.prediction_rows import build_rows

    system = System(open_tiny(), TASK)
    rows = build_rows(TASK, ITEMS, predict(system, [one.query for one in ITEMS]))
    trial = Trial(suite="s", task="t", strategy="x", model="m")
    planned = PlannedTrial(
        trial=trial, suite_folder="s", model_reference="m", limits={}, measurement=options_of(requests=6)
    )
    serving, checks = serve(Recorder(tmp_path, lambda event: None), system, ITEMS, rows, planned)
    assert checks == (Check(name="batch", items=6, agreeing=6),)
    for one, row in zip(serving.requests, rows, strict=False):
        assert (one.tokens_in, one.tokens_out) == (row.prompt_tokens, row.output_tokens)
        assert 0 < one.prefill_s <= one.first_token_s <= one.wall_s - one.decode_s * 0.9
