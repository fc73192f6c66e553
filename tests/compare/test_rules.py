"""Rules for what figures do not answer: their sources, and what was measured."""

from harness.compare.cost.money import make_usage
from harness.compare.cost.pricing import make_economics
from harness.compare.decide.constraints import Constraints
from harness.compare.decide.decision import decide
from harness.compare.decide.rules import all_rules
from tests.compare.decision_builders import trial


def test_rules_are_told_with_their_source_and_with_what_was_measured(stored):
    made = decide(stored, Constraints(), make_economics(make_usage(update_every="7d")), tasks=["qa"])
    (rule,) = [one for one in made.rules if one.rule.id == "facts-by-index"]
    assert rule.agrees is True
    assert "`rag` 0.50" in rule.measured
    assert rule.rule.address == "https://arxiv.org/abs/2312.05934"


def test_a_rule_that_the_figures_contradict_is_told_with_both():
    stored = [trial("zero_shot", 0.1), trial("rag", 0.2, index=True), trial("lora", 0.9, trained=9)]
    made = decide(stored, Constraints(), make_economics(make_usage(update_every="7d")), tasks=["qa"])
    (rule,) = [one for one in made.rules if one.rule.id == "facts-by-index"]
    assert rule.agrees is False


def test_every_rule_has_a_source_that_can_be_read():
    assert len({rule.id for rule in all_rules()}) == len(all_rules())
    for rule in all_rules():
        assert rule.address.startswith("https://"), rule.id
        assert rule.source, rule.id
