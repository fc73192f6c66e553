"""``few_shot+lora``: training prompts carry the examples that questions are asked with, never the item itself."""

import pytest

from harness.api import Context, System
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.plan import chain, discover
from harness.training.training_samples import build_samples, build_split_samples

CHAINS = ("few_shot(k=3)", "few_shot(k=3,choose=random)", "few_shot(k=3,choose=similar,embedder={embedder!r})")


@pytest.fixture(params=["moods", "facts"])
def task(request, tiny_suite):
    return prepare(load_suite(tiny_suite), request.param).task_data


@pytest.fixture(params=CHAINS)
def exemplars(request, tiny_embedder):
    return request.param.format(embedder=str(tiny_embedder))


def adapt(text, model, task):
    system = System(model, task.task)
    for link in chain.build(text, discover.find_step):
        system = link.step.adapt(system, task, Context(seed=1))
    return system


def test_every_prompt_that_is_learned_has_exemplars_and_none_is_its_own(open_tiny, task, exemplars):
    system = adapt(exemplars, open_tiny(), task)
    prompts = system.training_prompts(task.train)
    for example, prompt in zip(task.train, prompts, strict=True):
        assert len(prompt.exemplars) == 3
        assert example.query.input not in [question for question, _ in prompt.exemplars]


def test_validation_and_test_prompts_show_the_same_exemplars_as_training_prompts(open_tiny, task):
    system = adapt("few_shot(k=3)", open_tiny(), task)
    (shown,) = {prompt.exemplars for prompt in system.prompts([example.query for example in task.validation])}
    inputs = {question for question, _ in shown}
    for example, prompt in zip(task.train, system.training_prompts(task.train), strict=True):
        if example.query.input in inputs:  # a spare stands in its place
            assert len({*prompt.exemplars} & {*shown}) == 2
        else:
            assert prompt.exemplars == shown


def test_samples_of_both_splits_hold_the_exemplars_as_tokens(open_tiny, task):
    model = open_tiny()
    system, bare = adapt("few_shot(k=3)", model, task), System(model, task.task)
    for split, examples in (("train", task.train), ("validation", task.validation)):
        samples = build_split_samples(system, task, split)
        for sample, without, example in zip(samples, build_samples(bare, examples), examples, strict=True):
            text = model.tokenizer.decode(sample.prompt)
            assert example.query.input in text
            assert sample.completion == without.completion
            assert len(sample.prompt) > len(without.prompt)
            assert sum(other.query.input in text for other in task.train if other != example) == 3


def test_passages_and_exemplars_stand_together_in_prompts_that_are_learned(open_tiny, tiny_suite):
    task = prepare(load_suite(tiny_suite), "facts").task_data
    system = adapt("few_shot(k=2)+rag(k=1,retriever=bm25)", open_tiny(), task)
    prompts = system.training_prompts(task.train)
    assert all(len(prompt.exemplars) == 2 and len(prompt.passages) == 1 for prompt in prompts)
    found = [prompt.passages[0].id in example.evidence for prompt, example in zip(prompts, task.train, strict=True)]
    assert sum(found) > len(found) / 2


def test_a_tuned_chain_is_asked_with_the_exemplars_it_was_tuned_with(open_tiny, tiny_suite):
    task = prepare(load_suite(tiny_suite), "moods").task_data
    queries = [example.query for example in task.validation]
    tuned = adapt("few_shot(k=2)+lora(rank=2,epochs=1,batch_size=4)", open_tiny(), task)
    untuned = adapt("few_shot(k=2)", open_tiny(), task)
    assert [prompt.exemplars for prompt in tuned.prompts(queries)] == [
        prompt.exemplars for prompt in untuned.prompts(queries)
    ]
