"""Learning curves: what stands in the table, what in the curve, and what the report says of more data."""

import csv
import io
import json

import pytest

from harness.compare.report.comparison import compare
from harness.compare.table.findings import TaskWarning
from harness.compare.table.learning_curves import by_size
from harness.errors import HarnessError
from harness.render.report import csv as as_csv
from harness.render.report import json as as_json
from harness.render.report import markdown
from harness.store.results_store import select_newest
from tests.compare.builders import completed, failed, info, pattern


def of_size(strategy, size, share, *, full=192, **changes):
    tasks = (info("sentiment", data_hash=f"{size}", sizes={"train": size or full, "test": 200}),)
    return completed("sentiment", strategy, pattern(share), size=size, trained=1, tasks=tasks, **changes)


def stored():
    return [
        completed("sentiment", "zero_shot", pattern(0.5)),
        of_size("lora", 32, 0.6),
        of_size("lora", None, 0.9),
        of_size("lora", 128, 0.7),
        of_size("full", 32, 0.55),
        of_size("full", None, 0.75),
        of_size("full", 128, 0.75),
    ]


def table(*trials):
    return compare(trials or stored()).suites[0].tasks[0]


def row(found, strategy):
    return next(one for one in found.rows if one.strategy == strategy)


def test_the_table_has_the_full_size_and_the_curve_every_size():
    found = table()
    assert [(one.strategy, round(one.scores["accuracy"].value, 2)) for one in found.rows] == [
        ("lora", 0.9),
        ("full", 0.75),
        ("zero_shot", 0.5),
    ]
    curve = row(found, "lora").learning_curve
    assert [(point.train_items, round(point.score.value, 2)) for point in curve] == [(32, 0.6), (128, 0.7), (192, 0.9)]
    assert [point.gain and round(point.gain.value, 2) for point in curve] == [None, 0.1, 0.2]
    assert row(found, "zero_shot").learning_curve == ()
    assert not any("different data" in warning.text for warning in found.warnings)


def test_without_the_full_size_the_largest_stands_in_the_table():
    found = table(of_size("lora", 32, 0.6), of_size("lora", 64, 0.8), completed("sentiment", "zero_shot", pattern(0.5)))
    assert row(found, "lora").scores["accuracy"].value == pytest.approx(0.8)
    assert [trial.train_items for trial in row(found, "lora").trials] == [64]


def test_unlike_sizes_side_by_side_are_warned_of():
    sized = [of_size("lora", 32, 0.6), of_size("lora", 64, 0.8), of_size("full", 32, 0.6), of_size("full", None, 0.7)]
    assert any("training sizes differ" in warning.text and "64" in warning.text for warning in table(*sized).warnings)


def test_what_still_gains_from_more_items_is_said():
    (said,) = (text for text in table().verdict if "training items" in text)
    assert said.startswith("More training items probably help: `lora` +0.20 [")
    assert "from 128 to 192 items" in said
    assert "`full`" not in said


def test_seeds_are_pooled_at_every_size():
    pairs = [of_size("lora", size, share, seed=seed) for size, share in ((32, 0.5), (None, 0.8)) for seed in (0, 1)]
    curve = row(table(*pairs), "lora").learning_curve
    assert [point.score.seeds for point in curve] == [2, 2]


def test_a_point_that_failed_is_named_and_the_rest_of_the_curve_stays():
    lost = failed("sentiment", "lora", "out of memory", train_items=64, basis="b")
    found = table(of_size("lora", 32, 0.6), lost, of_size("lora", None, 0.9))
    assert len(row(found, "lora").learning_curve) == 2
    assert TaskWarning(kind="curve", text="lora with 64 training items has no result: out of memory") in found.warnings
    assert row(found, "lora").reason is None


def test_one_size_alone_makes_no_curve():
    assert row(table(of_size("lora", 32, 0.6)), "lora").learning_curve == ()
    assert by_size([completed("sentiment", "lora", pattern(0.5))])[1] == {}


def test_every_report_has_the_curve():
    made = compare(stored())
    text = markdown.render(made)
    assert "| strategy | 32 items | 128 items | 192 items | last gain |" in text
    tuned = next(one for one in csv.DictReader(io.StringIO(as_csv.render(made))) if one["strategy"] == "lora")
    assert float(tuned["score@32"]) == pytest.approx(0.6)
    shown = json.loads(as_json.render(made))
    sizes = sorted(str(t["train_items"]) for t in shown["trials"] if t["strategy"] == "lora")
    assert sizes == ["128", "32", "None"]
    tuned = next(one for one in shown["tasks"][0]["strategies"] if one["strategy"] == "lora")
    assert [point["train_items"] for point in tuned["learning_curve"]] == [32, 128, 192]


def test_sizes_are_no_repetitions_of_one_another():
    with pytest.raises(HarnessError, match="two records"):
        table(of_size("lora", 32, 0.6), of_size("lora", 32, 0.7))
    assert len(select_newest(stored()).trials) == 7
