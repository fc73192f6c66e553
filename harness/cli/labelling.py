"""Commands that let a model judge stored answers, and people check it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.application import command
from harness.cli.common import RequiredSuite, Results, TerminalOrJson, echo, open_store, progress_console, show
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.judge.judged_table import JudgedTable
    from harness.judge.judging import JudgedTask

Task = Annotated[str | None, typer.Option("--task", metavar="NAME", help="Task to judge, where there are several.")]


@command("Read results")
def judge(  # noqa: PLR0913 - one for each flag
    suite: RequiredSuite,
    *,
    judge: Annotated[
        str, typer.Option("--judge", metavar="REF", help="The judging model: a name, folder or PROVIDER:MODEL.")
    ],
    task: Task = None,
    rubric: Annotated[
        Path | None, typer.Option("--rubric", metavar="FILE", help="What makes an answer pass, in words.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", metavar="STRATEGY", help="Compare all others with it in pairs.")
    ] = None,
    prices: Annotated[Path | None, typer.Option("--prices", metavar="FILE", help="TOML with prices of tokens.")] = None,
    max_usd: Annotated[
        str | None, typer.Option("--max-usd", metavar="X", help="Most that an API may cost [default: 1]; none: any.")
    ] = None,
    results: Results = None,
    form: TerminalOrJson = "terminal",
) -> None:
    """Let a model judge stored answers.

    The judge must pass planted controls first. Its pass rates make no claim until people have labelled some answers.
    """
    from harness.cli.asked_model import asked_model
    from harness.judge.judgements import write
    from harness.judge.judging import judge_task
    from harness.judge.rubric import DEFAULT_RUBRIC

    judged = _task(suite, task, results)
    text = DEFAULT_RUBRIC if rubric is None else rubric.read_text(encoding="utf-8").strip()
    systems = [system for system in judged.rows if system[0] == baseline]
    if baseline and not systems:
        raise HarnessError(
            f"no answers of {baseline!r}: --baseline names one of {', '.join(s for s, _ in judged.rows)}."
        )
    root = open_store(results).root
    console = progress_console(form)
    key = f"judge-{judged.suite}-{judged.task}"
    with asked_model(judge, prices, max_usd, root, key) as model, console.status(f"{judge} judges"):
        judgements = judge_task(judged, model, text, systems[0] if systems else None)
    write(root, judgements)
    _show(root, judged, form)


@command("Read results")
def label(  # noqa: PLR0913 - one for each flag
    suite: RequiredSuite,
    *,
    task: Task = None,
    n: Annotated[int, typer.Option("--n", metavar="N", min=1, help="Items to label, for every strategy.")] = 100,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Of the random sample.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Sheet to write [default: labels.csv].")] = (
        None
    ),
    read: Annotated[Path | None, typer.Option("--read", metavar="FILE", help="Sheet with labels to read.")] = None,
    results: Results = None,
    form: TerminalOrJson = "terminal",
) -> None:
    """Write a blind sheet of answers to label, or read one back."""
    from harness.judge.judgements import write
    from harness.judge.label_sheet import draw_items, read_sheet, write_sheet
    from harness.render.text.escape import spreadsheet

    judged = _task(suite, task, results)
    if read is None:
        path = out or Path("labels.csv")
        count = write_sheet(judged, draw_items(judged, n, seed), path, seed, as_text=spreadsheet)
        echo(f"{count} answers to label in {path}: write 1 (passes) or 0 into the last column, then --read {path}.")
        return
    root = open_store(results).root
    write(root, read_sheet(judged, read))
    _show(root, judged, form)


def _task(suite: str, name: str | None, results: Path | None) -> JudgedTask:
    """Read the answers of the one task that is judged, one seed a system.

    Raises:
        HarnessError: there is none, or there are several and none was named.
    """
    from harness.cli.common import select
    from harness.judge.judging import JudgedTask
    from harness.records.record import Completed, Row

    records = [(stored, stored.record) for stored in select(open_store(results), suite).trials]
    written = [
        stored
        for stored, record in records
        if isinstance(record, Completed) and record.tasks[0].kind in ("qa", "generation")
    ]
    names = list(dict.fromkeys(stored.record.trial.task for stored in written))
    if name not in names and (name or len(names) != 1):
        raise HarnessError(
            f"--task names one of the tasks with written answers: {', '.join(names) or 'there is none'}."
        )
    chosen = [stored for stored in written if stored.record.trial.task == (name or names[0])]
    rows: dict[tuple[str, str], list[Row]] = {}
    for stored in sorted(chosen, key=lambda stored: stored.record.trial.seed):
        trial = stored.record.trial
        if (trial.label, trial.model) not in rows:
            answers = [row for row in stored.rows() if row.role == "target" and row.task == trial.task]
            rows[trial.label, trial.model] = [row for row in answers if row.references]
    return JudgedTask(chosen[0].record.trial.suite, name or names[0], rows)


def _show(root: Path, task: JudgedTask, form: str) -> None:
    from harness.judge.judged_table import judged_table
    from harness.judge.judgements import read_judgements, read_labels
    from harness.render import judge_report

    labels = next((found for found in read_labels(root, task.suite) if found.task == task.task), None)
    tables: list[JudgedTable] = [
        judged_table(task, judgements, labels)
        for judgements in read_judgements(root, task.suite)
        if judgements.task == task.task
    ]
    if not tables:
        echo("The labels are kept. 'harness judge' lets a model judge the same answers.")
    for table in tables:
        if form == "json":
            echo(table.model_dump_json(indent=2))
        else:
            show(judge_report.as_terminal(table))
