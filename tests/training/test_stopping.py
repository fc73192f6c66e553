"""The stopping rule: how long a training may take, at which rate, and what it says of itself afterwards."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.api import Context
from harness.errors import HarnessError
from harness.training.divergence import DivergenceDetector
from harness.training.settings import LEAST_INTERVAL, StoppingSettings, evaluation_interval
from harness.training.stopping import StoppingRule, run_training, stopping_rule


def followed(rule, losses):
    """Follow a rule with the validation losses of its evaluations; return the rates and the steps evaluated."""
    rates, evaluated, remaining = [], [0], iter(losses)
    rule.judge(next(remaining))
    while rule.step < rule.end:
        rates.append(rule.learning_rate)
        rule.step += 1
        if rule.evaluation_due:
            rule.judge(next(remaining))
            evaluated.append(rule.step)
    return rates, evaluated


def falling():
    return (1 / (1 + n) for n in itertools.count())


def rising():
    return itertools.count(1.0)


def test_a_loss_that_always_falls_is_trained_to_the_ceiling_with_the_last_fifth_decaying():
    rule = StoppingRule(2.0, ceiling=100, floor=10, patience=2, interval=10, warmup=5)
    rates, evaluated = followed(rule, falling())
    assert rates[:5] == pytest.approx([0.4, 0.8, 1.2, 1.6, 2.0])
    assert set(rates[5:80]) == {2.0}
    assert rates[80:] == pytest.approx([2.0 * (20 - n) / 20 for n in range(20)])
    assert evaluated == list(range(0, 101, 10))
    run = rule.run()
    assert (run.steps, run.reason, run.best_step) == (100, "ceiling", 100)


def test_patience_begins_the_decay_which_is_a_fifth_of_all_steps():
    rule = StoppingRule(1.0, ceiling=1000, floor=24, patience=3, interval=8)
    rates, _ = followed(rule, [1.0, 0.5, 0.4, *(0.6 for _ in range(20))])  # best at step 16
    assert rule.decay_start == 40  # evaluations 24, 32 and 40 are not better
    assert len(rates) == rule.end == 50
    assert set(rates[:40]) == {1.0}
    assert all(a > b for a, b in itertools.pairwise(rates[40:]))
    assert rates[-1] == pytest.approx(0.1)
    run = rule.run("reward_model")
    assert (run.steps, run.floor_steps, run.ceiling_steps, run.patience) == (50, 24, 1000, 3)
    assert (run.evaluate_every, run.reason, run.best_step, run.part) == (8, "patience", 16, "reward_model")


def test_patience_does_not_count_before_the_floor():
    starts = []
    for floor in (0, 40):
        rule = StoppingRule(1.0, ceiling=1000, floor=floor, patience=2, interval=10)
        followed(rule, rising())
        starts.append(rule.decay_start)
    assert starts == [20, 50]


def test_without_patience_only_the_ceiling_counts():
    rule = StoppingRule(1.0, ceiling=60, patience=0, interval=10)
    rates, _ = followed(rule, rising())
    assert (len(rates), rule.run().reason, rule.run().best_step) == (60, "ceiling", 0)


@given(
    ceiling=st.integers(1, 300),
    floor=st.integers(0, 100),
    patience=st.integers(0, 5),
    interval=st.integers(1, 40),
    losses=st.lists(st.floats(0.1, 9.0), min_size=302, max_size=302),
)
def test_no_training_passes_its_ceiling_or_stops_before_its_floor(ceiling, floor, patience, interval, losses):
    rule = StoppingRule(1.0, ceiling, min(floor, ceiling), patience, interval, warmup=max(1, ceiling // 20))
    rates, evaluated = followed(rule, losses)
    assert min(floor, ceiling) <= len(rates) <= ceiling
    assert evaluated[-1] == len(rates)
    assert min(rates) > 0
    assert max(rates) <= 1
    decay = len(rates) - rule.decay_start
    assert decay == pytest.approx(len(rates) / 5, abs=1)
    assert rule.best == min(losses[: len(evaluated)])


def test_evaluations_cost_a_quarter_of_the_training_at_most():
    for items, batch in ((48, 16), (500, 16), (80, 4)):
        interval = evaluation_interval(batch, items)
        assert interval == LEAST_INTERVAL or items / (3 * batch * interval) <= 0.25
    rule = stopping_rule(StoppingSettings(learning_rate=1.0), items=192, batch_size=16, evaluated_items=80)
    assert (rule.ceiling, rule.floor, rule.interval, rule.warmup) == (120, 48, 8, 6)


def test_a_short_training_keeps_its_ceiling():
    rule = stopping_rule(StoppingSettings(learning_rate=1.0, epochs=1), items=20, batch_size=16, evaluated_items=80)
    assert (rule.ceiling, rule.floor) == (2, 2)


def descend(start, gradient, rule, norms=None, losses=None):
    """Train one weight, whose distance from 0 is the validation loss, by steps of a gradient."""
    weight, runs = torch.tensor([start]), []

    def take_step(step, rate):
        weight.sub_(rate * gradient)
        return (losses[step - 1] if losses else 1.0), (norms[step - 1] if norms else 1.0)

    context = Context(record_training=runs.append)
    run_training(
        rule, [weight], take_step, lambda _: abs(float(weight)), DivergenceDetector(rule.ceiling), context=context
    )
    return float(weight), *runs


def test_the_weights_before_training_stay_where_none_are_better():
    weight, run = descend(1.0, -1.0, StoppingRule(0.1, ceiling=50, patience=2, interval=5))
    assert weight == 1.0
    assert (run.best_step, run.reason, run.steps) == (0, "patience", 12)


def test_the_best_weights_stay():
    weight, run = descend(1.0, 1.0, StoppingRule(0.1, ceiling=50, patience=2, interval=5))
    assert weight == pytest.approx(0.0, abs=1e-6)
    assert (run.best_step, run.reason) == (10, "patience")


def test_a_training_that_diverges_after_it_was_of_use_keeps_its_best_weights():
    norms = [1.0] * 12 + [math.inf]
    weight, run = descend(1.0, 1.0, StoppingRule(0.1, ceiling=50, interval=5), norms)
    assert weight == pytest.approx(0.0, abs=1e-6)
    assert (run.best_step, run.steps, run.reason) == (10, 13, "diverged")


def test_a_training_that_diverges_before_it_was_of_use_is_an_error():
    with pytest.raises(HarnessError, match=r"at step 3: the norm of the gradients is nan; lower learning_rate"):
        descend(1.0, 1.0, StoppingRule(0.1, ceiling=50, interval=5), [1.0, 1.0, math.nan])
    with pytest.raises(HarnessError, match=r"diverged at step 13: the norm of the gradients is inf"):
        descend(1.0, -1.0, StoppingRule(0.1, ceiling=50, interval=5), [1.0] * 12 + [math.inf])
