"""The first sentence of a decision, over all tasks."""

from harness.compare.decide.choice import RankedOption, TaskDecision
from harness.compare.decide.overall import headline
from harness.compare.stats.estimates import Estimate

SCORE = Estimate(value=0.8, low=0.7, high=0.9, n=120, method="t")
OPTIONS = (
    RankedOption(strategy="lora", model="m", score=SCORE, tied=True, place=1),
    RankedOption(strategy="full", model="m", score=SCORE, tied=True, place=2),
)


def decided(task, chosen=("lora", "m")):
    return TaskDecision(
        task=task, metric="token_f1", verdict="", confidence="tied", chosen=chosen, options=OPTIONS, today=SCORE
    )


def test_figures_ties_and_tasks_without_a_choice_are_said():
    assert headline([decided("qa"), decided("news", None)], None) == (
        "Choose `lora` for qa (token F1 0.80, 120 items, tied with 1 other) and nothing for news, with `m`."
    )


def test_many_tasks_are_grouped_by_what_is_chosen():
    assert headline([decided(name) for name in "abcd"], None) == "Choose `lora` for a, b, c and d, with `m`."
