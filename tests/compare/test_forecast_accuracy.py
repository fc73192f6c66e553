"""Forecast ratios of rows, and the sentence about them."""

import pytest

from harness.compare.cost.resource_types import Cost, PhaseCost
from harness.compare.prose.forecast_sentences import sentence
from harness.compare.prose.names import Names
from harness.compare.table.forecast_ratios import figures, forecast_ratio
from harness.compare.table.result import StrategyResult
from harness.records.measurements import Forecast


def row(name, *, said_s, took_s, said_bytes=100, took_bytes=100):
    cost = Cost(
        phases={"predict": PhaseCost(wall_s=took_s), "score": PhaseCost(wall_s=50.0)},
        total_s=took_s,
        host_peak_bytes=took_bytes,
        forecast=Forecast(phases_s={"predict": said_s, "serve": 9.0}, host_peak_bytes=said_bytes),
    )
    return StrategyResult(strategy=name, model="m", status="completed", cost=cost)


def test_only_phases_that_both_know_are_compared():
    ratio = forecast_ratio(row("a", said_s=3.0, took_s=2.0).cost)
    assert (ratio.time, ratio.time_s, ratio.measured_s) == (1.5, 3.0, 2.0)


def test_the_worst_is_the_one_furthest_from_one_on_either_side():
    rows = [row("a", said_s=2.0, took_s=1.0), row("b", said_s=1.0, took_s=3.0), row("c", said_s=1.0, took_s=1.0)]
    text = sentence(rows, Names(rows))
    assert "time 1.00 (worst 0.33, `b`)" in text
    assert "memory 1.00" in text


def test_without_a_forecast_nothing_is_said():
    plain = row("a", said_s=1.0, took_s=1.0)
    plain = plain.model_copy(update={"cost": plain.cost.model_copy(update={"forecast": None})})
    assert sentence([plain], Names([plain])) == ""
    assert figures(plain.cost) == {}


def test_raw_numbers_hold_what_was_said_and_the_ratios():
    columns = figures(row("a", said_s=3.0, took_s=2.0, said_bytes=90).cost)
    assert columns["forecast_memory_ratio"] == pytest.approx(0.9)
    assert columns["forecast_time_ratio"] == pytest.approx(1.5)
