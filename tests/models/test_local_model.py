"""A local model's answers: what is counted, where they end, and that no prompt depends on its neighbours."""

from dataclasses import replace

import pytest

from harness.api import Passage, Prompt, Query, System, Task
from harness.errors import HarnessError
from harness.predict.answering import most_likely, predict
from tests import tiny

QA = Task("t", "qa", instruction="Answer the question with a short phrase.")
LABELS = ("good", "bad", "a delight")
PROMPTS = [Prompt(QA, f"Which river {'runs through ' * (n % 5)}the city {n}?") for n in range(24)]
NO_SPECIAL_TOKENS = "<s>", "</s>", "<pad>"


@pytest.fixture(params=["llama", "gpt2", "sliding"])
def model(request, open_tiny):
    return open_tiny(request.param)


def test_generated_answers_do_not_depend_on_the_batch(model):
    few, many = (replace(model, decode_rows=rows) for rows in (1, 32))
    answers = [batched.generate(PROMPTS, max_new_tokens=8, one_line=True) for batched in (few, many)]
    assert answers[0] == answers[1]
    assert many.generate([PROMPTS[7]], max_new_tokens=8, one_line=True) == [answers[0][7]]


def test_scores_do_not_depend_on_the_batch(model):
    short, long = (
        replace(model, row_tokens=tokens).score_choices(PROMPTS, [LABELS] * len(PROMPTS)) for tokens in (1, 4096)
    )
    for a, b in zip(short, long, strict=True):
        assert a.choice_scores == pytest.approx(b.choice_scores, abs=1e-4)
        assert replace(a, choice_scores=()) == replace(b, choice_scores=())


def test_tokens_are_counted_without_padding(model):
    for prompt, answer in zip(PROMPTS, model.generate(PROMPTS, max_new_tokens=4, one_line=False), strict=True):
        assert answer.prompt_tokens == len(model.encode(answer.text))
        assert answer.output_tokens <= 4
        assert prompt.question in answer.text
    scored = model.score_choices(PROMPTS, [LABELS] * len(PROMPTS))
    (rendered,) = model.render_answered(PROMPTS[:1], [LABELS])
    assert {answer.output_tokens for answer in scored} == {sum(map(len, rendered.answers))}


def test_an_answer_holds_no_special_token(model):
    for answer in model.generate(PROMPTS, max_new_tokens=24, one_line=False):
        assert not any(token in answer.output for token in NO_SPECIAL_TOKENS)


def test_nothing_is_asked_of_nothing(model):
    assert model.generate([], max_new_tokens=4, one_line=True) == []
    assert model.score_choices([], []) == []


def test_passages_are_left_out_to_leave_room_for_the_answer(open_tiny):
    model = open_tiny()
    passages = tuple(Passage(str(n), "The film was good, and the music was a delight. " * 12) for n in range(4))
    (answer,) = model.generate([Prompt(QA, "Which film?", (), passages)], max_new_tokens=60, one_line=True)
    assert 0 < answer.dropped_passages < 4
    assert answer.prompt_tokens + 60 <= tiny.WINDOW
    assert "Which film?" in answer.text


def test_a_question_longer_than_the_window_is_an_error(open_tiny):
    with pytest.raises(HarnessError, match="leaves room for 508"):
        open_tiny().generate([Prompt(QA, "film " * 2000)], max_new_tokens=4, one_line=True)


def test_only_pieces_with_a_line_break_end_a_line(open_tiny):
    model = open_tiny()
    ends = model.newline_ids
    assert ends
    assert all("\n" in model.tokenizer.decode([token]) for token in ends)

    class Spaced:
        """A tokenizer that puts a space piece before every text, as some do."""

        def __call__(self, text, **options):
            return {"input_ids": [model.encode(" ")[0], *model.encode(text)]}

        def decode(self, tokens):
            return model.tokenizer.decode(tokens)

    assert replace(model, tokenizer=Spaced()).newline_ids == ends


def test_a_label_is_chosen_by_its_score_less_the_prior():
    task = Task("t", "classification")
    assert most_likely((-1.0, -2.0), ("a", "b"), task) == "a"
    assert most_likely((-1.0, -2.0), ("a", "b"), task, prior=(-0.2, -2.0)) == "b"


def test_choices_of_different_length_are_compared_by_the_byte_and_a_scored_end_is_one():
    continued, answered = (Task("t", "multiple_choice", form=form) for form in ("bare", "plain"))
    assert most_likely((-3.0, -4.0), ("ab", "abcd"), continued) == "abcd"
    assert most_likely((-3.0, -4.0), ("é", "ab"), continued) == "é"
    assert most_likely((-2.0, -3.6), ("a", "abc"), continued) == "abc"
    assert most_likely((-2.0, -4.4), ("a", "abc"), continued) == "abc"
    assert most_likely((-2.0, -4.4), ("a", "abc"), answered) == "a"


@pytest.mark.parametrize("kind", ["classification", "multiple_choice", "qa", "generation"])
def test_every_query_gets_one_prediction_in_order(open_tiny, kind):
    choices = LABELS if kind == "classification" else ()
    task = Task("t", kind, choices=choices, max_new_tokens=4)
    query_choices = ("the harbour", "a storm") if kind == "multiple_choice" else ()
    queries = [Query(str(n), f"Is film {n} good?", query_choices) for n in range(7)]
    predictions = predict(System(open_tiny(), task), queries)
    assert [prediction.query for prediction in predictions] == queries
    if choices or query_choices:
        assert all(
            prediction.answer in (choices or query_choices) and prediction.parsed == "choice"
            for prediction in predictions
        )
        assert all(len(prediction.raw.choice_scores) == len(choices or query_choices) for prediction in predictions)
    else:
        assert all(prediction.parsed in ("first_line", "whole", "failed: empty output") for prediction in predictions)


def test_a_model_that_only_generates_is_read_by_its_text():
    from harness.api import Answer

    class Endpoint:
        def generate(self, prompts, **options):
            return [Answer(prompt.question, "Answer: Good!") for prompt in prompts]

    (prediction,) = predict(System(Endpoint(), Task("t", "classification", choices=LABELS)), [Query("1", "How is it?")])
    assert (prediction.answer, prediction.parsed) == ("good", "label")
