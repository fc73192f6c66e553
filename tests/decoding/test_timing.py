"""Seconds of reading and of writing: every prompt has its share, and the shares are the time that went by."""

from dataclasses import replace
from time import perf_counter, sleep

import pytest
import torch

from harness.api import Prompt, Query, Reasoning, Sampling, System, Task
from harness.decoding.timing import PassTimer
from harness.predict.answering import predict
from harness.predict.prediction_rows import sum_timing

QA = Task("t", "qa", instruction="Answer the question with a short phrase.", max_new_tokens=8)
LABELLED = Task("t", "classification", choices=("good", "bad"))
PROMPTS = [Prompt(QA, f"Which river {'runs through ' * (n % 5)}the city {n}?") for n in range(12)]
QUERIES = [Query(str(n), f"How is film {n}?") for n in range(6)]


@pytest.fixture
def slow_model(open_tiny):
    """A tiny model whose passes take 20 ms and 2 ms for each row."""

    def call(kind="llama", seconds=0.02, a_row=0.002):
        model = open_tiny(kind)

        def wait(module, args, kwargs):
            sleep(seconds + a_row * kwargs["input_ids"].shape[0])

        model.module.get_decoder().register_forward_pre_hook(wait, with_kwargs=True)
        return model

    return call


def test_shares_are_equal_and_add_up():
    timer = PassTimer(3, torch.device("cpu"))
    sleep(0.02)  # before the first mark: nobody's
    timer.start()
    start = perf_counter()
    sleep(0.01)
    timer.record_prefill([0, 2], first_tokens=True)
    read = perf_counter()
    sleep(0.03)
    timer.record_decode([0, 2])
    total_s = perf_counter() - start
    assert timer.prefill_s[0] == timer.prefill_s[2] > 0.004
    assert sum(timer.prefill_s) + sum(timer.decode_s) == pytest.approx(total_s, abs=0.01)
    assert (timer.prefill_s[1], timer.decode_s[1], timer.first_token_at[1]) == (0, 0, None)
    assert timer.first_token_at[0] == pytest.approx(read, abs=0.01)


@pytest.mark.parametrize("together", [True, False])
def test_reading_and_writing_add_up_to_the_seconds_of_all_passes(slow_model, together):
    model = replace(slow_model(), supports_packing=together)
    start = perf_counter()
    answers = model.generate(PROMPTS[:8], max_new_tokens=5, one_line=False)
    total_s = perf_counter() - start
    read, written = (sum(getattr(a, name) for a in answers) for name in ("prefill_s", "decode_s"))
    assert 0.5 * total_s < read + written <= total_s
    assert all(start < a.first_token_at < start + total_s for a in answers)
    passes = max(a.decode_tokens for a in answers) if together else sum(a.decode_tokens for a in answers)
    assert written >= 0.02 * passes


def test_a_first_token_comes_of_reading_and_the_rest_of_writing(slow_model):
    (answer,) = slow_model().generate(PROMPTS[:1], max_new_tokens=1, one_line=False)
    assert answer.decode_tokens == 0
    assert answer.decode_s < 0.02 < answer.prefill_s
    (longer,) = slow_model().generate(PROMPTS[:1], max_new_tokens=6, one_line=False)
    assert longer.decode_tokens == min(longer.output_tokens, 5) > 1
    assert longer.decode_s >= 0.02 * longer.decode_tokens


def test_one_prompt_alone_is_read_in_one_pass(open_tiny):
    model = open_tiny()
    passes = []
    model.module.get_decoder().register_forward_pre_hook(lambda *_: passes.append(1))
    model.generate(PROMPTS[:1], max_new_tokens=1, one_line=False)
    model.score_choices(PROMPTS[:1], [("good", "bad")])
    assert len(passes) == 2


def test_scored_choices_are_all_reading(slow_model):
    model = slow_model()
    for supports_packing in (True, False):
        answers = replace(model, supports_packing=supports_packing).score_choices(
            PROMPTS[:4], [("good", "a delight")] * 4
        )
        assert sum(a.prefill_s for a in answers) >= 0.02
        assert {(a.decode_s, a.decode_tokens, a.first_token_at) for a in answers} == {(0.0, 0, None)}


@pytest.mark.parametrize("task", [QA, LABELLED])
def test_reasoning_votes_and_calibration_are_paid_for(slow_model, task):
    how = Reasoning("Let's think.", 3, samples=2, sampling=Sampling(seed=4))
    model = slow_model()
    start = perf_counter()
    predictions = predict(System(model, task, reasoning=how), QUERIES)
    total_s = perf_counter() - start
    timing = sum_timing(predictions)
    assert 0.5 * total_s < timing["prefill_s"] + timing["decode_s"] <= total_s
    assert timing["decode_tokens"] > 0


def test_seconds_that_one_model_does_not_tell_are_unknown():
    from harness.api import Answer

    class Endpoint:
        def generate(self, prompts, **options):
            return [Answer(prompt.question, "good") for prompt in prompts]

    predictions = predict(System(Endpoint(), LABELLED), QUERIES)
    assert sum_timing(predictions) == {"prefill_s": None, "decode_s": None, "decode_tokens": None}
