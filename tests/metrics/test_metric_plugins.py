"""Finding metrics: in the modules of their families among the built-in ones, by entry point among the others."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import harness
from harness import metrics
from harness.api import plugin_points
from harness.data.suite import load_suite
from harness.errors import HarnessError
from harness.metrics import Items, metric_lookup
from harness.records.record import Row

SHOUTING = """
import numpy as np
from harness.metrics import Items, Metric, MetricSeries

def in_capitals(items):
    return np.array([float(output.isupper()) for output in items.outputs])[:, None]

METRIC = Metric("shouting", "share of outputs in capitals", frozenset({"qa"}), in_capitals, binary=True)
SERIES = MetricSeries(
    "shorter_than",
    lambda n: Metric(
        f"shorter_than@{n}",
        "share of short outputs",
        frozenset({"qa"}),
        lambda items: np.array([float(len(output) < n) for output in items.outputs])[:, None],
    ),
)
"""
ITEMS = Items.from_rows([Row(task="t", id=text, references=("x",), output=text) for text in ("YES", "n")])


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package with one entry point, as pip would lay it out."""

    def add(package: str, point: str, target: str, code: str = SHOUTING) -> None:
        site = tmp_path / f"site_{package}"
        folder = site / f"{package}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[{metric_lookup.GROUP}]\n{point} = {package}:{target}\n")
        (site / f"{package}.py").write_text(code)
        monkeypatch.syspath_prepend(str(site))
        metric_lookup.clear()

    yield add
    monkeypatch.undo()
    metric_lookup.clear()


def suite_with(folder, name):
    (folder / "suite.toml").write_text(
        'name = "mine"\nversion = 1\n[[tasks]]\nname = "t"\nkind = "qa"\ndata = "rows.csv"\n'
        f'input = "q"\nreference = "a"\nmetrics = ["{name}"]\n'
    )
    return folder


def test_a_package_adds_a_metric_that_a_suite_can_name(install, tmp_path):
    suite = suite_with(tmp_path, "shouting")
    with pytest.raises(HarnessError, match="unknown metric 'shouting' in task 't'"):
        load_suite(suite)
    install("loud_pack", "shouting", "METRIC")
    assert load_suite(suite).tasks[0].metrics == ("shouting",)
    assert metrics.get("shouting").value(ITEMS) == 0.5
    assert metrics.get("shouting") is metrics.get("shouting")


def test_a_package_adds_a_series_of_metrics(install):
    install("series_pack", "shorter_than", "SERIES")
    assert metrics.get("shorter_than@2").value(ITEMS) == 0.5
    for name in ("shorter_than", "shorter_than@0", "shorter_than@x"):
        with pytest.raises(HarnessError, match="unknown metric"):
            metrics.get(name)


def test_an_unknown_metric_gets_a_near_match_among_those_of_packages_too(install):
    install("near_pack", "shouting", "METRIC")
    with pytest.raises(HarnessError, match=r"unknown metric 'shoutin' in suite\.toml: did you mean 'shouting'\?"):
        metrics.get("shoutin", where="suite.toml")


def test_a_broken_package_is_one_error_that_names_it_and_hides_no_other_metric(install):
    install("sound_pack", "shouting", "METRIC")
    install("broken_pack", "broken", "METRIC", "raise RuntimeError('no such\\nlibrary')")
    with pytest.raises(HarnessError) as error:
        metrics.get("broken")
    assert str(error.value) == (
        "metric 'broken' of broken_pack:METRIC (package broken_pack) cannot be loaded: RuntimeError: no such library"
    )
    assert metrics.get("accuracy").name == "accuracy"
    assert metrics.get("shouting").name == "shouting"


@pytest.mark.parametrize(
    ("point", "target", "message"),
    [
        ("shouting", "np", "metric 'shouting' of {}:np .*is no harness.metrics.Metric"),
        ("loud", "METRIC", "metric 'loud' of {}:METRIC .*calls itself 'shouting': give both the same name"),
    ],
)
def test_an_entry_point_names_a_metric_of_its_own_name(install, point, target, message):
    install(f"wrong_{point}", point, target)
    with pytest.raises(HarnessError, match=message.format(f"wrong_{point}")):
        metrics.get(point)


@pytest.mark.parametrize(("point", "name"), [("token_f1", "token_f1"), ("recall", "recall@5"), ("recall", "recall@7")])
def test_a_name_that_collides_with_a_builtin_is_an_error_that_names_both(install, point, name):
    install(f"same_{point}", point, "METRIC")
    origins = rf"harness\.metrics\.\w+ and same_{point}:METRIC \(package same_{point}\); remove all but one"
    with pytest.raises(HarnessError, match=f"2 metrics are called '{point}': {origins}"):
        metrics.get(name)
    assert metrics.get("accuracy").name == "accuracy"


def test_two_packages_with_one_metric_are_an_error_and_one_that_is_listed_twice_is_none(monkeypatch, install):
    install("twice_pack", "shouting", "METRIC")
    points = [EntryPoint("shouting", "twice_pack:METRIC", metric_lookup.GROUP)] * 2
    monkeypatch.setattr(plugin_points, "entry_points", lambda group: points)
    metric_lookup.clear()
    assert metrics.get("shouting").name == "shouting"
    points.append(EntryPoint("shouting", "other_pack:METRIC", metric_lookup.GROUP))
    metric_lookup.clear()
    with pytest.raises(HarnessError, match="twice_pack:METRIC and other_pack:METRIC"):
        metrics.get("shouting")


def test_a_new_builtin_metric_is_one_file(tmp_path):
    shutil.copytree(Path(harness.__file__).parent, tmp_path / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    code = SHOUTING.replace("METRIC = ", "LOUD = ") + "METRICS = (LOUD, SERIES)\n"
    (tmp_path / "harness" / "metrics" / "loudness.py").write_text(code)
    program = (
        "from harness.metrics import builtin_metrics, get, metric_lookup\n"
        "assert {'shouting', 'accuracy'} <= set(builtin_metrics())\n"
        "assert 'harness.metrics.loudness' in metric_lookup.families()\n"
        "print(get('shouting').summary, '|', get('shorter_than@3').name)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    run = [sys.executable, "-c", program]
    printed = subprocess.check_output(run, env=environment, cwd=tmp_path, text=True)
    assert printed.strip() == "share of outputs in capitals | shorter_than@3"


def test_no_two_builtin_metrics_have_one_name():
    names = [definition.name for family in metric_lookup.families().values() for definition in family]
    assert sorted(names) == sorted(set(names))
