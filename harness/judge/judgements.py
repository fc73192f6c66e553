"""Judgements and labels, kept beside the records that they are about; the records stay as they are."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError

from harness.errors import HarnessError
from harness.judge.planted_answers import ControlResult
from harness.judge.rubric import Verdict
from harness.records.measurements import StoredModel
from harness.records.record import Row

FOLDER = "judgements"
Content = TypeVar("Content", bound=StoredModel)


class PairJudgement(StoredModel):
    """How a judge chose between a system's answers and a baseline's, each pair in both orders.

    Attributes:
        wins, losses: pairs that it chose alike in both orders; flipped: those that it did not; unjudged: without two
            verdicts.
        first_share: share of the verdicts for the answer that was shown first; longer_share: for the longer one.
    """

    strategy: str
    model: str
    baseline: str
    wins: int
    losses: int
    flipped: int
    unjudged: int
    first_share: float | None = None
    longer_share: float | None = None


class Judgements(StoredModel):
    """What one judge said of one task's answers.

    Attributes:
        judge, identity: of the model; returned: ids that replies named, with dates.
        rubric: that it was given.
        verdicts: by `answer_key`; None: it gave none.
        controls: answers whose verdict is known.
        pairs: comparisons with a baseline.
    """

    suite: str
    task: str
    judge: str
    identity: str
    returned: tuple[str, ...] = ()
    rubric: str
    verdicts: dict[str, Verdict | None]
    controls: tuple[ControlResult, ...]
    pairs: tuple[PairJudgement, ...] = ()

    @property
    def struck(self) -> str | None:
        """Say which controls the judge failed, so that its verdicts count for nothing; None: it passed them all."""
        failed = [f"{c.kind} passed {c.passed} of {c.asked}" for c in self.controls if not c.believed]
        return "; ".join(failed) or None


class Labels(StoredModel):
    """People's labels of a task's answers: 1 passes, 0 does not, by `answer_key`; items: the random sample."""

    suite: str
    task: str
    items: tuple[str, ...]
    labels: dict[str, int] = Field(default_factory=dict[str, int])


def answer_key(row: Row) -> str:
    """Name an answer of an item, whichever system gave it: equal answers are judged and labelled once."""
    return hashlib.sha256(f"{row.id}\n{answer_text(row)}".encode()).hexdigest()[:12]


def answer_text(row: Row) -> str:
    """Return what is judged: the answer that was read, and where none could be, what was written."""
    return row.output if row.answer is None else row.answer


def write(root: Path, content: Judgements | Labels) -> Path:
    """Write to the folder of judgements; a file there is replaced as a whole.

    Raises:
        HarnessError: it cannot be written.
    """
    name = f"{content.judge}-{content.rubric}" if isinstance(content, Judgements) else "labels"
    digest = hashlib.sha256(f"{content.suite}\n{content.task}\n{name}".encode()).hexdigest()[:12]
    path = root / FOLDER / f"{'judge' if isinstance(content, Judgements) else 'labels'}-{digest}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".tmp")
        scratch.write_text(content.model_dump_json(indent=1) + "\n", encoding="utf-8")
        os.replace(scratch, path)  # noqa: PTH105 - the same, and its name says that it replaces
    except OSError as error:
        raise HarnessError(f"{path} cannot be written ({error.strerror or error}): free or change it.") from error
    return path


def read_judgements(root: Path, suite: str) -> list[Judgements]:
    """Read all judgements of a suite.

    Raises:
        HarnessError: a file is damaged.
    """
    files = sorted((root / FOLDER).glob("judge-*.json"))
    return [content for content in (_read(Judgements, file) for file in files) if content.suite == suite]


def read_labels(root: Path, suite: str) -> list[Labels]:
    """Read the labels of a suite's tasks."""
    files: Sequence[Path] = sorted((root / FOLDER).glob("labels-*.json"))
    return [content for content in (_read(Labels, file) for file in files) if content.suite == suite]


def _read(kind: type[Content], file: Path) -> Content:
    try:
        return kind.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise HarnessError(f"{file} cannot be read: restore or delete it.") from error
