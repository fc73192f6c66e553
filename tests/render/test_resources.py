"""Training memory and energy, in every form of the report."""

import csv
import io
import json

import pytest

from harness.compare.report.comparison import compare
from harness.records.measurements import Held, Span
from harness.render.report import csv as as_csv
from harness.render.report import json as as_json
from harness.render.report import legend, markdown, memory_text
from harness.render.report.columns import columns_of
from tests.compare.builders import HERE, completed, pattern

MIB = 1 << 20
HELD = Held(weights_bytes=257 * MIB, tuned_weights_bytes=111 * MIB, gradient_bytes=9 * MIB, optimizer_bytes=28 * MIB)
SOURCE = "codecarbon, whole machine: processor estimated from its model and load"


def spans(joules, peak=1400 * MIB, gpu=None):
    return (
        Span(phase="load", wall_s=1.0, energy_j=joules),
        Span(
            phase="adapt", step="qlora", wall_s=5.0, host_peak_bytes=peak, gpu_reserved_peak_bytes=gpu, energy_j=joules
        ),
        Span(phase="predict", wall_s=2.0, host_peak_bytes=700 * MIB, energy_j=joules),
    )


def compared(*, joules=None, source=None, gpu=None):
    environment = HERE.model_copy(update={"energy_source": source})
    tuning = {"held": HELD, "spans": spans(joules, gpu=gpu), "environment": environment}
    return compare(
        [
            completed("sentiment", "zero_shot", pattern(0.5), held=Held(weights_bytes=257 * MIB)),
            completed("sentiment", "qlora", pattern(0.9), trained=921_600, **tuning),
        ]
    )


def task_of(comparison):
    return comparison.suites[0].tasks[0]


def test_a_line_says_what_training_held_of_the_peak():
    lines = legend.training_lines(task_of(compared()))
    assert lines[-1] == (
        "memory of qlora: weights 257 MiB (111 MiB as tuned), gradients 9.0 MiB, optimizer 28 MiB of a 1.4 GiB peak "
        "while adapting"
    )
    assert sum("counted from the tensors, so without an interval" in line for line in legend.legend(compared())) == 1
    assert sum("memory of" in line for line in lines) == 1
    assert lines[-1] in markdown.render(compared()).replace("\\", "")


def test_on_a_gpu_the_peak_is_the_gpus():
    assert "of a 900 MiB peak" in legend.training_lines(task_of(compared(gpu=900 * MIB)))[-1]


def test_json_and_csv_have_the_parts_of_memory():
    comparison = compared()
    trials = {trial["strategy"]: trial for trial in json.loads(as_json.render(comparison))["trials"]}
    assert trials["qlora"]["held"] == HELD.model_dump()
    assert trials["zero_shot"]["held"]["gradient_bytes"] is None
    rows = {row["strategy"]: row for row in csv.DictReader(io.StringIO(as_csv.render(comparison)))}
    assert rows["qlora"]["optimizer_bytes"] == str(28 * MIB)
    assert rows["zero_shot"]["optimizer_bytes"] == ""


def test_energy_is_a_column_with_its_source_where_it_was_measured():
    comparison = compared(joules=700.0, source=SOURCE)
    (column,) = [column for column in columns_of(task_of(comparison)) if column.title == "energy"]
    assert column.cells([row for row in task_of(comparison).rows if row.strategy == "qlora"]) == ["2.1 kJ"]
    (lines,) = [line for line in legend.legend(comparison) if line.startswith("energy is")]
    assert lines.endswith(f"by {SOURCE}.")
    assert json.loads(as_json.render(comparison))["trials"][0]["energy_source"] in {SOURCE, None}
    assert not any(column.title == "energy" for column in columns_of(task_of(compared())))
    assert not any(line.startswith("energy is") for line in legend.legend(compared()))


@pytest.mark.parametrize(
    ("value", "text"), [(0.4, "0 J"), (850.0, "850 J"), (999.6, "1.0 kJ"), (3400.0, "3.4 kJ"), (2.5e6, "2.5 MJ")]
)
def test_joules_are_written_with_their_unit(value, text):
    assert memory_text.joules(value) == text
