"""Reports as they come out, whole: `python -m tests.render.test_reports` writes the goldens again."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from harness.compare.report.comparison import compare
from harness.errors import HarnessError
from harness.records.measurements import Check, Span
from harness.render.report import csv as as_csv
from harness.render.report import json as as_json
from harness.render.report import markdown, terminal
from harness.render.report.columns import UNKNOWN, columns_of
from harness.render.report.terminal import ReportView
from tests.compare.builders import completed, failed, info, pattern, quick_suite, skipped

GOLDENS = Path(__file__).parent / "goldens"
NOTES = ("quick/qa: 1 record of other data left out.",)


MIXED = {"over seeds", "fixed USD", "adapted size"}
"""Columns whose cells hold a count beside numbers, an exact 0, or sizes of every magnitude."""


def columns(comparison):
    """Title and cells of the number columns of each task."""
    for task in comparison.suites[0].tasks:
        for column in columns_of(task):
            if column.right:
                yield column.title, *column.cells([row for row in task.rows if row.status == "completed"])


def printed(comparison, width=100, *, colour=False, view=None):
    console = Console(
        width=width, file=io.StringIO(), force_terminal=colour, color_system="standard" if colour else None
    )
    console.print(terminal.render(comparison, view))
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def reports():
    comparison = compare(quick_suite(), NOTES)
    return {f"report_{w}.txt": printed(comparison, w) for w in (80, 120, 170)} | {
        "report.md": markdown.render(comparison)
    }


@pytest.fixture(scope="module")
def comparison():
    return compare(quick_suite(), NOTES)


@pytest.fixture(scope="module")
def rendered():
    return reports()


@pytest.mark.parametrize("name", ["report_80.txt", "report_120.txt", "report_170.txt", "report.md"])
def test_a_report_reads_as_before(rendered, name):
    assert rendered[name] == (GOLDENS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [40, 60, 79, 80, 100, 132, 200, 300])
def test_no_line_is_wider_than_the_terminal_and_no_number_breaks(comparison, width):
    text = printed(comparison, width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "0.88 [0.76, 0.96]" in text


def test_a_long_strategy_name_folds_and_keeps_the_score():
    name = "few_shot(k=4)+lora(rank=64,learning_rate=0.00025,epochs=10)+rag(k=10)"
    text = printed(compare([completed("sentiment", name, pattern(0.5))]), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "0.50 [0.43, 0.57]" in text


def test_at_80_columns_a_task_has_one_table_with_what_matters_most(comparison):
    text = printed(comparison, 80)
    assert all(f" {end}" in text for end in ("accuracy", "total", "memory", "know"))
    assert len([line for line in text.splitlines() if line.startswith("  full *")]) == 1


def test_columns_can_be_chosen_and_stand_in_that_order(comparison):
    text = printed(comparison, 80, view=ReportView(columns=("Total USD", "predict s")))
    table = text[text.index("sentiment") : text.index("Hidden columns")].splitlines()
    assert [line.split() for line in table[1:3]] == [["total", "predict"], ["strategy", "accuracy", "USD", "s"]]
    assert "peak memory" in text.partition("Hidden columns:")[2]
    with pytest.raises(HarnessError, match=r"did you mean 'total USD'"):
        terminal.render(comparison, ReportView(columns=("totl USD",)))


def test_numbers_of_a_column_have_the_same_decimals(comparison):
    for title, *cells in columns(comparison):
        numbers = [number for cell in cells for number in re.findall(r"\d[\d,]*(?:\.\d+)?(?![\d.%])", cell)]
        decimals = {len(number.partition(".")[2]) for number in numbers}
        assert title in MIXED or len(decimals) <= 1, (title, cells)


def test_a_report_ends_with_the_verdict_and_the_next_command(comparison):
    view = ReportView(verdicts={"quick": "Choose `few_shot`."}, next_commands={"quick": ("harness decide quick",)})
    lines = printed(comparison, view=view).splitlines()
    assert lines[-3:] == ["Verdict on quick", "  Choose few_shot.", "  Next: harness decide quick"]
    brief = printed(comparison, view=replace(view, brief=True)).splitlines()
    assert brief == lines[-3:]


def test_the_legend_and_details_are_shown_on_request(comparison):
    assert "--legend explains every column" in printed(comparison)
    assert "retention is the score on a task" not in printed(comparison)
    assert "retention is the score on a task" in printed(comparison, view=ReportView(legend=True))


def test_self_tests_take_one_line_unless_they_differ():
    def with_checks(name, agreeing):
        trial = completed("sentiment", name, pattern(0.5))
        checks = (Check(name="batch", items=16, agreeing=agreeing),)
        return replace(trial, record=trial.record.model_copy(update={"checks": checks}))

    same = printed(compare([with_checks("lora", 16), with_checks("full", 16)]))
    assert "Self-tests: all 2 passed." in same
    differing = printed(compare([with_checks("lora", 16), with_checks("full", 12)]))
    assert "Self-tests: 1 of 2 passed." in differing
    assert "batch vs. single-request outputs: full 4 of 16 differ." in differing


def test_a_reason_that_several_tasks_share_stands_once():
    stored = [completed(task, "zero_shot", pattern(0.5)) for task in ("sentiment", "qa")]
    stored += [skipped(task, "qlora", "no codecarbon") for task in ("sentiment", "qa")]
    text = printed(compare(stored))
    assert text.count("no codecarbon") == 1
    assert "qlora was skipped on " in text


def test_strategies_that_did_not_finish_for_one_reason_share_a_line():
    reason = "rag needs a corpus"
    stored = [skipped("sentiment", name, reason) for name in ("rag", "rag+lora", "lora+rag")]
    text = printed(compare([completed("sentiment", "zero_shot", pattern(0.5)), *stored]))
    assert f"rag, rag+lora and lora+rag were skipped: {reason}" in text


def test_columns_that_do_not_fit_are_named(comparison):
    assert "Hidden columns:" in printed(comparison, 80)
    assert "Hidden columns:" not in printed(comparison, 300)


def test_unknown_is_a_dash_and_never_zero():
    spans = (Span(phase="predict", wall_s=4, tokens_in=90),)
    trials = [
        completed("sentiment", "full", pattern(0.9), spans=spans),
        completed("sentiment", "zero_shot", pattern(0.5)),
    ]
    line = next(text for text in markdown.render(compare(trials)).splitlines() if text.startswith("| full"))
    peak_memory, tokens_a_second = line.split(" | ")[4], line.split(" | ")[7]
    assert (peak_memory, tokens_a_second) == (UNKNOWN, UNKNOWN)


def test_a_share_of_unparsed_answers_gets_a_column_only_where_there_is_one(comparison):
    assert "unparsed" not in markdown.render(comparison)
    assert "25.0%" in markdown.render(compare([completed("sentiment", "zero_shot", [1, None, 1, 1])]))


def test_two_models_get_a_column():
    pair = [completed("sentiment", "zero_shot", pattern(0.5), model=name) for name in ("small", "large")]
    assert "| strategy | model |" in markdown.render(compare(pair))


def test_a_reused_phase_is_marked_and_explained():
    spans = (Span(phase="adapt", wall_s=4, reused=True), Span(phase="predict", wall_s=1))
    text = markdown.render(compare([completed("sentiment", "lora", pattern(0.5), spans=spans)]))
    assert "| 4.0 (r) |" in text
    assert "(r) made by an earlier trial" in text


def test_an_empty_store_says_what_to_do():
    empty = compare([])
    assert "harness run" in printed(empty)
    assert "harness run" in markdown.render(empty)
    assert json.loads(as_json.render(empty))["trials"] == []
    assert as_csv.render(empty) == "suite,task,strategy\n"


def test_only_failures_still_make_a_report():
    text = printed(compare([failed("qa", "lora", "out of memory")]))
    assert "lora failed: out of memory" in text
    assert "No strategy finished on qa" in text


def test_json_has_a_trial_for_every_seed_with_intervals_and_spans(comparison):
    trials = json.loads(as_json.render(comparison))["trials"]
    tuned = next(t for t in trials if t["strategy"] == "lora" and t["seed"] == 1)
    assert {key: tuned[key] for key in ("suite", "task", "model", "status", "reason")} == {
        "suite": "quick",
        "task": "sentiment",
        "model": "small",
        "status": "completed",
        "reason": None,
    }
    assert tuned["scores"]["accuracy"]["value"] == pytest.approx(0.85)
    assert set(tuned["scores"]["retention/know"]) == {"value", "low", "high", "n"}
    span = {key: tuned["spans"]["predict"][key] for key in ("wall_s", "gpu_peak_bytes", "tokens_in", "tokens_out")}
    assert span == {"wall_s": 2.0, "gpu_peak_bytes": None, "tokens_in": 3000, "tokens_out": 200}
    skipped = next(t for t in trials if t["status"] == "skipped")
    assert (skipped["reason"], skipped["scores"], skipped["spans"]) == ("sentiment has no corpus", {}, {})


def test_json_keeps_the_verdict_and_what_is_tied(comparison):
    task = json.loads(as_json.render(comparison))["tasks"][0]
    assert [row["tied_for_best"] for row in task["strategies"]] == [True, True, False, False, None, None]
    assert task["verdict"]


def test_csv_has_a_row_for_every_strategy_and_task_in_raw_units(comparison):
    rows = list(csv.DictReader(io.StringIO(as_csv.render(comparison))))
    assert len(rows) == sum(len(task.rows) for task in comparison.suites[0].tasks)
    full = next(row for row in rows if row["strategy"] == "full")
    assert float(full["accuracy"]) == pytest.approx(0.85)
    assert float(full["retention/know"]) == pytest.approx(-0.3)
    assert (full["adapted_bytes"], full["gpu_peak_bytes"], full["token_f1"]) == ("4194304", "", "")


# what a model, a file or a plugin wrote

HOSTILE = "[bold red]=cmd|'x'!A1[/] <b>|a|b|</b> `tick [x](http://y) \x1b[31m\u202e\nsecond line"


@pytest.fixture(scope="module")
def hostile():
    tasks = (info("sentiment", warnings=(HOSTILE,)),)
    return compare(
        [
            completed("sentiment", HOSTILE, pattern(0.5), tasks=tasks, model=HOSTILE),
            failed("sentiment", "lora", HOSTILE),
        ],
        (HOSTILE,),
    )


def test_foreign_text_is_neither_markup_nor_a_control_sequence_in_the_terminal(hostile):
    text = printed(hostile, 200)
    line = "[bold red]=cmd|'x'!A1[/] <b>|a|b|</b> `tick [x](http://y) \ufffd[31m\ufffd second line"
    assert f"lora with small failed: {line}" in text
    assert "\x1b" not in text
    assert "\u202e" not in printed(hostile, 200, colour=True)
    assert "\x1b[31msecond" not in printed(hostile, 200, colour=True)


def test_foreign_text_stays_in_its_markdown_cell_and_makes_no_link_or_tag(hostile):
    text = markdown.render(hostile)
    table = [line for line in text.splitlines() if line.startswith("| ")]
    bars = {line.replace("\\|", "").count("|") for line in table[:3]}
    assert len(bars) == 1
    outside_code = re.sub(r"(?<!\\)`[^`]*`", "", text)
    assert "](http" not in outside_code.replace("\\](http", "")
    assert "<b>" not in outside_code.replace("\\<b\\>", "")


def test_foreign_text_is_no_tag_in_a_folded_summary(hostile):
    summary = next(line for line in markdown.render(hostile).splitlines() if "<summary>" in line)
    assert "&lt;b&gt;" in summary
    assert "<b>" not in summary


def test_a_confusion_matrix_too_wide_to_read_is_left_out():
    labels = tuple(f"class {i}" for i in range(13))
    stored = completed("sentiment", "zero_shot", pattern(0.5))
    items = stored.items["sentiment"].with_labels((*labels, "neg", "pos"))
    text = markdown.render(compare([type(stored)(stored.record, {"sentiment": items})]))
    assert "| class 12 |" in text
    assert "answered" not in text


def test_foreign_text_is_no_formula_in_a_spreadsheet():
    text = as_csv.render(compare([failed("qa", "lora", "=HYPERLINK(0)")]))
    assert "'=HYPERLINK(0)" in text


if __name__ == "__main__":
    for file, content in reports().items():
        (GOLDENS / file).write_text(content, encoding="utf-8")
