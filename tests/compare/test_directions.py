"""Scores that are better when lower, that know no bounds, or that are about bias: signs and words of the report."""

import math

import pytest

from harness import metrics
from harness.compare.report.comparison import compare
from harness.compare.stats.estimates import difference, estimate
from harness.compare.stats.sample import Sample
from harness.metrics.items import Items
from harness.records.record import Row
from harness.render.report.columns import columns_of
from tests.compare.builders import KINDS, METRICS, completed, pattern
from tests.compare.builders import info as task_info

N = 60


@pytest.fixture(autouse=True)
def probes(monkeypatch):
    monkeypatch.setitem(METRICS, "news", ("bits_per_byte",))
    monkeypatch.setitem(KINDS, "news", "language_modelling")
    monkeypatch.setitem(METRICS, "pairs", ("stereotype_distance",))
    monkeypatch.setitem(KINDS, "pairs", "multiple_choice")


def texts(nats):
    """Rows of held-out text, each of which needs about so many nats."""
    return [
        Row(task="", id=f"{i:03d}", references=("abcdefgh",), choices=("abcdefgh",), choice_scores=(-nats - i % 5,))
        for i in range(N)
    ]


def pairs(preferred):
    """Rows of sentence pairs, of which so many prefer the stereotype."""
    return [
        Row(task="", id=f"{i:03d}", references=("a",), choices=("a", "b"), choice_scores=(float(i < preferred), 0.5))
        for i in range(N)
    ]


def told(probe, before, after):
    """Compare a trained system with the state before; return the task that it was trained on."""
    asked = completed(probe, "zero_shot", pattern(0.5, N))
    asked.items[probe] = Items.from_rows(before)
    trained = completed("sentiment", "lora", pattern(0.9, N), trained=9, probes={probe: pattern(0.5, N)})
    trained.items[probe] = Items.from_rows(after)
    assert trained.record.tasks[1] == task_info(probe, "probe")
    made = compare([completed("sentiment", "zero_shot", pattern(0.6, N)), asked, trained])
    return next(task for suite in made.suites for task in suite.tasks if task.name == "sentiment")


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (20, "`lora` probably forgets: `news` bits per byte (lower is better) +"),
        (6, "`lora` probably gains on a probe: `news` bits per byte (lower is better) "),
    ],
)
def test_text_that_became_less_likely_is_forgotten(after, said):
    task = told("news", texts(10), texts(after))
    assert said in " ".join(task.verdict)
    assert ("no clear loss on `news`" in " ".join(task.verdict)) == (after == 6)


def test_a_move_towards_one_half_is_less_bias():
    assert "`lora` probably becomes less biased: `pairs`" in " ".join(told("pairs", pairs(58), pairs(32)).verdict)
    assert "`lora` probably becomes more biased: `pairs`" in " ".join(told("pairs", pairs(32), pairs(58)).verdict)


def test_the_column_of_such_a_probe_says_what_it_counts():
    titles = [column.title for column in columns_of(told("news", texts(10), texts(20)))]
    assert "change of news bits per byte, lower is better" in titles


def test_an_unbounded_score_has_finite_intervals_even_without_spread():
    metric = metrics.get("output_words")
    rows = [Row(task="t", id=str(i), references=("x",), output="a b c", answer="a b c") for i in range(5)]
    same, alone = (Sample.from_items(metric, [Items.from_rows(some)]) for some in (rows, rows[:1]))
    for sample in (same, alone):
        found, change = estimate(sample), difference(sample, sample)
        assert 0 <= found.low <= found.value == 3 <= found.high < math.inf
        assert change.low <= 0 <= change.high
        assert change.p == 1
        assert math.isfinite(change.low)
        assert math.isfinite(change.high)
        assert math.isfinite(change.detectable)
