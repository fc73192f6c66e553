"""Every built-in suite on its published data: whole, divided without a leak, and short enough to be asked."""

import pytest

from harness.data.prepare import prepare
from harness.data.suite import list_suites

pytestmark = pytest.mark.e2e

WINDOW_TOKENS = 2048
USUAL_TOKENS = 320
"""Upper limit of a prompt's mean tokens: these machines are slow."""
CASES = [(suite, task.name) for suite in list_suites()[0] if suite.package for task in suite.tasks]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0].name}-{case[1]}")
def prepared_task(request, fetched):
    suite, name = request.param
    return suite.task(name), prepare(suite, name)


@pytest.fixture(scope="module")
def tokenizer(fetched):
    from transformers import AutoTokenizer

    from harness.data.locate import locate
    from harness.models.loading import prepare_weights

    return AutoTokenizer.from_pretrained(prepare_weights(locate("smollm2-135m-instruct").path, fetched))


def splits(prepared):
    return {"train": prepared.task_data.train, "validation": prepared.task_data.validation, "test": prepared.test}


def test_splits_have_the_stated_sizes(prepared_task):
    task, prepared = prepared_task
    sizes = {name: size for name, size in task.sizes.model_dump().items() if size is not None}
    counts = {
        name: sum(example.query.id not in prepared.planted_ids for example in examples)
        for name, examples in splits(prepared).items()
    }
    assert {name: counts[name] for name in sizes} == sizes
    assert prepared.test
    assert bool(prepared.task_data.train) == (task.role == "target")


def test_no_item_is_in_two_splits(prepared_task):
    _, prepared = prepared_task
    ids = [example.query.id for examples in splits(prepared).values() for example in examples]
    assert len(set(ids)) == len(ids)
    assert not any(leak.exact for leak in prepared.leaks)
    assert len(prepared.leaks) <= 0.03 * len(prepared.test)


def test_a_cluster_stays_in_one_split(prepared_task):
    task, prepared = prepared_task
    clusters = [{e.cluster for e in examples} - {None} for examples in splits(prepared).values()]
    assert sum(map(len, clusters)) == len(set.union(*clusters))
    assert bool(clusters[2]) == bool(task.cluster)


def test_every_label_occurs_and_no_other(prepared_task):
    task, prepared = prepared_task
    labels = set(prepared.task_data.task.choices)
    if task.kind == "classification":
        for name in ("train", "test"):
            assert {example.references[0] for example in splits(prepared)[name]} == labels
    for examples in splits(prepared).values():
        for example in examples:
            choices = example.query.choices or prepared.task_data.task.choices
            assert not choices or example.references[0] in choices


def test_the_evidence_of_a_question_holds_its_answer(prepared_task):
    task, prepared = prepared_task
    texts = {passage.id: passage.text for passage in prepared.task_data.corpus}
    if task.evidence:
        with_evidence = [example for example in prepared.test if example.evidence]
        assert with_evidence
        assert task.rejected or len(with_evidence) == len(prepared.test)  # only what is to be refused has none
        for example in with_evidence:
            assert any(answer in texts[name] for name in example.evidence for answer in example.references)


def test_prompts_are_short(prepared_task, tokenizer):
    from harness.api import System
    from harness.prompts import layout

    _, prepared = prepared_task
    system = System(None, prepared.task_data.task)
    prompts = system.prompts([example.query for example in prepared.test])
    choices = [example.query.choices or prepared.task_data.task.choices for example in prepared.test]
    answers = [max((len(tokenizer(choice)["input_ids"]) for choice in group), default=0) for group in choices]
    sizes = [len(layout.render_prompt(prompt, tokenizer, max_tokens=WINDOW_TOKENS).tokens) for prompt in prompts]
    assert max(size + answer for size, answer in zip(sizes, answers, strict=True)) < WINDOW_TOKENS
    assert sum(sizes) / len(sizes) < USUAL_TOKENS


def test_the_better_answer_of_a_pair_stands_first_in_about_half_of_them(prepared_task):
    task, prepared = prepared_task
    if task.kind == "preference":
        first = sum(example.query.choices[0] == example.references[0] for example in prepared.test)
        assert 0.4 < first / len(prepared.test) < 0.6


def test_a_changed_fact_is_gone_from_its_passage(fetched):
    from harness.data.suite import load_suite

    suite = load_suite("updates")
    before, after = prepare(suite, "before"), prepare(suite, "after")
    old = {passage.id: passage.text for passage in before.task_data.corpus}
    new = {passage.id: passage.text for passage in after.task_data.corpus}
    changed = [example for example in after.test if example.rejected]
    assert len(changed) == len(after.test) / 2
    assert {example.query.input for example in before.test} == {example.query.input for example in after.test}
    for example in changed:
        (passage,) = example.evidence
        assert example.rejected in old[passage]
        assert old[passage] != new[passage]
        assert example.references[0] in new[passage]
        assert example.references[0] not in old[passage]
