"""Slices: scores by the value of a column, the worst one named, claims adjusted for all of them."""

import json

import numpy as np
import pytest

from harness.compare.report.comparison import compare
from harness.compare.table.slices import MIN_ITEMS
from harness.records.record import Row
from harness.render.report import json as json_report
from harness.render.report import markdown
from tests.compare.test_readings import LABELS, stored


def rows(right, languages, products=None, clusters=None):
    return [
        Row(
            task="sentiment",
            id=f"{i:04d}",
            groups=(language, products[i]) if products else (language,),
            cluster=clusters[i] if clusters else None,
            references=(LABELS[i % 2],),
            choices=LABELS,
            output="x",
            answer=LABELS[i % 2] if hit else LABELS[1 - i % 2],
        )
        for i, (hit, language) in enumerate(zip(right, languages, strict=True))
    ]


def task_of(*trials):
    return compare(trials).suites[0].tasks[0]


def trial(strategy, right, languages, columns=("language",), **options):
    return stored(strategy, rows(right, languages, **options), groups=columns)


LANGUAGES = ["en"] * 100 + ["de"] * 60 + ["fr"] * 5
SHARES = [1, 1, 1, 1, 0] * 20 + [1, 0, 0] * 20 + [1] * 5


def test_each_metric_is_scored_on_each_slice_as_on_its_items_alone():
    task = task_of(trial("zero_shot", SHARES, LANGUAGES))
    english, german, french = task.slices
    assert [(part.value, part.items, part.too_small) for part in task.slices] == [
        ("en", 100, False),
        ("de", 60, False),
        ("fr", 5, True),
    ]
    assert english.rows[0].scores["accuracy"].value == pytest.approx(0.8)
    assert german.rows[0].scores["accuracy"].value == pytest.approx(1 / 3)
    alone = task_of(trial("zero_shot", SHARES[100:160], ["de"] * 60))
    for metric, score in alone.rows[0].scores.items():
        assert german.rows[0].scores[metric].value == pytest.approx(score.value), metric
    assert french.rows == ()


def test_the_worst_slice_is_named_and_one_that_is_clearly_worse_is_said_to_be():
    task = task_of(trial("zero_shot", SHARES, LANGUAGES))
    assert [row.worst for part in task.slices for row in part.rows] == [False, True]
    sentence = next(text for text in task.verdict if "By `language`" in text)
    assert "is worst on `de` (accuracy 0.33" in sentence
    assert "Clearly worse than on the other items: `de` -0.48" in sentence
    assert any("`fr` (5)" in text and str(MIN_ITEMS) in text for text in task.verdict)


def test_a_slice_that_is_lower_by_chance_is_not_called_worse():
    rng = np.random.default_rng(4)
    claims = 0
    for _ in range(40):
        right, languages = rng.random(200) < 0.7, [f"l{i % 5}" for i in range(200)]
        task = task_of(trial("zero_shot", right.tolist(), languages))
        claims += any("Clearly worse than on" in text for text in task.verdict)
    assert claims <= 6  # 5 % of 40, and what chance adds to that once in a thousand times


def test_claims_are_adjusted_for_all_rows_and_slices():
    first = trial("zero_shot", SHARES, LANGUAGES)
    second = trial("few_shot", SHARES[::-1], LANGUAGES)
    changes = [row.to_others for part in task_of(first, second).slices for row in part.rows]
    assert [change.tests for change in changes] == [4] * 4
    assert all(change.adjusted_p >= change.p for change in changes)
    smallest = min(changes, key=lambda change: change.p)
    assert smallest.p_holm == pytest.approx(min(1, 4 * smallest.p))


def test_clusters_widen_the_interval_of_a_slice():
    right = [hit for hit in ([1, 1, 0] * 20) for _ in range(3)]
    clusters = [f"c{i // 3}" for i in range(180)]
    languages = [("en", "de")[i // 90] for i in range(180)]
    alone = task_of(trial("zero_shot", right, languages)).slices[0].rows[0].scores["accuracy"]
    clustered = task_of(trial("zero_shot", right, languages, clusters=clusters)).slices[0].rows[0].scores["accuracy"]
    assert clustered.high - clustered.low > 1.4 * (alone.high - alone.low)


def test_several_columns_and_empty_cells_are_slices_too():
    products = ["", "card"] * 82 + ["card"]
    task = task_of(trial("zero_shot", SHARES, LANGUAGES, ("language", "product"), products=products))
    assert [(part.column, part.value, part.items) for part in task.slices[3:]] == [
        ("product", "card", 83),
        ("product", "(empty)", 82),
    ]


def test_reports_have_the_slices():
    comparison = compare([trial("zero_shot", SHARES, LANGUAGES)])
    slices = json.loads(json_report.render(comparison))["tasks"][0]["slices"]
    assert slices[1]["rows"][0]["worst"]
    assert slices[1]["rows"][0]["to_others"]["p_holm"] < 0.001
    text = markdown.render(comparison)
    assert "language = de" in text
    assert "too small" in text


def test_records_without_groups_have_no_slices():
    task = task_of(stored("zero_shot", rows(SHARES, LANGUAGES)))
    assert task.slices == ()
    assert not any("By `" in text for text in task.verdict)
