"""Drift as it is printed: every table is whole at 80 columns, and what has no room is named."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from harness.compare.drift.data_shift import Drift, UnlikeItem
from harness.compare.drift.fresh_scores import QualityShift
from harness.compare.drift.permutation_tests import Shift, ShiftSize
from harness.compare.stats.estimates import difference, estimate
from harness.render.drift_report import report
from tests.compare.samples import sample

NAME = "rag(k=3)+lora(rank=8,epochs=3)"


@pytest.fixture
def drift():
    test, fresh = sample([1, 1, 1, 0] * 10, "accuracy"), sample([1, 0, 1, 0] * 10, "accuracy")
    change = difference(fresh, test).model_copy(update={"p_holm": 0.01})
    quality = [
        QualityShift(
            strategy=name,
            model="small",
            metric="accuracy",
            higher_is_better=True,
            test=estimate(test),
            fresh=estimate(fresh),
            change=change,
        )
        for name in ("zero_shot", NAME)
    ]
    shift = Shift(
        quantity="length",
        statistic=0.4,
        p=0.001,
        p_holm=0.001,
        size=ShiftSize(value=12, low=8, high=15),
        detectable=0.2,
    )
    unlike = UnlikeItem(id="fresh/0123456789-a-long-identifier", input="What " * 30, similarity=0.31)
    return Drift(
        suite="quick",
        task="mood",
        fresh="new.csv",
        embedder="tiny",
        items=(40, 40),
        medians=(10, 22),
        shifts=(shift,),
        unlike=(unlike,),
        quality=tuple(quality),
    )


@pytest.mark.parametrize("width", [80, 60])
def test_tables_are_whole_and_hidden_columns_are_named(drift, width):
    console = Console(file=io.StringIO(), width=width)
    for part in report(drift):
        console.print(part, soft_wrap=isinstance(part, Text))
    lines = console.file.getvalue().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Scores"))
    assert max(len(line) for line in lines if line.startswith("  ")) <= width
    header = lines[start + 1].replace("\N{NO-BREAK SPACE}", " ")
    assert header.split("  ")[1] == "strategy"
    assert "change [95 %]" in header
    row = next(line for line in lines[start:] if line.startswith("  zero_shot "))
    assert "-0.25 [-0.39, -0.11]" in row
    hidden = " ".join(line.strip() for line in lines[start:]).replace("\N{NO-BREAK SPACE}", " ")
    assert "Hidden columns: test split" in hidden
