"""`harness metrics`: every metric with direction, range, definition and source, those of packages too."""

import json

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.compare.report.comparison import compare
from harness.metrics import builtin_metrics
from tests.compare.test_readings import written
from tests.metrics.test_metric_plugins import SHOUTING, install  # noqa: F401 - a fixture


def printed(*arguments):
    result = CliRunner().invoke(app, ["metrics", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_list_has_every_built_in_metric_as_it_is_defined():
    entries = {entry["name"]: entry for entry in json.loads(printed("--format", "json"))["metrics"]}
    for name, metric in builtin_metrics().items():
        entry = entries.get(name) or entries[f"{name.partition('@')[0]}@N"]
        assert entry["better"] == {True: "higher", False: "lower", None: "none"}[metric.higher_is_better]
        assert entry["low"] == metric.bounds[0]
        assert metric.summary in entry["definition"] or "@" in name
        assert entry["kinds"] == sorted(metric.kinds)
        assert entry["source"] == metric.source


def test_one_metric_is_shown_in_full():
    text = printed("macro_f1", "recall@7")
    assert "Sokolova & Lapalme 2009" in text
    assert "BCa bootstrap" in text
    assert "recall@7" in text


def test_a_metric_of_a_package_is_listed_and_a_broken_one_hides_none(install):  # noqa: F811
    install("loud_pack", "shouting", "METRIC")
    install("broken_pack", "broken", "METRIC", "raise RuntimeError('no such library')")
    listed = json.loads(printed("--format", "json"))
    entry = next(entry for entry in listed["metrics"] if entry["name"] == "shouting")
    assert "loud_pack" in entry["origin"]
    assert entry["interval"] == "Wilson"
    assert any("no such library" in problem for problem in listed["problems"])
    assert len(listed["metrics"]) > len(builtin_metrics()) / 2


CAPITALS = SHOUTING.replace('frozenset({"qa"})', 'frozenset({"classification"})').replace(
    "output.isupper()", "output == 'pos'"
)


def test_a_metric_of_a_package_gets_intervals_and_tests_like_a_built_in_one(install):  # noqa: F811
    install("capital_pack", "shouting", "METRIC", CAPITALS)
    trials = [written("zero_shot", right=0.5), written("few_shot", right=0.9)]
    renamed = [
        type(trial)(
            trial.record.model_copy(
                update={"tasks": (trial.record.tasks[0].model_copy(update={"metrics": ("shouting", "accuracy")}),)}
            ),
            trial.items,
        )
        for trial in trials
    ]
    task = compare(renamed).suites[0].tasks[0]
    score = task.rows[0].scores["shouting"]
    outputs = next(iter(renamed[0].items.values())).outputs
    assert task.primary == "shouting"
    assert score.low < score.value < score.high
    assert "Wilson" in score.method
    assert task.rows[1].to_best.p <= 1
    values = {row.strategy: row.scores["shouting"].value for row in task.rows}
    assert values["zero_shot"] == pytest.approx(outputs.count("pos") / len(outputs))
