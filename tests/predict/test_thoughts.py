"""A model that thinks before it answers: its answer is what stands behind the thought."""

from dataclasses import replace

import pytest

from harness.api import Context, Query, System, Task
from harness.metrics.parsing import parse
from harness.predict.answering import predict
from harness.training.batches import TrainingSample
from harness.training.settings import SupervisedSettings
from harness.training.supervised import train

TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'].split('</think>')[-1] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
THOUGHT = "<think>\nThe room.\n</think>\n\n"
TASK = Task("t", "qa", max_new_tokens=60)
ANSWERS = {"Which river?": "the Amber river", "Which film?": "a delight"}


@pytest.fixture
def thinker(open_tiny):
    model = open_tiny(template=TEMPLATE)
    model.module.requires_grad_(requires_grad=True)
    prompts = System(model, TASK).prompts([Query(question, question) for question in ANSWERS])
    samples = [
        TrainingSample(rendered.tokens, [*model.encode(f"{THOUGHT}{answer}"), model.end_id(TASK)])
        for rendered, answer in zip(model.render_prompts(prompts, 1), ANSWERS.values(), strict=True)
    ]
    train(model.module, samples, SupervisedSettings(learning_rate=3e-3, epochs=60, batch_size=2), Context())
    return model


def test_what_stands_behind_the_thought_is_the_answer(thinker):
    predictions = predict(System(thinker, TASK), [Query(question, question) for question in ANSWERS])
    assert [prediction.answer for prediction in predictions] == list(ANSWERS.values())
    assert all(prediction.raw.output.startswith("<think>\n") for prediction in predictions)
    assert "may think first" in thinker.info.note


def test_a_thought_that_does_not_end_is_no_answer(thinker):
    task = replace(TASK, max_new_tokens=6)
    (prediction,) = predict(System(thinker, task), [Query("1", "Which river?")])
    assert (prediction.answer, prediction.parsed) == (None, "failed: the thought did not end")


@pytest.mark.parametrize("kind", ["qa", "generation", "classification"])
def test_thoughts_are_no_part_of_what_is_parsed(kind):
    choices = ("good", "bad") if kind == "classification" else ()
    assert parse(kind, "<think>\nIs it bad?\n</think>\n\ngood", choices)[0] == "good"
    assert parse(kind, "It may be bad.</think>good", choices)[0] == "good"
    assert parse(kind, "<think>good\ngood", choices) == (None, "failed: the thought did not end")
    assert parse(kind, "<think>good</think>", choices) == (None, "failed: empty output")
