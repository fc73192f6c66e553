"""Repeats of the same trials: noise by figure, and answers that stayed the same."""

from statistics import stdev

import pytest

from harness.compare.release.figures import FIGURES
from harness.compare.release.pairing import read_measured
from harness.compare.release.repeats import RepeatSummary, summarise_repeats
from harness.compare.release.run_noise import FigureNoise, Noise, SystemNoise, read_noise, write_noise
from harness.render.release.noise_report import report
from harness.store.results_store import Store
from tests.compare.release_builders import record, rows


@pytest.fixture
def run(tmp_path):
    """Store one run of two trials and read it back."""

    def call(number, *, slower=1.0, fatter=1.0, right=(1, 1, 0, 1)):
        store = Store(tmp_path / str(number))
        for task in ("mood", "qa"):
            store.write(record(task, slower=slower, fatter=fatter), rows(task, right))
        return read_measured(store.load())

    return call


def test_the_noise_of_each_system_is_the_spread_of_its_runs(run):
    slower = (1.0, 1.2, 0.9)
    summary = summarise_repeats("quick", [run(i, slower=by) for i, by in enumerate(slower)], Noise())
    (mood,) = (noise for noise in summary.noise.floors if noise.task == "mood")
    seconds = [4.0 * by / 4 for by in slower]  # predicting 4 items
    assert mood.figures["answering time"].mean == pytest.approx(sum(seconds) / 3)
    assert mood.figures["answering time"].sd == pytest.approx(stdev(seconds))
    assert mood.figures["latency"].relative == pytest.approx(stdev(slower) / (sum(slower) / 3), rel=0.02)
    assert mood.figures["memory while answering"].sd == 0
    assert all(floor.n == 3 for floor in mood.figures.values())
    assert (summary.same_answers, summary.answers) == (16, 16)


def test_a_figure_has_its_unit_by_type_and_not_by_its_name(run):
    """A figure of a later version that is called after memory is no number of bytes."""
    (first, *_) = summarise_repeats("quick", [run(0), run(1)], Noise()).noise.floors
    assert {FIGURES[name].unit for name in first.figures} == {"s", "bytes"}
    bandwidth = {"memory bandwidth": FigureNoise(mean=3.0, sd=0.5, n=2), **first.figures}
    noise = Noise(floors=(first.model_copy(update={"figures": bandwidth}),))
    _, table, *_ = report(RepeatSummary("quick", noise, 0, 0))
    names, means = (table.columns[index].cells for index in (0, 1))
    mean_by_name = dict(zip(names, means, strict=True))
    assert mean_by_name["memory bandwidth"] == "3.000"
    assert mean_by_name["memory while answering"] == "800 MiB"
    assert mean_by_name["answering time"].endswith(" s")


def test_an_answer_that_changes_is_counted(run):
    summary = summarise_repeats("quick", [run(0), run(1, right=(1, 1, 1, 1))], Noise())
    assert (summary.same_answers, summary.answers) == (6, 8)


def test_what_was_known_of_other_systems_stays_and_of_the_same_ones_goes(run, tmp_path):
    first = summarise_repeats("quick", [run(0), run(1, slower=2.0)], Noise()).noise
    other = first.floors[0].model_copy(update={"strategy": "another"})
    again = summarise_repeats("quick", [run(2), run(3)], Noise(floors=(*first.floors, other))).noise
    assert [noise.strategy for noise in again.floors].count("another") == 1
    assert len(again.floors) == 3
    assert all(noise.figures["answering time"].sd == 0 for noise in again.floors if noise.strategy != "another")
    write_noise(tmp_path, again)
    assert read_noise(tmp_path) == again


def test_one_run_alone_tells_nothing(run):
    earlier = SystemNoise(
        machine=summarise_repeats("quick", [run(0), run(1)], Noise()).noise.floors[0].machine,
        suite="s",
        task="t",
        strategy="x",
        model="m",
        figures={"latency": FigureNoise(mean=1, sd=0.1, n=2)},
    )
    assert summarise_repeats("quick", [run(2)], Noise(floors=(earlier,))).noise.floors == (earlier,)
