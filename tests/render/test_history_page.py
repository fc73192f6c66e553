"""Release history page: clear changes in sentences and charts, every figure in a table, foreign text cannot run."""

import json
import re
from itertools import pairwise

import pytest

from harness.cli.pages import history_of
from harness.compare.release.history import CURRENT
from harness.compare.report.comparison import compare
from harness.compare.trials.stored_trials import read_trials
from harness.render.html import history_page
from harness.render.html.page import render
from tests.render.pages import TAG, Scan, figures, write_releases


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_releases(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def history(store):
    return history_of(store, "quick")


@pytest.fixture(scope="module")
def page(history):
    return history_page.render(history)


def test_planted_changes_are_said_with_interval_and_releases_and_nothing_else_is(history):
    sentences = history_page.change_sentences(history)
    assert [
        re.search(r": (.+?) is (\w+) in `(\w+)` than in `(\w+)`: \S+ \[.+\]", line).groups() for line in sentences
    ] == [
        ("accuracy", "worse", "v2", "v1"),
        ("latency", "worse", CURRENT, "v2"),
        ("tokens a question", "worse", CURRENT, "v2"),
    ]
    assert all("`zero_shot`" in line for line in sentences)


def test_figures_of_the_tables_are_those_of_the_json(history, page):
    series_list = json.loads(history.model_dump_json())["series"]
    tables = figures(page)
    assert len(tables) == len(series_list) == 2
    for chart, series in zip(tables.values(), series_list, strict=True):
        cells = Scan(chart).cells
        values = [float(value) for value, _ in cells if value is not None]
        for point in series["points"]:
            assert point["score"]["value"] in values
            assert all(step["value"] in values for step in point["figures"].values())
            assert point["release"] in [text for _, text in cells]


def test_what_each_release_was_stands_in_a_table(page):
    texts = [text for _, text in Scan(page[page.index("What each release was") :]).cells]
    assert {"v1", "v2", CURRENT, "small", "3.0", "c0ffee99", "2026-02-01T10:00"} <= set(texts)
    assert "torch 2.13.0 → 3.0" in page


def test_a_name_stays_text_and_nothing_is_fetched(page):
    assert TAG not in page
    assert "&lt;img/src=x&gt;" in page
    scan = Scan(page)
    assert not [tag for tag, attributes in scan.tags if "src" in attributes or tag in ("link", "iframe", "img")]
    assert not re.search(r"url\((?!#)|@import|StrictUndefined", page)


def test_charts_have_texts_headings_an_order_and_ids_are_unique(page):
    scan = Scan(page)
    levels = [int(tag[1]) for tag, _ in scan.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(a.get("aria-label") for _, a in scan.tags if a.get("role") == "img")
    ids = [a["id"] for _, a in scan.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert all(f'id="{a["href"][1:]}"' in page for a in scan.of("a"))


def test_a_report_has_a_history_only_where_there_are_releases(store, history):
    comparison = compare(read_trials(store.load("quick")))
    assert 'id="history"' in render(comparison, histories=[history])
    assert 'id="history"' not in render(comparison)


def test_what_is_not_drawn_stands_in_a_table(history, monkeypatch):
    monkeypatch.setattr(history_page, "MAX_CHARTS", 1)
    (part,) = history_page.history_parts([history])
    (task,) = part.tasks
    assert [len(task.charts), len(task.figures)] == [1, 1]
    assert task.charts[0].title.startswith("zero_shot")  # it changed clearly
    assert len(task.figures[0][1].rows) == len(history.releases)


def test_a_drawing_has_every_release_and_what_changed_clearly(page):
    texts = [re.search(r"json\">(.*?)</script>", figure)[1] for figure in figures(page).values()]
    chart = next(drawing for drawing in map(json.loads, texts) if "worse" in str(drawing["strips"][0]))
    assert chart["releases"] == ["v1", "v2", CURRENT]
    accuracy = chart["strips"][0]
    assert accuracy["title"] == "accuracy"
    assert [mark["clear"] for mark in accuracy["marks"]] == [None, "worse", None]
