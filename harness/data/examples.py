"""Makes examples of a table's rows, with a sentence on the rows that can't be used."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harness.api import Example, Query
from harness.data import bad_rows
from harness.data.cells import cell_at
from harness.data.conversations import Conversation, as_text, divide, last_answer, read_turns, turns_of
from harness.data.label_cells import cell_labels, label_values
from harness.data.normalised_text import alike_key, comparison_key, difference
from harness.data.schema import LABELLED, TaskConfig
from harness.data.table_rows import RowError, TableRows
from harness.errors import HarnessError
from harness.metrics import label_sets

NO_CELL = "no input or no reference"
EvidenceIndex = Mapping[str, tuple[str, ...]]
"""Names in the evidence column → passage ids (`corpus.evidence_index`)."""


@dataclass(frozen=True)
class Pool:
    """The usable examples of one table, with warnings about its rows, a sentence each."""

    examples: tuple[Example, ...]
    warnings: tuple[str, ...] = field(default=())


def labels_of(task: TaskConfig, tables: Sequence[TableRows]) -> dict[str, str]:
    """Return value in the file → label: the suite's own, or every value that occurs, sorted.

    Raises:
        HarnessError: there are fewer than two.
    """
    if task.kind not in LABELLED:
        return {}
    if task.labels:
        return task.labels
    if task.kind == "multi_label":
        values = {label for table in tables for label in label_values(table, task)}
    else:
        values = {text for table in tables for text in table.texts(task.reference)}
    if len(values) < 2:
        raise HarnessError(
            f"column {task.reference!r} of {tables[0].name} holds {len(values)} label(s): {task.kind} needs two."
        )
    return {value: value for value in sorted(values)}


def to_pool(  # noqa: PLR0913 - keyword-only from the fifth on
    table: TableRows,
    task: TaskConfig,
    labels: Mapping[str, str],
    evidence: EvidenceIndex,
    *,
    drop: bool,
    max_bad_rows: float = bad_rows.MAX_BAD_ROWS,
) -> Pool:
    """Make examples of a table's rows.

    Rows without an input or a reference are left out and counted: they were never answered. Rows that contradict
    themselves or the task are left out and named, if they are few.

    Args:
        table: what was read.
        task: says which column is what.
        labels: value in the file → label, for a classification.
        evidence: what the evidence column may name → passage ids.
        drop: whether a row that repeats another one is left out, or only counted.
        max_bad_rows: share of the rows that may be left out as unusable (`bad_rows.check`); 0: no row may, not even
            an empty one.

    Raises:
        HarnessError: a column is missing, or more rows than that cannot be used: names the first.
    """
    table.require(_columns(task))
    faults = list(table.faults)
    empty: list[int] = []
    indexed: list[tuple[int, Example]] = []
    ids: dict[str, int] = {}
    bare = task.form == "bare"  # a text may stand behind nothing
    for index in range(len(table.rows)):
        try:
            row = _Row(table, index, task)
            example = row.example(labels, evidence) if bare or row.question.question else None
            if example:
                _require_new_id(table, index, ids, example)
                indexed.append((index, example))
            elif max_bad_rows:
                empty.append(index)
            else:
                raise table.error(index, NO_CELL)
        except RowError as error:
            faults.append(error.fault)
    notes = [*table.notes, *bad_rows.check(table, faults, max_bad_rows)]
    if empty:
        notes.append(_count(len(empty), "row", f"of {table.name} left out: {NO_CELL}", table.location(empty[0])))
    unique, repeats = _without_repeats(indexed)
    if repeats:
        text = f"of {table.name} {'left out:' if drop else 'kept, though'} the same as an earlier one"
        notes.append(_count(len(repeats), "row", text, table.location(repeats[0])))
    notes += _conflicts(table, task, indexed)
    return Pool(tuple(e for _, e in (unique if drop else indexed)), tuple(notes))


def content_key(example: Example) -> str:
    """Return the key by which an example's question, with its choices, counts as the same as another's."""
    return "\x1f".join(comparison_key(part) for part in (example.query.text, *example.query.choices))


class _Row:
    """One row that is read as an example."""

    def __init__(self, table: TableRows, index: int, task: TaskConfig) -> None:
        self.table, self.index, self.task = table, index, task
        self.row = table.rows[index]

    def example(self, labels: Mapping[str, str], evidence: EvidenceIndex) -> Example | None:
        choices, question = self.choices(), self.question.question
        if self.task.kind == "language_modelling":
            choices, question, references = (question,), "", tuple(filter(None, [question]))
        else:
            references = self.references(labels, choices)
        rejected = self.answer(self.task.rejected) or None
        if not references or (self.task.kind == "preference" and not rejected):
            return None
        if rejected in references:
            raise self.error(f"the better and the worse answer are both {rejected!r}")
        name = self.id()
        if self.task.kind == "preference" and rejected:
            choices = _shuffled(name, references[0], rejected)
        query = Query(name, question, choices, self.text(self.task.user) or None, self.question.history)
        cluster, groups = self.text(self.task.cluster) or None, tuple(map(self.text, self.task.groups))
        return Example(query, references, cluster, self.evidence(evidence), rejected, groups=groups)

    @cached_property
    def question(self) -> Conversation:
        """The input: a text, or a conversation, whose turns are lines of one text where no answer is written."""
        turns = turns_of(cell_at(self.row, self.task.input))
        writes = self.task.kind in ("qa", "generation")
        if turns is None:
            if writes and not self.task.reference:
                raise self.error(
                    f"column {self.task.input!r} holds no conversation, and no column is named as 'reference'"
                )
            return Conversation((), self.text(self.task.input), "")
        try:
            spoken = read_turns(turns, self.text("system"))
            return divide(spoken, scored=not self.task.reference) if writes else Conversation((), as_text(spoken), "")
        except ValueError as error:
            raise self.error(f"column {self.task.input!r}: {error}") from error

    def answer(self, column: str | None) -> str:
        """Return a column's text; of a conversation, the assistant's last turn."""
        turns = turns_of(cell_at(self.row, column)) if column else None
        if turns is None:
            return self.text(column)
        try:
            return last_answer(turns)
        except ValueError as error:
            raise self.error(f"column {column!r}: {error}") from error

    def text(self, column: str | None) -> str:
        return self.table.text(self.index, column) if column else ""

    def error(self, problem: str) -> RowError:
        return self.table.error(self.index, problem)

    def id(self) -> str:
        if self.task.id is None:
            return f"{self.table.name}:{self.table.lines[self.index]}"
        name = self.text(self.task.id)
        if not name:
            raise self.error(f"column {self.task.id!r} (the id) is empty")
        return name

    def choices(self) -> tuple[str, ...]:
        names = self.task.choices
        if not names:
            return ()
        cells = self.cell_list(names) if isinstance(names, str) else [self.text(name) for name in names]
        choices = tuple(text for text in self.table.part_texts(self.index, str(names), cells) if text)
        if len(choices) < 2:
            raise self.error(f"{len(choices)} choice(s), but a multiple choice needs two")
        if len(set(choices)) < len(choices):
            twice = next(choice for choice in choices if choices.count(choice) > 1)
            raise self.error(f"the choice {twice!r} occurs twice")
        return choices

    def references(self, labels: Mapping[str, str], choices: tuple[str, ...]) -> tuple[str, ...]:
        if not self.task.reference:
            return tuple(filter(None, [self.question.answer]))
        cell = cell_at(self.row, self.task.reference)
        if self.task.kind in ("qa", "generation") and isinstance(cell, list) and turns_of(cell) is None:
            texts = self.table.part_texts(self.index, self.task.reference, cell)
            return tuple(dict.fromkeys(filter(None, texts)))
        if self.task.kind == "multi_label":
            return self.label_set(labels)
        raw = self.answer(self.task.reference)
        if not raw:
            return ()
        if self.task.kind == "classification":
            if raw not in labels:
                raise self.error(f"the reference {raw!r} isn't among the labels ({_candidates(raw, labels)})")
            return (labels[raw],)
        return (self.right_choice(raw, choices) if choices else raw,)

    def label_set(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        raw = cell_labels(self.table, self.index, self.task)
        if unknown := [label for label in raw or () if label not in labels]:
            raise self.error(f"the label {unknown[0]!r} isn't among the labels ({_candidates(unknown[0], labels)})")
        return () if raw is None else (label_sets.write([labels[label] for label in raw], tuple(labels.values())),)

    def right_choice(self, raw: str, choices: tuple[str, ...]) -> str:
        if self.task.reference_as == "text":
            if raw not in choices:
                short = len(raw) == 1 and "; if it is a letter or an index, set 'reference_as'"
                raise self.error(
                    f"the reference {raw!r} isn't among the choices ({_candidates(raw, choices)}){short or ''}"
                )
            return raw
        letter = self.task.reference_as == "letter"
        index = ord(raw.upper()) - ord("A") if letter and len(raw) == 1 else int(raw) if raw.isdecimal() else -1
        if not 0 <= index < len(choices):
            raise self.error(
                f"the reference {raw!r} isn't the {self.task.reference_as} of one of {len(choices)} choices"
            )
        return choices[index]

    def evidence(self, index: EvidenceIndex) -> tuple[str, ...]:
        if not self.task.evidence:
            return ()
        cell = cell_at(self.row, self.task.evidence)
        passage_ids: list[str] = []
        names = self.cell_list(self.task.evidence) if isinstance(cell, list | str) else [cell]
        for name in self.table.part_texts(self.index, self.task.evidence, names):
            if name and name not in index:
                raise self.error(f"the evidence {name!r} is neither a passage nor a file of the corpus")
            passage_ids += index[name] if name else ()
        return tuple(dict.fromkeys(passage_ids))

    def cell_list(self, column: str) -> list[Any]:
        """Return a cell that holds a list: as such, as JSON, or (evidence) a single value."""
        cell = cell_at(self.row, column)
        if isinstance(cell, list):
            return list(cell)
        text = self.text(column)
        if text.startswith("["):
            try:
                return list(json.loads(text))
            except json.JSONDecodeError as error:
                raise self.error(f"column {column!r} isn't a JSON list ({error.msg})") from error
            except (ValueError, RecursionError) as error:
                raise self.error(f"column {column!r} has a number too long or a nesting too deep") from error
        if column == self.task.choices:
            raise self.error(f'column {column!r} must hold a list of choices, as JSON: ["yes", "no"]')
        return [text]


def _candidates(reference: str, texts: Iterable[str]) -> str:
    """List what a reference could have been; if one looks like it, only how that differs."""
    texts = list(texts)
    alike = next((text for text in texts if alike_key(text) == alike_key(reference)), None)
    if alike is not None:
        return f"{alike!r} differs from it only in {difference(reference, alike)}: write one form in both places"
    return ", ".join(texts)


def _shuffled(name: str, better: str, worse: str) -> tuple[str, ...]:
    """Order two answers by one bit of a hash of the item's name, so that the order tells nothing."""
    even = hashlib.sha256(name.encode()).digest()[0] % 2 == 0
    return (better, worse) if even else (worse, better)


