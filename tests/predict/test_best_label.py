"""Of many labels those that cannot be the best are left unread, and the answers stay the same."""

import pytest

from harness.api import Example, Query, System, Task
from harness.metrics import Items
from harness.predict.answering import predict
from harness.predict.prediction_rows import build_rows, count_tokens
from tests import tiny

LABELS = tuple(
    f"{kind} of {thing} {n}" for kind in ("loss", "theft", "delay") for thing in ("card", "cash") for n in range(8)
)
TASK = Task("intents", "classification", "Which is it?", LABELS)
QUERIES = [Query(f"q{n}", f"My card {n} was lost in the storm, {n * 7} days ago.") for n in range(9)]


@pytest.fixture(scope="module", params=["llama", "gpt2", "sliding", "recurrent"])
def model(request, tiny_folders, tiny_cache):
    return tiny.open_tiny(tiny_folders(request.param), tiny_cache)


@pytest.mark.parametrize("prior", [(), tuple((5 * n) % 23 / 2.0 for n in range(len(LABELS)))])
def test_answers_are_those_of_reading_every_label(model, prior):
    system = System(model, TASK, prior=prior)
    every, best = predict(system, QUERIES), predict(system.replace(best_only=True), QUERIES)
    assert [prediction.answer for prediction in best] == [prediction.answer for prediction in every]
    tokens = [count_tokens(predictions)["tokens_in"] for predictions in (every, best)]
    assert tokens[1] <= tokens[0]
    for one, other in zip(every, best, strict=True):
        read = [score for score in other.raw.choice_scores if score > float("-inf")]
        assert read
        assert all(any(score == pytest.approx(full, abs=1e-4) for full in one.raw.choice_scores) for score in read)


def test_a_label_that_was_not_read_has_no_score(tiny_folders, tiny_cache):
    model = tiny.open_tiny(tiny_folders("llama"), tiny_cache)
    ahead = (0.0, *(200.0 for _ in LABELS[1:]))  # nothing comes near the first
    predictions = predict(System(model, TASK, prior=ahead, best_only=True), QUERIES)
    assert {prediction.answer for prediction in predictions} == {LABELS[0]}
    rows = build_rows(TASK, [Example(query, (LABELS[0],)) for query in QUERIES], predictions)
    assert all(row.choice_scores[0] is not None and None in row.choice_scores for row in rows)
    assert all(row.reading == "scored" for row in rows)
    items = Items.from_rows(rows, LABELS)
    assert items.has_unread_choices
    assert not any(items.choice_scores)  # a part of the scores is no distribution
