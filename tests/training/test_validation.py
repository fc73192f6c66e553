"""Validation monitoring: what is logged, when it stops a training, and that it changes no weight."""

import copy
import itertools
import math
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.api import Context, Example, Passage, Query, System, Task, TaskData
from harness.errors import HarnessError
from harness.training.adapters import attach_low_rank, unfreeze
from harness.training.batches import TrainingSample
from harness.training.divergence import DivergenceDetector
from harness.training.losses import mean_loss
from harness.training.progress import monitor_tasks
from harness.training.settings import SupervisedSettings
from harness.training.supervised import fit, train
from harness.training.validation import ValidationSet

SAMPLES = [TrainingSample([10 + n % 3, 11, 12 + n], [20 + n % 2, 2]) for n in range(12)]
OPPOSED = [TrainingSample(sample.prompt, [41, 2]) for sample in SAMPLES]  # the better SAMPLES are learned, the worse


def examples(start, count):
    return tuple(
        Example(Query(str(n), f"It was {('a delight', 'a bad film')[n % 2]} {n}"), (("good", "bad")[n % 2],))
        for n in range(start, start + count)
    )


TASK = Task("moods", "classification", instruction="Classify.", choices=("good", "bad"))
MATERIAL = TaskData(TASK, examples(0, 12), examples(20, 6), metrics=("accuracy", "macro_f1"))


def weights(module):
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def points_of(model, material=MATERIAL, system=None, **changes):
    points = []
    loop_settings = SupervisedSettings(learning_rate=5e-3, epochs=3, batch_size=4, **changes)
    fit(model, system or System(model, material.task), material, loop_settings, Context(log=points.append))
    return [point for point in points if "loss" not in point]


def test_each_evaluation_has_losses_and_the_metric_on_both_splits(open_tiny):
    points = points_of(unfreeze(open_tiny()), evaluate_every=3)
    assert [(point["step"], point["epoch"]) for point in points] == [(0, 0), (3, 1), (6, 2), (9, 3)]
    names = {"validation_loss", "train_accuracy", "validation_accuracy"}
    assert points[0].keys() == {"step", "epoch", *names}
    assert all(point.keys() == {"step", "epoch", "train_loss", *names} for point in points[1:])
    assert points[-1]["train_accuracy"] == points[-1]["validation_accuracy"] == 1.0
    assert points[-1]["train_loss"] < points[1]["train_loss"]


def test_the_metric_is_that_of_the_system_after_training(open_tiny):
    model = unfreeze(open_tiny())
    points = points_of(model)
    final = monitor_tasks(System(model, TASK), MATERIAL, 32).scores()
    assert final == {name: points[-1][name] for name in final}


def test_evaluations_can_be_more_than_one_an_epoch(open_tiny):
    points = points_of(unfreeze(open_tiny()), evaluate_every=2)
    assert [point["step"] for point in points] == [0, 2, 4, 6, 9]
    assert points[1]["epoch"] == pytest.approx(0.667)


@pytest.mark.parametrize("items", [0, 2, 32])
@pytest.mark.parametrize("kind", ["llama", "sliding"])
def test_the_weights_are_the_same_with_and_without_monitoring(open_tiny, items, kind):
    outcomes = []
    for watch_items, interval in ((items, 1), (0, 100)):
        model = attach_low_rank(open_tiny(kind), rank=4, alpha=8.0, dropout=0.5, targets="all-linear")
        model.module.load_state_dict(weights_of_seed(model.module))
        torch.manual_seed(5)
        random.seed(5)
        material = TaskData(TASK, MATERIAL.train, MATERIAL.validation, metrics=("accuracy",))
        loop_settings = SupervisedSettings(
            learning_rate=5e-3, epochs=1, batch_size=4, watch_items=watch_items, evaluate_every=interval
        )
        train_only(model, material, loop_settings)
        outcomes.append((weights(model.module), random.random()))
    assert all(torch.equal(outcomes[0][0][name], outcomes[1][0][name]) for name in outcomes[0][0])
    assert outcomes[0][1] == outcomes[1][1]


def weights_of_seed(module):
    torch.manual_seed(3)
    return {
        name: torch.randn_like(p) * 0.05 if "lora_A" in name else p
        for name, p in copy.copy(module.state_dict()).items()
    }


def train_only(model, material, loop_settings):
    """Train without the choice of the best epoch, in which the number of evaluations would show."""
    from harness.training.training_samples import build_split_samples

    system = System(model, material.task)
    validation = ValidationSet(tasks=monitor_tasks(system, material, loop_settings.watch_items))
    train(model.module, build_split_samples(system, material, "train"), loop_settings, Context(), validation)


OPPOSED_TRAINING = SupervisedSettings(
    learning_rate=3e-3, epochs=30, batch_size=4, min_steps=3, patience=2, evaluate_every=3, warmup=0.01
)