def _columns(task: TaskConfig) -> list[str]:
    choice_columns = (task.choices,) if isinstance(task.choices, str) else task.choices or ()
    single = (task.input, task.reference, task.rejected, task.id, task.cluster, task.evidence, task.user, task.split)
    return [name for name in (*single, *choice_columns, *task.groups) if name]


def _require_new_id(table: TableRows, index: int, ids: dict[str, int], example: Example) -> None:
    """Remember a row's id.

    Raises:
        RowError: an earlier row has it.
    """
    earlier = ids.setdefault(example.query.id, index)
    if earlier != index:
        raise table.error(index, f"id {example.query.id!r} is that of {table.location(earlier)} too")


def _without_repeats(indexed: Sequence[tuple[int, Example]]) -> tuple[list[tuple[int, Example]], list[int]]:
    keys: set[tuple[object, ...]] = set()
    unique: list[tuple[int, Example]] = []
    repeats: list[int] = []
    for index, example in indexed:
        key = (content_key(example), example.references, example.rejected, example.evidence)
        if key in keys:
            repeats.append(index)
        else:
            keys.add(key)
            unique.append((index, example))
    return unique, repeats


def _conflicts(table: TableRows, task: TaskConfig, indexed: Sequence[tuple[int, Example]]) -> list[str]:
    """Report questions with several right answers, in tasks where a question has one only."""
    if task.kind not in (*LABELLED, "multiple_choice"):
        return []
    answers: dict[str, tuple[str, ...]] = {}
    wrong = [index for index, e in indexed if answers.setdefault(content_key(e), e.references) != e.references]
    text = f"of {table.name} with the question of an earlier one, but another answer"
    return [_count(len(wrong), "row", text, table.location(wrong[0]))] if wrong else []


def _count(number: int, thing: str, description: str, first: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'} {description} (first: {first})."
