"""Kinds whose texts are scored as they are: held-out text, sentences to go on with, and preference pairs."""

import pytest
import torch

from harness.api import Query, System, Task
from harness.errors import HarnessError
from harness.predict.answering import predict

TEXT = "The quick brown fox jumps over the lazy dog."


class OnlyGenerates:
    """A model that cannot score, as an endpoint may be."""

    info = None
    can = frozenset({"generate"})


def log_likelihood(model, beginning, text):
    """Score a text token by token in one plain forward pass."""
    before, after = model.encode(beginning), model.encode(text)
    with torch.inference_mode():
        logits = model.module(torch.tensor([before + after])).logits[0].float().log_softmax(-1)
    places = range(len(before) - 1, len(before) + len(after) - 1)
    return sum(float(logits[position, token]) for position, token in zip(places, after, strict=True))


def test_held_out_text_is_scored_behind_the_token_that_begins_texts(open_tiny):
    model = open_tiny()
    system = System(model, Task("news", "language_modelling", form="bare"))
    (prediction,) = predict(system, [Query("1", "", (TEXT,))])
    assert prediction.answer == TEXT
    assert prediction.raw.text == model.tokenizer.bos_token
    assert prediction.raw.choice_scores[0] == pytest.approx(
        log_likelihood(model, model.tokenizer.bos_token, TEXT), abs=1e-3
    )


def test_a_sentence_is_gone_on_with_behind_a_space_and_without_labels(open_tiny):
    model = open_tiny()
    system = System(model, Task("ends", "multiple_choice", form="bare"))
    (prediction,) = predict(system, [Query("1", "The quick brown fox", ("jumps", "sleeps"))])
    assert prediction.raw.text.endswith("The quick brown fox")
    expected = [log_likelihood(model, prediction.raw.text, f" {end}") for end in ("jumps", "sleeps")]
    assert prediction.raw.choice_scores == pytest.approx(expected, abs=1e-3)


def test_of_two_answers_the_one_that_is_likelier_byte_for_byte_is_chosen(open_tiny):
    system = System(open_tiny(), Task("pairs", "preference", form="plain"))
    (prediction,) = predict(system, [Query("1", "How?", ("by a very long and winding road", "so"))])
    rates = [
        score / (len(choice.encode()) + 1)
        for score, choice in zip(prediction.raw.choice_scores, prediction.query.choices, strict=True)
    ]
    assert prediction.answer == prediction.query.choices[rates.index(max(rates))]
    assert prediction.parsed == "choice"


def test_a_model_that_only_generates_cannot_be_asked_how_likely_a_text_is():
    system = System(OnlyGenerates(), Task("news", "language_modelling", form="bare"))
    with pytest.raises(HarnessError, match="task 'news' measures how likely a text is"):
        predict(system, [Query("1", "", (TEXT,))])
