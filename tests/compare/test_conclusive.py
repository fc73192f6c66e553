"""Sample sizes that would conclude a check: one formula, chosen by type and never by wording."""

import ast
import re
from pathlib import Path

import pytest

import harness
from harness.compare.decide.confidence import would_change
from harness.compare.decide.constraints import Constraints
from harness.compare.decide.decision import decide
from harness.compare.release.conclusive import items_to_conclude, runs_to_conclude
from harness.compare.release.figures import LATENCY
from harness.compare.release.margin_interval import margin_uncertainty
from harness.compare.release.quality_change import Quality
from harness.compare.release.resource_ratios import ResourceRatio
from harness.compare.report.comparison import compare
from harness.compare.stats.estimates import paired_difference
from harness.metrics.statistical_power import detectable_difference, items_to_detect
from tests.compare.builders import completed
from tests.compare.samples import sample


def quality(first, second, margin, **changes):
    spread = margin_uncertainty(first, second)
    change = paired_difference(spread, first, second).model_copy(update=changes)
    return Quality(
        "qa", "accuracy", 0.5, 0.5, change, margin, higher_is_better=True, units=first.units, kind=spread.kind
    )


@pytest.mark.parametrize("method", ["no spread: Wilson's limit", "all items agree"])
def test_the_formula_follows_the_kind_of_interval_whatever_its_method_is_called(method):
    flat = quality(sample([1.0] * 40, "accuracy"), sample([1.0] * 40, "accuracy"), 0.05, method=method)
    assert (flat.kind, flat.change.effect.ties) == ("tango", 40)
    assert items_to_conclude(flat) == "would be conclusive with about 92 test items at the observed difference"


def test_an_interval_with_spread_needs_the_items_of_its_detectable_difference():
    first, second = sample([1, 1, 1, 0, 0, 1, 1, 0] * 5), sample([1, 1, 1, 0, 1, 1, 0, 0] * 5)
    checked = quality(first, second, 0.05, method="no spread: another wording")
    needed = items_to_detect(0.05, checked.change.detectable, 40)
    assert f"with about {int(-(-needed // 1)):,} test items at the observed difference" in items_to_conclude(checked)


def test_a_ratio_needs_the_runs_of_its_detectable_difference():
    ratio = ResourceRatio(LATENCY, 1.0, 1.0, 0.8, 1.25, 0.1, 4, "run", "t")
    needed = items_to_detect(0.09531018, detectable_difference(0.1, 1), 4)
    assert f"with about {int(-(-needed // 1))} runs of each at the observed difference" in runs_to_conclude(ratio, 0.1)
    assert "more measurements do not help" in runs_to_conclude(ratio, 0.0)


def test_a_decision_and_a_page_name_the_same_number_of_items():
    """Rounded up by the one and to the nearest by the other, these were 1,500 and 1,400."""
    answers = {"zero_shot": [1] * 14 + [0] * 9 + [1] * 77, "rag": [0] * 14 + [1] * 9 + [1] * 77}
    stored = [completed("qa", name, right) for name, right in answers.items()]
    (task,) = compare(stored).suites[0].tasks
    (decision,) = decide(stored, Constraints(), tasks=["qa"]).tasks
    sentences = [text for text in (*would_change(task), *decision.changes) if "test item" in text]
    numbers = [re.search(r"bout ([\d,]+) test items", text)[1] for text in sentences]
    assert len(numbers) == 2
    assert len(set(numbers)) == 1


def test_the_level_of_tests_is_defined_once():
    root = Path(harness.__file__).parent
    definitions = [
        path.relative_to(root).as_posix()
        for folder in ("compare", "metrics", "render")
        for path in sorted((root / folder).rglob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "ALPHA" for t in node.targets)
    ]
    assert definitions == ["metrics/statistical_power.py"]
