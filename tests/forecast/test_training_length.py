"""Forecasts of how long a training may take follow the rule by which it stops."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.api import Footprint
from harness.forecast.training_length import training_length
from harness.records.measurements import Forecast
from harness.training.settings import StoppingSettings
from harness.training.stopping import stopping_rule


def followed(settings, items, batch_size, evaluated_items, losses):
    """Return the steps and the evaluations of a training with these validation losses."""
    rule, evaluations = stopping_rule(settings, items, batch_size, evaluated_items), 1
    rule.judge(next(losses))
    while rule.step < rule.end:
        rule.step += 1
        if rule.evaluation_due:
            rule.judge(next(losses))
            evaluations += 1
    return rule.step, evaluations


@given(
    items=st.integers(1, 900),
    batch_size=st.integers(1, 32),
    evaluated_items=st.integers(1, 200),
    settings=st.builds(
        StoppingSettings,
        learning_rate=st.just(1.0),
        epochs=st.integers(1, 12),
        min_steps=st.integers(0, 90),
        patience=st.integers(0, 4),
        evaluate_every=st.integers(0, 30),
        warmup=st.just(0.0),
    ),
)
def test_the_range_is_that_of_a_training_that_never_and_one_that_always_gets_better(
    items, batch_size, evaluated_items, settings
):
    footprint = Footprint(batch_size=batch_size, **settings.model_dump(exclude={"learning_rate", "warmup"}))
    length = training_length(footprint, items, evaluated_items)
    worse, better = itertools.count(1.0), (-float(n) for n in itertools.count())
    shortest, evaluations = followed(settings, items, min(batch_size, items), evaluated_items, worse)
    longest, most_evaluations = followed(settings, items, min(batch_size, items), evaluated_items, better)
    assert length.floor_share == pytest.approx(shortest / longest)
    assert length.floor_evaluations == pytest.approx(evaluations, abs=1)
    assert length.evaluations == pytest.approx(most_evaluations, abs=1)


def test_a_forecast_has_a_range_where_training_may_stop_before_its_ceiling():
    forecast = Forecast(phases_s={"load": 1.0, "adapt": 60.0}, floor_phases_s={"adapt": 20.0})
    assert (forecast.floor_s, forecast.total_s) == (21.0, 61.0)
