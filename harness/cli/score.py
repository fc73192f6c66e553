"""Command that scores answers made elsewhere: they become a trial like any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.application import command
from harness.cli.common import RequiredSuite, Results, console, echo, progress_console, write_file
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.data.prepare import PreparedTask


@command("Measure")
def score(  # noqa: PLR0913 - one for each flag
    suite: RequiredSuite,
    *,
    answers: Annotated[
        Path | None, typer.Option("--answers", metavar="FILE", help="JSON lines: id, answer; passages, tokens, cost.")
    ] = None,
    questions: Annotated[
        Path | None, typer.Option("--questions", metavar="FILE", help="Write the questions to this file instead.")
    ] = None,
    task: Annotated[str | None, typer.Option("--task", metavar="NAME", help="Task that they answer.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Model whose rows they are compared with.")
    ] = None,
    results: Results = None,
) -> None:
    """Score answers that were made elsewhere.

    First write the questions by --questions FILE, then give the answers by --answers FILE.
    """
    if (answers is None) == (questions is None):
        raise HarnessError("give --questions FILE to write the questions, or --answers FILE to score the answers.")
    prepared = _task(suite, task)
    if questions:
        write_file(questions, "".join(f"{json.dumps(question)}\n" for question in _questions(prepared)))
        echo(f"Written: {questions} ({len(prepared.test)} questions of {prepared.info.name}).")
    elif answers:
        _check(answers, prepared)
        flags = {"suite": suite, "tasks": [prepared.info.name], "models": [model] if model else None}
        _run(flags | {"strategies": [f"external(answers={str(answers)!r})"], "results": results})


def _task(suite_name: str, name: str | None) -> PreparedTask:
    from harness.data.prepare import prepare
    from harness.data.suite import load_suite

    suite = load_suite(suite_name)
    names = [task.name for task in suite.targets]
    if name is None and len(names) > 1:
        raise HarnessError(f"{suite_name} has {len(names)} tasks: choose one by --task ({', '.join(names)}).")
    return prepare(suite, suite.task(name or names[0]).name)


def _questions(prepared: PreparedTask) -> list[dict[str, Any]]:
    from harness.endpoints.external_wire import question_of
    from harness.predict.answering import ordered_choices

    queries = [example.query for example in prepared.test]
    return [question_of(query, ordered_choices(prepared.task_data.task, query), query.id) for query in queries]


def _check(answers: Path, prepared: PreparedTask) -> None:
    """Refuse a file that does not hold one answer to each question."""
    from harness.endpoints.external_answers import read_answers

    _, faults = read_answers(answers, [example.query.id for example in prepared.test])
    if faults:
        raise HarnessError(f"{answers}: {faults}. Nothing was scored.")


def _run(flags: dict[str, Any]) -> None:
    from harness.cli import commands
    from harness.cli.stored_reports import show_report
    from harness.plan.config import load_config

    screen = progress_console()
    planned = commands.plan(load_config({**flags, "requests": 0, "check_items": 0}), screen)
    counts = commands.run(planned, screen, share_gpu=True)
    show_report(planned.store, planned.plan.suite, "terminal", console())
    if counts.failed:
        raise typer.Exit(1)
