"""A user's own table, from a CSV file to a comparison of three strategies."""

import csv
import random

import pytest

pytestmark = pytest.mark.e2e

INTENTS = {
    "refund": (
        "I want my money back for the {}",
        "please refund what I paid for the {}",
        "return my payment for the {}",
    ),
    "delivery": ("where is the parcel with my {}", "when will the {} arrive", "the {} was not delivered yet"),
    "repair": ("the {} is broken, can it be fixed", "my {} stopped working", "please repair my {}"),
}
THINGS = ("lamp", "phone", "kettle", "chair", "radio", "camera", "clock", "desk", "printer", "fan", "mixer", "heater")


@pytest.fixture(scope="module")
def tickets(harness):
    """120 messages, each with words that give its intent away."""
    chance = random.Random(5)
    names = list(INTENTS)
    with (harness.folder / "tickets.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["message", "intent"])
        for n in range(120):
            intent = names[n % 3]
            thing = f"{chance.choice(THINGS)} of order {1000 + 7 * n}"
            writer.writerow([INTENTS[intent][n // 3 % 3].format(thing), intent])
    return harness.folder / "tickets.csv"


@pytest.fixture(scope="module")
def printed(harness, tickets):
    harness("init", "tickets", "--data", tickets, "--input", "message", "--reference", "intent")
    strategies = ("--strategy", "zero_shot", "--strategy", "few_shot(k=3)", "--strategy", "lora")
    return harness("run", "tickets", *strategies, "--limit", "train=64", "--limit", "validation=9")


def test_the_table_shows_every_strategy(printed):
    table = printed.rpartition("completed in")[2]
    assert all(name in table for name in ("zero_shot", "few_shot(k=3)", "lora", "accuracy"))


def test_low_rank_tuning_beats_chance(harness, printed):
    trials = {trial["strategy"]: trial for trial in harness.report("tickets")}
    assert trials.keys() == {"zero_shot", "few_shot(k=3)", "lora"}
    assert {trial["status"] for trial in trials.values()} == {"completed"}
    assert trials["lora"]["scores"]["accuracy"]["low"] > 1 / 3


def test_the_other_formats_print_too(harness, printed):
    assert "| lora" in harness("report", "tickets", "--format", "markdown")
    assert "lora" in harness("report", "tickets", "--format", "csv")
