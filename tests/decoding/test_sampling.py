"""Drawn tokens follow the model's distribution, and depend on the seed and the sequence alone."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from harness.api import Prompt, Sampling, Task
from harness.decoding.batched_decode import DecodeLimits, decode_batched, decode_one_by_one
from harness.decoding.sampling import draw_tokens

PROMPTS = [[7 + n, 20, 30, *range(40, 40 + 3 * n)] for n in range(9)]
LIMITS = DecodeLimits(10, frozenset())
SAMPLING = Sampling(1.0, 0.95, seed=3)


@pytest.fixture(scope="module")
def module(tiny_folders, tiny_cache):
    from tests import tiny

    return tiny.open_tiny(tiny_folders(), tiny_cache).module


@pytest.mark.parametrize("rows", [1, 4, 32])
def test_what_is_drawn_for_a_sequence_does_not_depend_on_the_others(module, rows):
    together = decode_batched(module, PROMPTS, replace(LIMITS, max_rows=rows), SAMPLING)
    alone = [decode_batched(module, [prompt], LIMITS, SAMPLING)[0] for prompt in PROMPTS]
    assert together == alone
    assert decode_batched(module, PROMPTS[::-1], LIMITS, SAMPLING) == together[::-1]
    assert together != decode_batched(module, PROMPTS, LIMITS)


def test_a_model_with_a_cache_of_its_own_draws_the_same(module):
    assert decode_one_by_one(module, PROMPTS[:4], LIMITS, SAMPLING) == decode_batched(
        module, PROMPTS[:4], LIMITS, SAMPLING
    )


def test_another_seed_draws_another_text_and_the_same_seed_the_same(module):
    first, again, other = (decode_batched(module, PROMPTS, LIMITS, Sampling(seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_low_temperature_is_greedy(module):
    assert decode_batched(module, PROMPTS, LIMITS, Sampling(1e-4)) == decode_batched(module, PROMPTS, LIMITS)


def test_draws_have_the_frequencies_of_the_softmax():
    scores = torch.tensor([[0.0, 1.0, 2.0, -1.0]])
    count = 20_000
    uniform = torch.rand(count, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for temperature in (0.5, 1.0, 2.0):
        drawn = Counter(draw_tokens(scores.expand(count, -1), uniform, Sampling(temperature)).tolist())
        expected = (scores[0] / temperature).softmax(-1).tolist()
        for token, chance in enumerate(expected):
            assert drawn[token] / count == pytest.approx(chance, abs=0.015)


def test_the_nucleus_holds_the_fewest_tokens_with_enough_probability():
    scores = torch.tensor([[0.5, 0.1, 0.3, 0.1]]).log()
    uniform = torch.linspace(0, 0.999, 50, dtype=torch.float64)

    def reached(top_p):
        return set(draw_tokens(scores.expand(50, -1), uniform, Sampling(1.0, top_p)).tolist())

    assert reached(0.4) == {0}
    assert reached(0.7) == {0, 2}
    assert reached(1.0) == {0, 1, 2, 3}


def test_a_token_without_probability_is_never_drawn():
    scores = torch.tensor([[float("-inf"), 0.0, float("-inf")]]).expand(3, -1)
    uniform = torch.tensor([0.0, 0.5, 1 - 2**-53], dtype=torch.float64)
    assert draw_tokens(scores, uniform, Sampling()).tolist() == [1, 1, 1]


def test_a_model_answers_as_it_draws(open_tiny):
    model = open_tiny()
    prompts = [Prompt(Task("t", "qa"), f"Which film {n}?") for n in range(5)]
    drawn = model.generate(prompts, max_new_tokens=8, one_line=False, sampling=SAMPLING)
    assert [model.generate([p], max_new_tokens=8, one_line=False, sampling=SAMPLING)[0] for p in prompts] == drawn
    assert drawn != model.generate(prompts, max_new_tokens=8, one_line=False)
