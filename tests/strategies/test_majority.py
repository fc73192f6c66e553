"""The constant answer: the training split's commonest label, whatever is asked, and no model is asked for it."""

import pytest

from harness.api import Context, Example, ModelInfo, Query, System, Task, TaskData
from harness.plan import chain, discover
from harness.predict.answering import predict
from harness.predict.label_calibration import calibrate


class Unasked:
    info = ModelInfo(name="unasked")


def constant(task, train):
    (link,) = chain.build("majority", discover.find_step)
    data = TaskData(task, train)
    system = link.step.adapt(System(Unasked(), task), data, Context())
    return calibrate(system, data)[0]


def answers(system, queries):
    return [prediction.answer for prediction in predict(system, queries)]


@pytest.mark.parametrize(("counts", "expected"), [((1, 3), "yes"), ((3, 1), "no"), ((2, 2), "no")])
def test_it_is_the_commonest_training_label_and_of_equals_the_first(counts, expected):
    task = Task("t", "classification", choices=("no", "yes"))
    train = [
        Example(Query(f"{label}{n}", "?"), (label,))
        for label, count in zip(task.choices, counts, strict=True)
        for n in range(count)
    ]
    assert answers(constant(task, tuple(train)), [Query("a", "Yes?"), Query("b", "No?")]) == [expected] * 2


def test_where_items_bring_their_choices_it_is_the_commonest_text_or_else_position():
    task = Task("t", "multiple_choice")
    train = tuple(
        Example(Query(str(n), "?", (f"a{n}", f"b{n}", "none of these")), (right,))
        for n, right in enumerate(["b0", "b1", "none of these", "none of these", "b4"])
    )
    queries = [Query("x", "?", ("p", "q", "none of these")), Query("y", "?", ("short", "a much longer choice", "r"))]
    assert answers(constant(task, train), queries) == ["none of these", "a much longer choice"]
