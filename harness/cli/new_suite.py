"""Collects what `harness init` writes a suite from: files, a data set of the hub, or an lm-evaluation-harness task."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from harness.cli.synthetic_questions import accepted_questions, written_questions
from harness.data import hub_rows, lm_eval_task
from harness.data.scaffold import Material
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.cli.material import InitOptions


@contextmanager
def collect(options: InitOptions) -> Generator[Material]:
    """Put together the material of a suite; tables that are written for it exist until the ``with`` block ends.

    Raises:
        HarnessError: a flag is missing or does not belong to the others, or a table cannot be had.
    """
    with TemporaryDirectory(prefix="harness-init-") as name:
        yield _material(options, Path(name))


def _material(options: InitOptions, scratch: Path) -> Material:
    if options.synthesise or options.accepted or options.teacher:
        others = (options.data, options.test, options.lm_eval, *_column_flags(options))
        if any(others) or (options.synthesise and options.accepted):
            raise HarnessError(
                "--synthesise and --accepted say themselves what is asked: leave out --data, --input and the like, and "
                "one of the two."
            )
        return accepted_questions(options, scratch) if options.accepted else written_questions(options, scratch)
    return _of_task_file(options, scratch) if options.lm_eval else _of_columns(options, scratch)


def _of_columns(options: InitOptions, scratch: Path) -> Material:
    if not options.data or not options.column:
        raise HarnessError("--data and --input are needed: a table, and its column with the question.")
    if options.choices and options.kind:
        raise HarnessError(f"--choices makes a multiple choice, --kind {options.kind} none: leave one of them out.")
    if options.evidence and not options.corpus:
        raise HarnessError("--evidence names passages of a corpus: give --corpus too.")
    source = ""
    if options.data.startswith(hub_rows.SCHEME):
        reference = hub_rows.HubReference.parse(options.data)
        files, source = hub_rows.write_tables(reference, scratch), reference.description
    else:
        files = {"data": Path(options.data)}
    if options.test:
        files = {"train": files.get("train", files.get("data", Path())), "test": options.test}
    optional = {
        "reference": options.reference,
        "choices": options.choices,
        "id": options.row_id,
        "cluster": options.cluster,
        "evidence": options.evidence,
        "user": options.user,
    }
    columns = {"input": options.column, **{key: column for key, column in optional.items() if column}}
    kind = "multiple_choice" if options.choices else options.kind
    return Material(
        files,
        columns,
        options.corpus,
        kind,
        groups=tuple(options.group or ()),
        separator=options.separator or "",
        source=source,
    )


def _of_task_file(options: InitOptions, scratch: Path) -> Material:
    if not options.lm_eval or any(_column_flags(options)):
        raise HarnessError("--lm-eval says itself what is asked: leave out --input, --reference and the like.")
    task = lm_eval_task.read_task(options.lm_eval)
    if options.data and not options.data.startswith(hub_rows.SCHEME):
        table = Path(options.data)
        splits = {"train": table, "test": options.test} if options.test else {"data": table}
    else:
        splits = hub_rows.write_tables(
            hub_rows.HubReference.parse(options.data or f"{hub_rows.SCHEME}{task.data_set}"), scratch, task.splits
        )
    return Material(
        lm_eval_task.write_tables(task, splits, scratch),
        {
            "input": "input",
            "reference": "reference",
            **({"choices": "choices"} if task.kind == "multiple_choice" else {}),
        },
        options.corpus,
        task.kind,
        task.description,
        f"the task {task.name!r} of lm-evaluation-harness, asked the way of this harness: scores are not comparable",
    )


def _column_flags(options: InitOptions) -> tuple[str | None, ...]:
    return (
        options.column,
        options.reference,
        options.choices,
        options.user,
        options.row_id,
        options.cluster,
        options.evidence,
        options.kind,
        options.separator,
        *(options.group or ()),
    )
