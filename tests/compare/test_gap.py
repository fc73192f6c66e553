"""Training items against test items: the interval of two independent samples, and its sentences in the report."""

import csv
import io
import json

import numpy as np
import pytest

from harness.compare.report.comparison import compare
from harness.compare.stats.estimates import difference, unpaired_difference
from harness.compare.trials.stored_trials import read_trials
from harness.records.record import Row
from harness.render.report import csv as as_csv
from harness.render.report import json as as_json
from harness.render.report import markdown
from tests.compare.builders import answered, completed, pattern
from tests.compare.samples import sample, two_classes


def shares(hits, n):
    return sample([1.0] * hits + [0.0] * (n - hits), "accuracy")


def test_two_shares_get_newcombes_interval():
    # Newcombe 1998, Statistics in Medicine 17, table II: 56/70 and 48/80 by method 10
    gap = unpaired_difference(shares(56, 70), shares(48, 80))
    assert gap.value == pytest.approx(0.2)
    assert (gap.low, gap.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert 0.001 < gap.p < 0.05


def test_all_right_against_all_right_is_no_gap_and_still_has_a_width():
    gap = unpaired_difference(shares(40, 40), shares(40, 40))
    assert (gap.value, gap.p) == (0, 1)
    assert gap.low < -0.05 < 0.05 < gap.high


def test_p_is_5_per_cent_where_the_interval_meets_0():
    gaps = [unpaired_difference(shares(hits, 100), shares(50, 100)) for hits in range(100)]
    assert all((gap.p < 0.05) == (gap.low > 0 or gap.high < 0) for gap in gaps)


def test_clusters_widen_the_gap():
    scores = np.repeat(np.arange(40) % 2, 5).astype(float)
    alone, grouped = sample(scores), sample(scores, clusters=np.repeat(np.arange(40), 5))
    narrow, wide = unpaired_difference(alone, alone), unpaired_difference(grouped, grouped)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_seeds_that_disagree_on_the_gap_widen_it():
    rng = np.random.default_rng(0)
    noise, shift = rng.normal(0.5, 0.1, (3, 200)), np.array([[-0.2], [0.0], [0.2]])
    alike = unpaired_difference(sample(noise + shift), sample(noise + shift))
    unlike = unpaired_difference(sample(noise + shift), sample(noise - shift))
    assert unlike.high - unlike.low > 3 * (alike.high - alike.low)


def test_a_metric_that_is_no_mean_gets_a_gap_too():
    truth = np.arange(80) % 2
    gap = unpaired_difference(two_classes(np.ones(80), truth), two_classes(np.arange(80) % 4 > 0, truth))
    assert 0 < gap.low < gap.value < gap.high


@pytest.mark.parametrize(("n", "m", "share"), [(64, 200, 0.95), (64, 64, 0.7), (40, 400, 0.5)])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(n, m, share):
    rng = np.random.default_rng(1)
    truth, covered = 0.0, 0
    for _ in range(1000):
        gap = unpaired_difference(shares(rng.binomial(n, share), n), shares(rng.binomial(m, share), m))
        covered += gap.low <= truth <= gap.high
    assert 0.93 < covered / 1000 < 0.98


def test_a_gap_is_wider_than_a_paired_difference_of_the_same_answers():
    rng = np.random.default_rng(2)
    scores = rng.random(100)
    near = sample(scores + rng.normal(0, 0.01, 100))
    paired, apart = difference(near, sample(scores)), unpaired_difference(near, sample(scores))
    assert apart.high - apart.low > 10 * (paired.high - paired.low)


def stored():
    return [
        completed("sentiment", "zero_shot", pattern(0.5)),
        completed("sentiment", "lora", pattern(0.6), trained=1, seen=pattern(1.0, 64)),
        completed("sentiment", "full", pattern(0.7), trained=1, seen=pattern(0.7, 60)),
    ]


def test_what_is_learned_by_heart_is_told_of_and_what_is_not_is_not():
    comparison = compare(stored())
    rows = {row.strategy: row for row in comparison.suites[0].tasks[0].rows}
    assert rows["zero_shot"].gap is None
    assert rows["lora"].gap.train.value == 1
    assert rows["lora"].gap.change.value == pytest.approx(0.4)
    assert rows["lora"].scores["accuracy"].value == pytest.approx(0.6)
    (sentence,) = (text for text in comparison.suites[0].tasks[0].verdict if "verfits" in text)
    assert "`lora` +0.40" in sentence
    assert "`full`" not in sentence
    assert "overfitting gap" in markdown.render(comparison)
    tuned = next(row for row in csv.DictReader(io.StringIO(as_csv.render(comparison))) if row["strategy"] == "lora")
    assert (float(tuned["gap"]), float(tuned["train_score"])) == (pytest.approx(0.4), 1)
    trial = next(t for t in json.loads(as_json.render(comparison))["trials"] if t["strategy"] == "lora")
    assert trial["scores"]["gap"]["value"] == pytest.approx(0.4)


def test_no_gap_is_said_to_be_none():
    (sentence,) = (text for text in compare(stored()[::2]).suites[0].tasks[0].verdict if "overfitting" in text)
    assert sentence == "No clear overfitting."


def test_rows_of_training_items_are_read_apart_from_test_items():
    import pyarrow as pa

    from harness.store.column_file import TableColumns
    from harness.store.record_file import row_schema

    record = completed("sentiment", "lora", pattern(0.5)).record

    class Kept:
        def __init__(self):
            self.record = record

        def columns(self):
            rows = [row.model_copy(update={"task": "sentiment"}) for row in answered([1, 0, 1])]
            rows += [Row.model_validate({**row.model_dump(), "role": "train"}) for row in rows[:2]]
            return TableColumns(pa.Table.from_pylist([row.model_dump() for row in rows], schema=row_schema()))

    (stored_trial,) = read_trials([Kept()])
    assert (len(stored_trial.items["sentiment"]), len(stored_trial.train_evaluation)) == (3, 2)
