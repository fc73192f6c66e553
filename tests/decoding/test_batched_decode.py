"""Greedy decoding gives what transformers' own does, whoever else is in the batch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GenerationConfig

from harness.decoding.batched_decode import DecodeLimits, decode_batched, decode_one_by_one, group_by_length
from harness.decoding.timing import PassTimer

KINDS = ("llama", "tied", "gpt2", "capped")
PROMPTS = [[7 + n, 20, 30, *range(40, 40 + 3 * n)] for n in range(9)]
TOGETHER = [[7, 20, 30, *range(40, 41 + 3 * n)] for n in range(9)]  # all begin alike
NO_STOP = frozenset[int]()


@pytest.fixture(scope="module")
def module(tiny_folders, tiny_cache):
    from tests import tiny

    return tiny.open_tiny(tiny_folders(), tiny_cache).module


def reference(module, prompts, max_new_tokens, stop=()):
    """One prompt at a time through ``generate``; what ends the answer is not part of it."""
    config = GenerationConfig(
        do_sample=False, max_new_tokens=max_new_tokens, eos_token_id=list(stop) or None, pad_token_id=0
    )
    module.generation_config.eos_token_id = None
    answers = []
    for prompt in prompts:
        sequence = module.generate(torch.tensor([prompt]), generation_config=config)[0].tolist()
        answer = sequence[len(prompt) :]
        answers.append(answer[:-1] if answer and answer[-1] in stop else answer)
    return answers


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prompts", [PROMPTS, TOGETHER])
@pytest.mark.parametrize("rows", [1, 4, 32])
def test_answers_are_those_of_transformers(open_tiny, kind, prompts, rows):
    module = open_tiny(kind).module
    assert decode_batched(module, prompts, DecodeLimits(12, NO_STOP, max_rows=rows)) == reference(module, prompts, 12)


@pytest.mark.parametrize("kind", ["sliding", "recurrent", "llama"])
def test_a_model_with_a_cache_of_its_own_is_asked_one_prompt_at_a_time(open_tiny, kind):
    module = open_tiny(kind).module
    expected = reference(module, PROMPTS[:4], 12)
    assert decode_one_by_one(module, PROMPTS[:4], DecodeLimits(12, NO_STOP)) == expected
    assert len({tuple(answer) for answer in expected}) > 1


@pytest.mark.parametrize("run", [decode_batched, decode_one_by_one])
def test_a_models_own_defaults_of_generation_change_nothing(open_tiny, run):
    module = open_tiny().module
    expected = reference(module, PROMPTS[:4], 12)
    defaults = GenerationConfig(
        no_repeat_ngram_size=1, suppress_tokens=[expected[0][0]], bad_words_ids=[[expected[1][0]]]
    )
    module.generation_config = defaults
    assert reference(module, PROMPTS[:4], 12) != expected
    assert run(module, PROMPTS[:4], DecodeLimits(12, NO_STOP)) == expected
    assert module.generation_config is defaults


@pytest.mark.parametrize("run", [decode_batched, decode_one_by_one])
def test_an_answer_ends_before_the_first_stop_token(module, run):
    continuations = reference(module, PROMPTS, 12)
    stop = {continuations[0][3], continuations[1][5]}
    answers = run(module, PROMPTS, DecodeLimits(12, frozenset(stop)))
    assert answers == reference(module, PROMPTS, 12, stop)
    assert len(answers[0]) <= 3
    assert max(map(len, answers)) > min(map(len, answers))


@pytest.mark.parametrize("run", [decode_batched, decode_one_by_one])
def test_a_line_end_ends_an_answer_only_once_it_has_begun(module, run):
    continuation = reference(module, PROMPTS[:1], 12)[0]
    first = frozenset({continuation[0]})
    assert run(module, PROMPTS[:1], DecodeLimits(12, NO_STOP, first))[0] == cut(continuation, first)
    later = frozenset({next(token for token in continuation[1:] if token != continuation[0])})
    assert run(module, PROMPTS[:1], DecodeLimits(12, NO_STOP, later))[0] == cut(continuation, later)


def cut(tokens, newline_ids):
    """Everything up to the first line end that something else stands before."""
    for index, token in enumerate(tokens):
        if token in newline_ids and any(before not in newline_ids for before in tokens[:index]):
            return tokens[:index]
    return tokens


@settings(max_examples=8, deadline=None)
@given(data=st.data(), rows=st.integers(2, 9), tokens=st.integers(8, 200))
def test_rows_that_leave_the_batch_do_not_change_the_others(module, data, rows, tokens):
    continuations = decode_batched(module, PROMPTS, DecodeLimits(10, NO_STOP, max_rows=1))
    stop = frozenset(data.draw(st.sets(st.sampled_from([t for answer in continuations for t in answer]), max_size=4)))
    expected = [decode_batched(module, [prompt], DecodeLimits(10, stop))[0] for prompt in PROMPTS]
    assert decode_batched(module, PROMPTS, DecodeLimits(10, stop, max_rows=rows, max_prompt_tokens=tokens)) == expected


def test_no_more_than_the_allowed_tokens_are_generated(module):
    assert [len(answer) for answer in decode_batched(module, PROMPTS, DecodeLimits(1, NO_STOP))] == [1] * 9


def test_progress_counts_every_prompt(module):
    reports = []
    timer = PassTimer(9, module.device, lambda count, total: reports.append((count, total)))
    decode_batched(module, PROMPTS, DecodeLimits(2, NO_STOP, max_rows=4), None, timer)
    assert reports == [(4, 9), (8, 9), (9, 9)]


@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=40), rows=st.integers(1, 8), tokens=st.integers(1, 200)
)
def test_groups_hold_every_prompt_once_within_the_limits(lengths, rows, tokens):
    groups = group_by_length(lengths, DecodeLimits(1, NO_STOP, max_rows=rows, max_prompt_tokens=tokens))
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        padded = max(lengths[index] for index in group) * len(group)
        assert len(group) == 1 or (len(group) <= rows and padded <= tokens)
