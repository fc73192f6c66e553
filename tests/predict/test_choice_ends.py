"""A choice is scored with its end, as training teaches it: where one choice begins another, both can win."""

import pytest
import torch

from harness.api import Context, Example, Query, System, Task
from harness.predict.answering import predict
from harness.training.settings import SupervisedSettings
from harness.training.supervised import train
from harness.training.training_samples import build_samples

FORMS = ("chat", "plain")
PAIRS = (("card", "card dispute"), ("1", "10"))
OPENS = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}"
)


def examples(choices, *, of_item):
    return [
        Example(Query(str(n), f"{'Which ' * (n % 3)}{word}?", choices if of_item else ()), (choices[n % 2],))
        for n, word in enumerate(("river", "storm") * 4)
    ]


def tuned(model, task, items):
    """Train all weights until the answers are known."""
    model.module.requires_grad_(requires_grad=True)
    samples = build_samples(System(model, task), items)
    settings = SupervisedSettings(learning_rate=3e-3, epochs=12, batch_size=4)
    train(model.module, samples, settings, Context(seed=0))
    return model


@pytest.mark.parametrize("spaced", [False, True])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["classification", "multiple_choice"])
@pytest.mark.parametrize("choices", PAIRS)
def test_after_training_the_longer_of_two_choices_wins_where_it_is_right(open_tiny, kind, form, choices, spaced):
    torch.manual_seed(0)
    of_item = kind == "multiple_choice"
    task = Task("t", kind, choices=() if of_item else choices, form=form)
    items = examples(choices, of_item=of_item)
    model = tuned(open_tiny(spaced=spaced), task, items)
    predictions = predict(System(model, task), [item.query for item in items])
    assert [prediction.answer for prediction in predictions] == [item.references[0] for item in items]


@pytest.mark.parametrize("form", FORMS)
def test_scores_are_of_the_tokens_that_training_teaches(open_tiny, form):
    model, task = open_tiny(), Task("t", "classification", choices=PAIRS[0], form=form)
    (item,) = examples(PAIRS[0], of_item=False)[:1]
    (sample,) = build_samples(System(model, task), [item])
    (answer,) = model.score_choices(System(model, task).prompts([item.query]), [PAIRS[0]])
    assert sample.completion[-1] in model.scored_ends(task)
    with torch.inference_mode():
        row = torch.tensor([sample.prompt + sample.completion[:-1]])
        logits = model.module(row).logits[0, len(sample.prompt) - 1 :].log_softmax(-1)
    label = sum(float(logits[index, token]) for index, token in enumerate(sample.completion[:-1]))
    end = float(logits[-1, sorted(model.scored_ends(task))].logsumexp(-1))
    assert answer.choice_scores[0] == pytest.approx(label + end, abs=1e-3)


def test_probabilities_of_all_one_token_answers_add_up_to_at_most_one(open_tiny):
    model, task = open_tiny(), Task("t", "classification", choices=("a", "ab", "abc"), form="plain")
    (answer,) = model.score_choices(System(model, task).prompts([Query("1", "Which?")]), [task.choices])
    assert sum(torch.tensor(answer.choice_scores).exp().tolist()) <= 1


def test_a_thought_that_the_template_opens_is_over_before_labels_are_scored_learned_and_written(open_tiny):
    model = open_tiny(template=OPENS)
    task = Task("t", "classification", choices=("good", "bad"))
    system, query = System(model, task), Query("1", "How is it?")
    (prediction,) = predict(system, [query])
    assert prediction.raw.text.endswith("<think>\n\n</think>\n\n")
    (sample,) = build_samples(system, [Example(query, ("good",))])
    assert model.tokenizer.decode(sample.prompt).endswith("<think>\n\n</think>\n\n")
    assert model.tokenizer.decode(sample.completion) == "good</s>"
    (answer,) = model.generate(system.prompts([query]), max_new_tokens=2, one_line=True)
    assert answer.text == prediction.raw.text
    assert model.info.note == "in chat turns, the thought that the template opens is closed empty"
