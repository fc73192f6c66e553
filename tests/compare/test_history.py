"""Figures from release to release, with their change points."""

import json

from harness.compare.release.history import CURRENT, Release, append_current, history
from harness.compare.release.run_noise import Noise
from harness.render.release.history_report import as_json, report
from tests import release_simulations
from tests.compare.builders import HERE
from tests.compare.release_builders import noise_of, share, store_of, trial_rows

QUIET = noise_of("latency", 0.01)
DATES = ("2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01")


def release(folder, date, **changes):
    return Release(f"r{date[5:7]}", date, store_of(folder / date, trial_rows(at=date, **changes)).load())


def follow(tmp_path, changes, noise=QUIET):
    releases = [release(tmp_path, date, **change) for date, change in zip(DATES, changes, strict=False)]
    return history("quick", releases, (), (), noise)


def test_a_planted_loss_is_a_change_point_and_the_rest_is_none(tmp_path):
    (series,) = follow(tmp_path, [{}, {}, {"right": share(0.45)}, {"right": share(0.45)}]).series
    assert [point.clear for point in series.points] == [None, None, "worse", None]
    assert series.points[2].change.value < -0.2


def test_a_change_of_protocol_is_named_and_is_no_change_of_quality(tmp_path):
    (series,) = follow(tmp_path, [{}, {"right": share(0.45), "protocol": 2}]).series
    assert (series.points[1].change, series.points[1].clear) == (None, None)
    assert "code: protocol 1 → 2" in series.points[1].differs


def test_planted_slowness_and_memory_are_change_points(tmp_path):
    (series,) = follow(tmp_path, [{}, {}, {"slower": 2.0, "fatter": 1.5}, {}]).series
    steps = [point.figures for point in series.points]
    assert [step["latency"].clear for step in steps] == [None, None, "worse", "better"]
    assert [step["memory while answering"].clear for step in steps] == [None, None, "worse", "better"]
    assert steps[0]["latency"].ratio is None
    assert steps[0]["latency"].value > 0


def test_seconds_of_single_runs_are_no_change_point_while_repeats_are_unknown(tmp_path):
    (series,) = follow(tmp_path, [{}, {"slower": 2.0}], Noise()).series
    latency = series.points[1].figures["latency"]
    assert (latency.ratio > 1.9, latency.clear) == (True, None)


def test_seconds_and_bytes_of_another_machine_are_shown_and_not_compared(tmp_path):
    elsewhere = HERE.model_copy(update={"processor": "another"})
    (series,) = follow(tmp_path, [{}, {"slower": 2.0, "fatter": 1.5, "tokens": 40, "environment": elsewhere}]).series
    figures = series.points[1].figures
    for name in ("latency", "memory while answering"):
        assert (figures[name].value > 0, figures[name].ratio, figures[name].clear) == (True, None, None)
    assert figures["tokens a question"].clear == "worse"


def test_of_releases_with_two_runs_each_that_do_not_differ_few_are_marked():
    """With normal quantiles it would be 19 %."""
    assert release_simulations.change_points(400)["null"] <= 0.09


def test_a_point_says_what_it_was_and_what_differs_from_the_one_before(tmp_path):
    newer = HERE.model_copy(update={"packages": {"torch": "3"}, "git_commit": "c" * 40})
    (series,) = follow(tmp_path, [{}, {"environment": newer}]).series
    last = series.points[1]
    assert (last.commit, last.versions, last.data_hash) == ("c" * 40, {"torch": "3"}, "d")
    assert any("torch 2.13.0 → 3" in line for line in last.differs)


def test_what_is_stored_now_is_the_last_release_unless_it_is_the_last_baseline(tmp_path):
    first, second = (release(tmp_path, date) for date in DATES[:2])
    assert [entry.name for entry in append_current([first], second.trials)] == ["r01", CURRENT]
    assert append_current([first, second], second.trials) == [first, second]
    assert append_current([first], []) == [first]
    assert [entry.name for entry in append_current([], first.trials)] == [CURRENT]


def test_strategies_and_metrics_can_be_chosen(tmp_path):
    store = store_of(tmp_path, trial_rows("qa"), trial_rows("qa", strategy="rag"))
    releases = [Release("r", "2026", store.load())]
    timeline = history("quick", releases, ["rag"], ["exact_match"], Noise())
    assert [(series.strategy, series.metric) for series in timeline.series] == [("rag", "exact_match")]


def test_a_strategy_that_came_later_begins_there(tmp_path):
    first = release(tmp_path, DATES[0])
    second = Release(
        "r02", DATES[1], store_of(tmp_path / "two", trial_rows(at=DATES[1]), trial_rows(strategy="rag")).load()
    )
    by_strategy = {
        series.strategy: [p.release for p in series.points]
        for series in history("quick", [first, second], (), (), Noise()).series
    }
    assert by_strategy == {"zero_shot": ["r01", "r02"], "rag": ["r02"]}


def test_models_of_one_release_are_followed_one_by_one(tmp_path):
    stores = [
        store_of(tmp_path / date, trial_rows(at=date), trial_rows(at=date, model="large", right=share(right)))
        for date, right in zip(DATES, (0.9, 0.6), strict=False)
    ]
    releases = [Release(f"r{number}", "2026", store.load()) for number, store in enumerate(stores)]
    by_model = {series.model: series for series in history("quick", releases, (), (), Noise()).series}
    assert {name: [point.clear for point in series.points] for name, series in by_model.items()} == {
        "small": [None, None],
        "large": [None, "worse"],
    }
    assert by_model["large"].name == "zero_shot · large"


def test_json_holds_every_point_and_the_terminal_every_release(tmp_path):
    timeline = follow(tmp_path, [{}, {"slower": 2.0}, {}])
    assert len(json.loads(as_json(timeline))["series"][0]["points"]) == 3
    assert len(report(timeline)) > 3
    assert report(history("quick", [], (), (), Noise()))[0].plain.startswith("No release")
