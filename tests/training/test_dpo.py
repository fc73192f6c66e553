"""Direct preference optimisation as a step: after supervised tuning, its reference is the tuned model."""

from dataclasses import replace

import pytest
import torch

from harness.api import Context, Example, Query, System, Task, TaskData
from harness.plan.discover import find_step
from harness.predict.answering import predict

TASK = Task("t", "preference", instruction="Be brief.")


def pairs(count):
    words = ("bright", "dull"), ("warm", "cold"), ("soft", "hard")
    return tuple(
        Example(
            Query(str(n), f"Which film {n}?", (f"a {worse} one", f"a {better} one")),
            (f"a {better} one",),
            rejected=f"a {worse} one",
        )
        for n, (better, worse) in ((n, words[n % 3]) for n in range(count))
    )


TASK_DATA = TaskData(TASK, pairs(18), pairs(6))
HELD_OUT = pairs(24)[18:]


def build_step(name, **parameters):
    return find_step(name)(rank=4, **parameters)


def accuracy(system):
    predictions = predict(system, [example.query for example in HELD_OUT])
    return sum(p.answer == e.references[0] for p, e in zip(predictions, HELD_OUT, strict=True)) / len(HELD_OUT)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "sliding"])
def test_pairs_that_were_not_seen_are_told_apart(open_tiny, kind):
    system = System(open_tiny(kind), TASK)
    torch.manual_seed(0)
    tuned = build_step("dpo", learning_rate=1e-2, epochs=6, batch_size=6).adapt(system, TASK_DATA, Context())
    assert accuracy(tuned) == 1


def test_the_reference_is_the_model_that_the_step_before_left(open_tiny):
    system, points = System(open_tiny(), TASK), []
    torch.manual_seed(0)
    system = build_step("lora", learning_rate=1e-2, epochs=3, batch_size=6).adapt(system, TASK_DATA, Context())
    before = predict(system, [example.query for example in HELD_OUT])
    dpo = build_step("dpo", learning_rate=1e-9, epochs=1, batch_size=6)
    after = dpo.adapt(system, TASK_DATA, Context(log=points.append))
    first = next(point for point in points if "loss" in point)
    assert first["reward_margin"] == pytest.approx(0, abs=1e-4)
    again = predict(after, [example.query for example in HELD_OUT])
    for a, b in zip(before, again, strict=True):
        assert a.raw.choice_scores == pytest.approx(b.raw.choice_scores, abs=1e-3)


def test_the_metric_is_logged_on_both_splits(open_tiny):
    points = []
    data = replace(TASK_DATA, metrics=("accuracy",))
    how = {"learning_rate": 1e-2, "epochs": 2, "batch_size": 6, "watch_items": 4, "evaluate_every": 3}
    build_step("dpo", **how).adapt(System(open_tiny(), TASK), data, Context(log=points.append))
    monitored = [point for point in points if "validation_accuracy" in point]
    assert [point["epoch"] for point in monitored] == [0, 1, 2]
    assert all(0 <= point["train_accuracy"] <= 1 for point in monitored)


def test_a_larger_beta_keeps_closer_to_the_reference(open_tiny):
    moved = []
    for beta in (0.01, 10.0):
        system = System(open_tiny(), TASK)
        before = predict(system, [example.query for example in HELD_OUT])
        torch.manual_seed(0)
        tuned = build_step("dpo", beta=beta, learning_rate=1e-2, epochs=6, batch_size=6).adapt(
            system, TASK_DATA, Context()
        )
        after = predict(tuned, [example.query for example in HELD_OUT])
        changes = [abs(a.raw.choice_scores[0] - b.raw.choice_scores[0]) for a, b in zip(before, after, strict=True)]
        moved.append(sum(changes))
    assert moved[1] < moved[0]
