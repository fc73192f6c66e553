"""The first sentence of a decision, over all tasks."""

import pytest

from harness.compare.decide.choice import RankedOption, TaskDecision
from harness.compare.decide.overall import Overall, headline

OPTIONS = (RankedOption(strategy="lora", model="m", place=1), RankedOption(strategy="full", model="m", place=2))


@pytest.mark.parametrize(
    ("confidence", "one_seed", "said"),
    [
        ("tied", True, "`lora` for qa (tied with 1 other, some with one seed)"),
        ("tied", False, "`lora` for qa (tied with 1 other)"),
        ("clear", True, "`lora` for qa (clearly best, one seed)"),
    ],
)
def test_it_says_whether_the_chosen_or_some_of_the_tied_have_one_seed(confidence, one_seed, said):
    one = TaskDecision(
        task="qa",
        metric="token_f1",
        verdict="",
        confidence=confidence,
        chosen=("lora", "m"),
        options=OPTIONS,
        one_seed=one_seed,
    )
    assert said in headline([one, one], Overall(verdict="One for all."))
