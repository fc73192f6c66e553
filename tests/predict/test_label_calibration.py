"""What a model favours whatever is asked is taken off each label's score, measured on validation inputs."""

from dataclasses import dataclass, field, replace
from math import log

import numpy as np
import pytest

from harness.api import Answer, Example, Query, Reasoning, Sampling, System, Task, TaskData
from harness.predict import label_calibration
from harness.predict.answering import predict
from harness.predict.label_calibration import (
    CONTENT_FREE,
    STRENGTHS,
    batch_prior,
    calibrate,
    contextual_prior,
    label_shares,
    likeliest_strength,
    reread,
)

LABELS = ("good", "bad", "mixed")
TASK = Task("moods", "classification", "Which mood?", LABELS)


@dataclass
class Favouring:
    """Scores a label higher where the question names it, and always adds its favour; nats."""

    favour: tuple[float, ...] = (3.0, 0.0, -1.0)
    certainty: float = 1.0
    asked: list[str] = field(default_factory=list)

    def score_choices(self, prompts, choices, *, progress=None):
        self.asked += [prompt.question for prompt in prompts]
        return [
            Answer(
                prompt.question,
                "",
                tuple(
                    bias + self.certainty * (label in prompt.question)
                    for bias, label in zip(self.favour, options, strict=True)
                ),
                prompt_tokens=5,
                output_tokens=3,
            )
            for prompt, options in zip(prompts, choices, strict=True)
        ]

    def generate(self, prompts, *, max_new_tokens, one_line, sampling=None, progress=None):
        return [Answer(prompt.question, "I think so.", output_tokens=3) for prompt in prompts]


class Writing:
    """Writes the first label."""

    def generate(self, prompts, *, max_new_tokens, one_line, sampling=None, progress=None):
        return [Answer(prompt.question, LABELS[0]) for prompt in prompts]


def items(split, counts):
    """As many items of each label as `counts` says."""
    return tuple(
        Example(Query(f"{split}/{label}/{n}", f"{split} film {n} was {label}."), (label,))
        for label, count in zip(LABELS, counts, strict=True)
        for n in range(count)
    )


def answers(system, examples):
    return [prediction.answer for prediction in predict(system, [example.query for example in examples])]


def right(examples):
    return [example.references[0] for example in examples]


EVEN = TaskData(TASK, items("train", (9, 9, 9)), items("validation", (6, 6, 6)))
TEST = items("test", (3, 3, 3))


def test_what_a_model_favours_whatever_is_asked_is_taken_off():
    model = Favouring()
    assert answers(System(model, TASK), TEST) == ["good"] * 9
    system, calibration, asked = calibrate(System(model, TASK), EVEN)
    assert answers(system, TEST) == right(TEST)
    assert (calibration.source, calibration.inputs, calibration.share_labels) == ("validation", 18, 27)
    assert sum(prediction.raw.prompt_tokens for prediction in asked) == 5 * 18


def test_the_prior_is_measured_on_validation_inputs_and_never_on_training_items():
    model = Favouring()
    calibrate(System(model, TASK), EVEN)
    assert model.asked == [example.query.input for example in EVEN.validation]


def test_a_model_whose_labels_are_right_is_left_as_it_is():
    """Its prior over a few inputs says more of those inputs than of its bias."""
    uneven = replace(EVEN, validation=items("validation", (1, 9, 2)))
    knowing = Favouring(favour=(0.1, 0.0, 0.0), certainty=9.0)
    system, calibration, _ = calibrate(System(knowing, TASK), uneven)
    assert calibration.strength == 0
    assert calibration.shift == (0, 0, 0)
    assert answers(system, TEST) == right(TEST)


def test_the_strength_is_the_one_under_which_the_validation_labels_are_likeliest():
    generator = np.random.default_rng(0)
    labels = [LABELS[i] for i in generator.integers(0, 3, 200)]
    scores = [tuple(generator.normal(size=3) + 2.0 * np.array([label == name for name in LABELS])) for label in labels]
    for strength in STRENGTHS:
        biased = [tuple(np.add(row, (strength * 2, 0.0, -strength * 1))) for row in scores]
        assert likeliest_strength(biased, labels, (2.0, 0.0, -1.0), TASK) == strength
    assert likeliest_strength(scores, ["unknown"] * 200, (2.0, 0.0, -1.0), TASK) == 1


