"""The whole corpus in the prompt: planned where it fits, read once, and kept for requests."""

import dataclasses

import pytest

from harness.api import Context, Passage, Query, System
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.errors import HarnessError
from harness.plan import window
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.predict.answering import predict
from harness.retrieval.whole_corpus import WholeCorpus
from harness.trial.run_trial import run_trial
from strategies.long_context import LongContext
from tests import tiny

SUITE = """
name = "rooms"
version = 1

[[tasks]]
name = "rooms"
kind = "qa"
data = "rooms.csv"
input = "question"
reference = "answer"
corpus = "doors.csv"
evidence = "page"
instruction = "Answer the question with a short phrase."
form = "plain"
max_new_tokens = 3
sizes = { train = 4, validation = 2, test = 4 }
"""


@pytest.fixture
def write_suite(tmp_path):
    """Write a suite of ten questions on `doors` passages; some can have readers."""

    def write(doors=4, readers=""):
        folder = tmp_path / f"rooms{doors}{readers}"
        folder.mkdir()
        (folder / "suite.toml").write_text(SUITE)
        questions = [f"Where is key {n}?,lock {n},p{n % 4}" for n in range(10)]
        (folder / "rooms.csv").write_text("\n".join(["question,answer,page", *questions]) + "\n")
        head = "id,title,text" + (",readers" if readers else "")
        rows = [f"p{n},Door {n},It opens with key {n}." + (f",{readers}" if readers else "") for n in range(doors)]
        (folder / "doors.csv").write_text("\n".join([head, *rows]) + "\n")
        return folder

    return write


@pytest.fixture
def plan(write_suite, tiny_folders):
    def call(strategy="long_context", **changes):
        options = {"requests": 0, "check_items": 0} | {k: changes.pop(k) for k in list(changes) if k == "requests"}
        window._tokenizer.cache_clear()
        config = RunConfig(
            suite=str(write_suite(**changes)), models=(str(tiny_folders()),), strategies=(strategy,), **options
        )
        return make_plan(config).trials[0]

    return call


def test_a_corpus_that_does_not_fit_is_skipped_with_the_window_that_it_needs(plan, tiny_folders):
    assert plan().skip is None
    skip = plan(doors=60).skip
    needed = int(skip.partition("window of ")[2].partition(" ")[0].replace(",", ""))
    assert needed > tiny.WINDOW
    assert skip.startswith("long_context needs a window of ")
    assert f"{tiny.WINDOW:,}" in skip


def test_the_needed_window_is_that_of_the_prompts(plan, open_tiny):
    planned = plan(doors=60)
    needed = int(planned.skip.partition("window of ")[2].partition(" ")[0].replace(",", ""))
    task = prepare(load_suite(planned.suite_folder), "rooms")
    model = dataclasses.replace(open_tiny(), info=open_tiny().info.model_copy(update={"context_tokens": None}))
    system = System(model, task.task_data.task, retriever=WholeCorpus(task.task_data.corpus))
    answers = predict(system, [example.query for example in task.test])
    longest = max(answer.raw.prompt_tokens for answer in answers)
    assert needed == pytest.approx(longest + task.task_data.task.max_new_tokens + 1, abs=2)


def test_passages_with_readers_are_a_reason_to_skip(plan):
    assert "4 of 4 passages" in plan(readers="ann").skip


def test_nobody_is_shown_what_only_others_may_read():
    public, secret = Passage("a", "open"), Passage("b", "closed", readers=("ann",))
    retriever = WholeCorpus((public, secret))
    assert retriever.find([Query("1", "?"), Query("2", "?", user="ann")]) == [(public,), (public, secret)]


def test_a_step_refuses_what_plan_could_not_count(open_tiny, plan):
    task = prepare(load_suite(plan(doors=60).suite_folder), "rooms").task_data
    with pytest.raises(HarnessError, match="needs a window of"):
        LongContext().adapt(System(open_tiny(), task.task), task, Context())


def test_requests_read_behind_a_warm_prefix_whose_reading_is_a_phase_of_its_own(plan, tmp_path):
    planned = plan(requests=3)
    record, rows = run_trial(planned, cache=tmp_path, emit=lambda event: None)
    (warm,) = (span for span in record.spans if span.step == "prefix")
    assert warm.phase == "index"
    assert record.serving.prefix_tokens == warm.tokens_in > 50
    assert all(request.tokens_in > record.serving.prefix_tokens for request in record.serving.requests)
    assert all(request.agrees for request in record.serving.requests)
    target = [row for row in rows if row.role == "target"]
    assert all(row.passages == ("p0", "p1", "p2", "p3") for row in target)
    assert not any(row.dropped_passages for row in target)
    assert not any("recall" in name for name in record.scores)


def test_the_prefix_is_read_with_the_weights_that_answer(plan, tmp_path):
    record, _ = run_trial(plan("long_context+lora(epochs=1,rank=4)", requests=2), cache=tmp_path, emit=lambda _: None)
    steps = [span.step for span in record.spans]
    assert steps.index("lora") < steps.index("prefix")
    assert all(request.agrees for request in record.serving.requests)