def test_training_stops_early_when_patience_ends_and_the_best_stays(open_tiny):
    module = unfreeze(open_tiny()).module
    points, steps, runs = [], [], []
    context = Context(
        log=points.append, progress=lambda step, total: steps.append((step, total)), record_training=runs.append
    )
    train(module, SAMPLES, OPPOSED_TRAINING, context, ValidationSet(OPPOSED))
    checks = {point["step"]: point["validation_loss"] for point in points if "validation_loss" in point}
    (run,) = runs
    assert run.best_step == min(checks, key=checks.get)
    assert mean_loss(module, OPPOSED, 768) == pytest.approx(checks[run.best_step], abs=1e-5)
    spent = run.best_step + 2 * 3
    assert (run.reason, run.steps, run.ceiling_steps) == ("patience", spent + spent // 4, 90)
    assert steps[0] == (1, 90)
    assert steps[-1] == (run.steps, run.steps)
    rates = [point["learning_rate"] for point in points if "loss" in point]
    assert set(rates[1:spent]) == {3e-3}
    assert all(0 < rate <= 3e-3 for rate in rates[spent:])


def test_weights_that_no_training_step_makes_better_are_those_from_before(open_tiny):
    module = unfreeze(open_tiny()).module
    train(module, OPPOSED, SupervisedSettings(learning_rate=3e-3, epochs=10, batch_size=4), Context())
    before, runs = weights(module), []
    train(module, SAMPLES, OPPOSED_TRAINING, Context(record_training=runs.append), ValidationSet(OPPOSED))
    assert runs[0].best_step == 0
    assert all(torch.equal(before[name], after) for name, after in weights(module).items())


def test_without_patience_every_epoch_is_run(open_tiny):
    module = unfreeze(open_tiny()).module
    points = []
    train(
        module,
        SAMPLES,
        SupervisedSettings(learning_rate=3e-3, epochs=8, batch_size=4, min_steps=0, patience=0, evaluate_every=3),
        Context(log=points.append),
        ValidationSet(OPPOSED),
    )
    assert sum("validation_loss" in point for point in points) == 9
    assert max(point["step"] for point in points) == 24


def test_the_best_can_be_chosen_by_the_metric(open_tiny):
    model = unfreeze(open_tiny())
    system = System(model, TASK)
    turned = tuple(Example(e.query, ("bad" if e.references == ("good",) else "good",)) for e in MATERIAL.validation)
    material = TaskData(TASK, MATERIAL.train, turned, metrics=("accuracy",))
    points = points_of(model, material, system, best_by="metric", evaluate_every=1)
    values = [point["validation_accuracy"] for point in points]
    assert values[-1] < max(values)
    assert monitor_tasks(system, material, 32).scores()["validation_accuracy"] == max(values)


@pytest.mark.parametrize(
    "material",
    [TaskData(TASK, MATERIAL.train, MATERIAL.validation), TaskData(TASK, MATERIAL.train, metrics=("accuracy",))],
)
def test_the_best_by_a_metric_that_there_is_not_is_refused(open_tiny, material):
    with pytest.raises(HarnessError, match="best_by=metric needs a metric and a validation split of task 'moods'"):
        points_of(unfreeze(open_tiny()), material, best_by="metric")


def test_tasks_that_are_learned_together_are_scored_each_by_its_own_metric(open_tiny):
    doors = Task("doors", "qa", instruction="Be brief.", max_new_tokens=4)
    asks = tuple(Example(Query(str(n), f"Which key {n}?"), ("a delight",)) for n in range(8))
    second = TaskData(doors, asks[:6], asks[6:], metrics=("token_f1",))
    third = TaskData(
        Task("more", "classification", choices=("good", "bad")), *((MATERIAL.train[:4],) * 2), metrics=("accuracy",)
    )
    all_tasks = TaskData(
        TASK, MATERIAL.train, MATERIAL.validation, metrics=("accuracy",), parts=(MATERIAL, second, third)
    )
    points = points_of(unfreeze(open_tiny()), all_tasks)
    assert {"validation_accuracy", "train_accuracy", "validation_token_f1", "train_token_f1"} <= points[-1].keys()
    model = open_tiny()
    system = System(model, TASK)
    single_scores = [
        monitor_tasks(System(model, part.task), part, 32).scores()["validation_accuracy"] for part in (MATERIAL, third)
    ]
    assert monitor_tasks(system, all_tasks, 32).scores()["validation_accuracy"] == pytest.approx(sum(single_scores) / 2)


def test_passages_are_found_once_however_often_a_system_is_asked(open_tiny):
    calls = []

    class Finds:
        def find(self, queries):
            calls.append(len(queries))
            return [(Passage("p", "A delight."),) for _ in queries]

    tasks = monitor_tasks(System(open_tiny(), TASK, retriever=Finds()), MATERIAL, 4)
    assert tasks.scores() == tasks.scores()
    assert calls == [4, 4]


def test_a_learning_rate_that_is_far_too_high_stops_the_training(open_tiny):
    module = unfreeze(open_tiny()).module
    with pytest.raises(
        HarnessError, match=r"diverged at step \d+: the (last 8 losses were \d+|loss is nan).*; lower learning_rate\."
    ):
        train(module, SAMPLES, SupervisedSettings(learning_rate=10.0, epochs=12, batch_size=4), Context())


def test_a_healthy_training_on_single_examples_goes_on(open_tiny):
    module = unfreeze(open_tiny()).module
    points = []
    train(module, SAMPLES, SupervisedSettings(learning_rate=1e-3, epochs=6, batch_size=1), Context(log=points.append))
    losses = [point["loss"] for point in points if "loss" in point]
    assert len(losses) == 72
    assert max(b - a for a, b in itertools.pairwise(losses)) > 0.5  # single steps do rise


@settings(max_examples=60, deadline=None)
@given(noise=st.lists(st.floats(0.02, 1.5), min_size=10, max_size=80))
def test_noise_around_a_level_is_no_divergence(noise):
    divergence = DivergenceDetector(len(noise))
    for value in noise:
        divergence.check(1.5 + value, value)


def test_rare_hard_examples_in_a_learned_task_are_no_divergence():
    divergence = DivergenceDetector(200)
    draw = random.Random(0)
    for _ in range(200):
        divergence.check(*((4.0, 20.0) if draw.random() < 0.3 else (0.02, 0.01)))


def check_all(divergence, losses, norms=None):
    for loss, norm in zip(losses, norms or itertools.repeat(1.0), strict=norms is not None):
        divergence.check(loss, norm)


def test_a_loss_that_stays_where_it_rose_to_is_a_divergence():
    with pytest.raises(HarnessError, match=r"at step 18: the last 8 losses were 9\.00 or more, from 2\.00; lower"):
        check_all(DivergenceDetector(40), [2.0] * 10 + [9.0] * 30)


def test_a_loss_that_is_worse_than_guessing_from_the_second_step_on_is_a_divergence():
    with pytest.raises(HarnessError, match="diverged at step 9"):
        check_all(DivergenceDetector(40, uniform=6.0), [6.2] + [40.0, 900.0] * 20)


def test_a_loss_that_has_become_that_of_a_guess_is_a_divergence():
    with pytest.raises(HarnessError, match=r"no lower than 10\.80, that of a guess over .*, from 3\.40"):
        check_all(DivergenceDetector(24, uniform=10.80), [3.4, 51.8, *(10.8 for _ in range(22))])


def test_a_model_that_begins_by_guessing_may_go_on():
    check_all(DivergenceDetector(24, uniform=4.0), [4.1, *(4.0 for _ in range(23))])


def test_gradients_that_are_lost_are_a_divergence():
    losses, norms = [3.0, 2.0, *(2.5 for _ in range(22))], [1.0, 1.0, *(0.0 for _ in range(22))]
    with pytest.raises(HarnessError, match=r"at step 8: the gradients of the last 6 steps are 0, and the loss"):
        check_all(DivergenceDetector(24), losses, norms)
    check_all(DivergenceDetector(24), [3.0, *(0.0 for _ in range(23))], norms)  # everything is learned


def test_gradients_that_explode_while_the_loss_rises_are_a_divergence():
    losses = [2.0] * 10 + [2.2] * 14
    norms = [1.0] * 10 + [500.0] * 14
    with pytest.raises(HarnessError, match=r"diverged at step 16: the gradients' norm .* was 500 or more, from 1"):
        check_all(DivergenceDetector(24), losses, norms)
    check_all(DivergenceDetector(24), [2.0] * 10 + [0.5] * 14, norms)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_gradients_without_numbers_are_a_divergence(number):
    with pytest.raises(HarnessError, match=f"diverged at step 3: the norm of the gradients is {number}; lower"):
        check_all(DivergenceDetector(24), [2.0, 2.0, 2.0], [1.0, 1.0, number])


@pytest.mark.parametrize("packs", [True, False])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_checkpointing_changes_no_weight_and_runs_the_blocks_again(open_tiny, packs, method):
    trained_weights, runs = [], []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        adapter = {"rank": 4, "alpha": 8.0, "dropout": 0.3, "targets": "all-linear"}
        model = unfreeze(open_tiny()) if method == "full" else attach_low_rank(open_tiny(), **adapter)
        calls = []
        inner = next(m for name, m in model.module.named_modules() if name.endswith("layers.0.self_attn"))
        inner.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        settings_ = SupervisedSettings(learning_rate=1e-3, epochs=1, batch_size=12, checkpointing=checkpointing)
        torch.manual_seed(1)
        train(model.module, SAMPLES, settings_, Context(), packs=packs)
        trained_weights.append(weights(model.module))
        runs.append(len(calls))
    assert runs[1] == 2 * runs[0]
    assert all(
        torch.allclose(trained_weights[0][name], trained_weights[1][name], atol=1e-6) for name in trained_weights[0]
    )
    assert not any(getattr(module, "gradient_checkpointing", False) for module in model.module.modules())
