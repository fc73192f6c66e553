"""A suite whose questions a model writes: the sheet that a person accepts or rejects, and what was accepted."""

from __future__ import annotations

import csv
import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api import Example, Passage
from harness.data.scaffold import Material
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.cli.material import InitOptions

SHEET = "questions.csv"
COLUMNS: tuple[str, ...] = ("id", "question", "answer", "evidence", "passage", "teacher", "accept")
_COLUMNS_OF_TASK = {
    "input": "question",
    "reference": "answer",
    "id": "id",
    "cluster": "evidence",
    "evidence": "evidence",
}
_VERDICTS = {"1": True, "yes": True, "x": True, "0": False, "no": False, "": False}


def written_questions(options: InitOptions, scratch: Path) -> Material:
    """Have the teacher write questions from the corpus.

    Raises:
        HarnessError: the teacher or the corpus is missing, or no usable question was written.
    """
    from harness.cli.asked_model import asked_model
    from harness.cli.common import progress_console
    from harness.data import cache
    from harness.data.corpus import read_corpus
    from harness.data.schema import SuiteConfig
    from harness.training.question_sets import write_questions

    if not options.corpus or not options.teacher or not options.synthesise:
        raise HarnessError("--synthesise N needs --corpus, the documents, and --teacher, the model that writes.")
    if not options.corpus.exists():
        raise HarnessError(f"the corpus {options.corpus} isn't there.")
    folder = options.corpus if options.corpus.is_dir() else options.corpus.parent
    words: int = SuiteConfig.model_fields["passage_words"].default
    corpus = read_corpus(options.corpus, folder, words=words).passages
    key = hashlib.sha256(f"{options.teacher}\n{options.corpus.absolute()}".encode()).hexdigest()
    with (
        asked_model(options.teacher, options.prices, options.max_usd, cache.root(), f"init-{key[:16]}") as teacher,
        progress_console().status(f"{options.teacher} writes questions"),
    ):
        examples, counts = write_questions(teacher, corpus, options.synthesise)
    became = ", ".join(f"{name}: {count}" for name, count in counts.items())
    examples = tuple(example for example in examples if _is_plain_text(example))
    if not examples:
        raise HarnessError(f"{options.teacher!r} wrote no usable question ({became}): name another teacher.")
    return _material(
        _write_sheet(scratch / SHEET, examples, corpus),
        options.corpus,
        examples[0].teacher,
        f"{len(examples)} questions written by {examples[0].teacher}, a model, from passages of the corpus, of "
        f"{options.synthesise} wanted ({became}); no person has looked at them",
    )


def accepted_questions(options: InitOptions, scratch: Path) -> Material:
    """Take the questions of a sheet that a person accepted.

    Raises:
        HarnessError: the corpus is missing, the sheet cannot be read, or it accepts nothing.
    """
    from harness.data.table_files import read_table

    if not options.accepted or not options.corpus:
        raise HarnessError("--accepted FILE needs --corpus, the documents that the questions were written from.")
    table = read_table(options.accepted)
    table.require(COLUMNS)
    verdicts = [table.text(index, "accept").strip().lower() for index in range(len(table.rows))]
    for index, verdict in enumerate(verdicts):
        if verdict not in _VERDICTS:
            raise HarnessError(f"{table.location(index)}: write 1 (accepted) or 0 as its accept, not {verdict!r}.")
    rows = [row for row, verdict in zip(table.rows, verdicts, strict=True) if _VERDICTS[verdict]]
    if not rows:
        raise HarnessError(f"{options.accepted} accepts no question: write 1 into the column 'accept' of those to use.")
    path = scratch / SHEET
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    teachers = " and ".join(sorted({str(row["teacher"]) for row in rows}))
    source = f"questions written by {teachers}, a model, from passages of the corpus; a person accepted {len(rows)} of "
    return _material(path, options.corpus, teachers, f"{source}{len(table.rows)}")


def next_step(name: str, options: InitOptions, suite: Path) -> str:
    """Return how a person's verdicts become a suite; empty where they have."""
    if not options.synthesise or not options.corpus:
        return ""
    corpus = suite / ("corpus" if options.corpus.is_dir() else options.corpus.name)
    command = ["harness", "init", f"{name}-accepted", "--corpus", str(corpus), "--accepted", str(suite / SHEET)]
    return (
        f"To use only what a person accepts: write 1 into the column 'accept' of {suite / SHEET}, then\n"
        f"{shlex.join(command)}"
    )


def _material(sheet: Path, corpus: Path, teacher: str, source: str) -> Material:
    return Material({"data": sheet}, _COLUMNS_OF_TASK, corpus, "qa", source=source, synthetic_by=teacher)


def _is_plain_text(example: Example) -> bool:
    """Return whether a spreadsheet takes neither the question nor the answer for a formula."""
    from harness.render.text.escape import spreadsheet

    return all(spreadsheet(text) == text for text in (example.query.input, example.references[0]))


def _write_sheet(path: Path, examples: Sequence[Example], corpus: Sequence[Passage]) -> Path:
    """Write one question a line, with the passage that it was written from."""
    from harness.render.text.escape import spreadsheet

    texts = {passage.id: passage.text for passage in corpus}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for example in examples:
            (passage,) = example.evidence
            asked = (example.query.id, example.query.input, example.references[0], passage)
            writer.writerow([*asked, spreadsheet(texts[passage]), example.teacher, ""])
    return path
