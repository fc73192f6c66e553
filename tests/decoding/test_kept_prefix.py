"""A prefix that is kept: the same answers, and only what comes after it is read."""

import dataclasses

import pytest

from harness.api import Prompt, Task
from harness.decoding.batched_decode import DecodeLimits, group_by_length

TASK = Task("facts", "qa", "Answer the question with a short phrase. The harbour is safe.", max_new_tokens=6)
CHOICES = Task("moods", "classification", TASK.instruction, ("good", "bad"))
QUESTIONS = ("Which river runs there?", "A place for ships?", "Who stayed awake in the room, and why?")


def prompts(task, questions=QUESTIONS):
    return [Prompt(task, question) for question in questions]


@pytest.fixture
def reads(monkeypatch):
    """Count the tokens of every forward pass."""
    counts = []

    def watch(model):
        forward = model.module.model.forward

        def counted(*args, input_ids=None, **kwargs):
            counts.append(input_ids.numel())
            return forward(*args, input_ids=input_ids, **kwargs)

        monkeypatch.setattr(model.module.model, "forward", counted)
        return counts

    return watch


@pytest.mark.parametrize("asked", [QUESTIONS, QUESTIONS[:1]])
def test_answers_behind_a_kept_prefix_are_the_same(open_tiny, asked):
    model = open_tiny()
    warm = model.with_prefix(prompts(TASK, ("1", "?")))
    assert warm.prefix_tokens > 20
    for reader in (model, warm):
        answers = reader.generate(prompts(TASK, asked), max_new_tokens=6, one_line=True)
        scored = reader.score_choices(prompts(CHOICES, asked), [CHOICES.choices] * len(asked))
        if reader is model:
            expected = answers, scored
    assert [a.output for a in answers] == [a.output for a in expected[0]]
    assert [a.prompt_tokens for a in answers] == [a.prompt_tokens for a in expected[0]]
    for first, second in zip(scored, expected[1], strict=True):
        assert first.choice_scores == pytest.approx(second.choice_scores, abs=1e-4)


def test_a_request_reads_only_what_follows_the_prefix(open_tiny, reads):
    model = open_tiny()
    warm = model.with_prefix(prompts(TASK, ("1", "?")))
    counts = reads(model)
    (cold_answer,) = model.generate(prompts(TASK)[:1], max_new_tokens=1, one_line=True)
    assert sum(counts) == cold_answer.prompt_tokens
    counts.clear()
    (warm_answer,) = warm.generate(prompts(TASK)[:1], max_new_tokens=1, one_line=True)
    assert sum(counts) == warm_answer.prompt_tokens - warm.prefix_tokens


def test_a_batch_reads_the_prefix_once_and_a_kept_one_not_at_all(open_tiny, reads):
    model = open_tiny()
    warm = model.with_prefix(prompts(TASK, ("1", "?")))
    counts = reads(model)
    answers = model.generate(prompts(TASK), max_new_tokens=1, one_line=True)
    cold = sum(counts)
    assert cold < sum(answer.prompt_tokens for answer in answers)
    counts.clear()
    warm.generate(prompts(TASK), max_new_tokens=1, one_line=True)
    assert cold - sum(counts) == pytest.approx(warm.prefix_tokens, abs=2)


def test_prompts_that_begin_otherwise_are_answered_without_it(open_tiny):
    model = open_tiny()
    warm = model.with_prefix(prompts(TASK, ("1", "?")))
    other = prompts(dataclasses.replace(TASK, instruction="Say it."))
    before, after = (reader.generate(other, max_new_tokens=6, one_line=True) for reader in (model, warm))
    assert [a.output for a in before] == [a.output for a in after]


def test_other_weights_drop_the_prefix(open_tiny):
    warm = open_tiny().with_prefix(prompts(TASK, ("1", "?")))
    assert warm.with_module(warm.module).prefix_tokens == 0
    assert warm.with_module(warm.module, base_changed=True).prefix_tokens == 0


def test_a_model_that_shares_no_cache_keeps_nothing(open_tiny):
    model = dataclasses.replace(open_tiny(), supports_packing=False)
    warm = model.with_prefix(prompts(TASK, ("1", "?")))
    assert warm.prefix_tokens == 0
    assert warm.generate(prompts(TASK)[:1], max_new_tokens=3, one_line=True) == model.generate(
        prompts(TASK)[:1], max_new_tokens=3, one_line=True
    )


def test_copies_of_a_long_prefix_bound_the_rows_of_a_group():
    limits = DecodeLimits(16, frozenset(), max_cache_tokens=1000)
    assert [len(group) for group in group_by_length([20] * 6, limits, shared=264)] == [3, 3]
    assert [len(group) for group in group_by_length([20] * 6, limits, shared=2000)] == [1] * 6