@pytest.mark.parametrize("validation", [(), items("validation", (1, 1, 1))])
def test_with_too_few_validation_items_content_free_questions_are_asked(validation):
    model = Favouring()
    system, calibration, _ = calibrate(System(model, TASK), replace(EVEN, validation=validation))
    assert tuple(model.asked) == CONTENT_FREE
    assert (calibration.source, calibration.inputs) == ("content-free", 3)
    assert answers(system, TEST) == right(TEST)


def test_shares_are_those_of_the_training_labels_add_one_smoothed_and_even_without():
    assert label_shares(items("t", (7, 0, 2)), LABELS) == pytest.approx((8 / 12, 1 / 12, 3 / 12))
    assert label_shares((), LABELS) == pytest.approx((1 / 3,) * 3)


def test_a_label_that_is_common_stays_common():
    """Batch calibration alone would spread the answers evenly over labels (Zhou et al. 2024, section 5)."""
    train, validation = items("train", (2, 26, 2)), items("validation", (1, 15, 1))
    silent = tuple(
        replace(e, query=replace(e.query, input="A film.")) for e in (*validation, *items("test", (1, 15, 1)))
    )
    data = TaskData(TASK, train, silent[:17])
    system, calibration, _ = calibrate(System(Favouring((0.0, -0.1, 0.0)), TASK), data)
    assert answers(system, silent[17:]) == ["bad"] * 17
    expected = [prior - log(share) for prior, share in zip(calibration.prior, calibration.shares, strict=True)]
    assert system.prior == calibration.shift == pytest.approx(expected)


def test_the_reading_is_one_constant(monkeypatch):
    monkeypatch.setattr(label_calibration, "CALIBRATED", False)
    system, calibration, _ = calibrate(System(Favouring(), TASK), EVEN)
    assert answers(system, TEST) == ["good"] * 9
    assert not calibration.default
    assert calibration.shift  # measured all the same, so that both readings can be shown
    raw = predict(System(Favouring(), TASK), [example.query for example in EVEN.validation])
    assert reread(raw, EVEN.train, TASK, EVEN.validation) == raw


@pytest.mark.parametrize(
    ("model", "task"),
    [(Writing(), TASK), (Favouring(), Task("t", "multiple_choice")), (Favouring(), Task("t", "qa"))],
)
def test_written_answers_and_choices_of_an_item_are_not_calibrated(model, task):
    system = System(model, task, prior=())
    assert calibrate(system, replace(EVEN, task=task)) == (system, None, [])


def test_a_system_that_reasons_is_measured_behind_one_reasoning():
    how = Reasoning("Let's think.", 4, samples=3, sampling=Sampling())
    model = Favouring()
    system, calibration, asked = calibrate(System(model, TASK, reasoning=how), EVEN)
    assert len(model.asked) == calibration.inputs == 18
    assert all(prediction.raw.reasoning_tokens == 3 for prediction in asked)
    assert system.reasoning == how
    assert answers(system, TEST) == right(TEST)  # each vote is read with the prior


def test_candidates_of_a_search_are_read_with_the_prior_of_their_own_inputs():
    raw = predict(System(Favouring(), TASK), [example.query for example in EVEN.validation])
    assert [prediction.answer for prediction in reread(raw, EVEN.train, TASK, EVEN.validation)] == right(
        EVEN.validation
    )
    trained = predict(System(Favouring((3.0, 0.0, 9.0)), TASK), [example.query for example in EVEN.train])
    assert {p.answer for p in reread(trained, EVEN.train, TASK, EVEN.validation, inputs=raw)} == {"mixed"}


def test_a_label_that_is_impossible_everywhere_stays_impossible():
    model = Favouring((0.0, 0.0, float("-inf")))
    system, _, _ = calibrate(System(model, TASK), EVEN)
    assert set(answers(system, TEST)) == {"good", "bad"}


def test_a_batch_prior_is_the_mean_log_probability():
    assert batch_prior([(0.0, 0.0), (-5.0, -5.0)]) == pytest.approx((-0.6931, -0.6931), abs=1e-4)
    assert batch_prior([(-1.0, -1.0 - 1.0986)]) == pytest.approx((-0.2877, -1.3863), abs=1e-4)


def test_a_contextual_prior_is_the_log_of_the_mean_probability():
    # odds of 3 to 1 and of 1 to 1: mean probabilities 0.625 and 0.375
    assert contextual_prior([(1.0986, 0.0), (-3.0, -3.0)]) == pytest.approx((-0.4700, -0.9808), abs=1e-4)
