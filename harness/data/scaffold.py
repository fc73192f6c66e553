"""Writes a suite from a user's own table, for `harness init`."""

import json
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from harness.api import Kind
from harness.data import builtin_suites
from harness.data.cells import cell_at
from harness.data.content_hash import sha256_of
from harness.data.documents import SUFFIXES
from harness.data.prepare import PreparedTask, prepare
from harness.data.suite import load_suite
from harness.data.table_files import read_table
from harness.data.table_rows import TableRows
from harness.errors import HarnessError
from harness.metrics.words import count_words

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
FEW_LABELS = 30
MIN_REPETITION = 3
"""Rows a value, from which more than `FEW_LABELS` short values are labels, if nearly all of them repeat."""
SHORT_WORDS = 6
MOST_TRAIN = 400


@dataclass(frozen=True)
class NewSuite:
    """A suite that was written.

    Attributes:
        path: its folder.
        inferred: how the kind of the task was inferred, a sentence or two for the user.
    """

    path: Path
    inferred: str


def init_suite(  # noqa: PLR0913 - one for each option of the command
    name: str,
    *,
    data: Path,
    input: str,  # noqa: A002 - the flag's name
    reference: str,
    corpus: Path | None,
    folder: Path,
    kind: Kind | None = None,
) -> NewSuite:
    """Write NAME/suite.toml and its data sheet, with copies of the data: a folder that is complete in itself.

    Args:
        name: of the suite, its folder and its one task.
        data: CSV, TSV, JSONL or Parquet.
        input: column that is asked.
        reference: column with the right answer.
        corpus: folder of .txt and .md files, or a table with id, text and title; None: nothing to retrieve from.
        folder: where the suite's folder is made.
        kind: of the task; None: inferred from the references.

    Raises:
        HarnessError: a bad or taken name, an unknown column, or data that can't be used. Nothing is left behind.
    """
    target = folder / name
    _check_name(name, target)
    table = read_table(data)
    table.require((input, reference))
    if input == reference:
        raise HarnessError(f"--input and --reference are both {input!r}: the answer would stand in the question.")
    inferred, why = infer_kind(table, reference, has_corpus=corpus is not None)
    if kind is None:
        kind, why = inferred, f"{why} If that is wrong: {_alternatives(inferred)}."
    else:
        why = f'Kind "{kind}", as asked.'
    scratch = folder / f".{name}.partial"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(parents=True)
        shutil.copyfile(data, scratch / data.name)
        corpus_name = _copy_corpus(corpus, scratch, data.name) if corpus else None
        draft = _Draft(
            name, kind, data.name, input, reference, corpus_name, _instruction(kind, table, input, reference)
        )
        (scratch / "suite.toml").write_text(draft.toml({}), encoding="utf-8")
        prepared = prepare(load_suite(scratch), name)
        (scratch / "suite.toml").write_text(draft.toml(_sizes(prepared)), encoding="utf-8")
        prepared = prepare(load_suite(scratch), name)
        (scratch / "README.md").write_text(_data_sheet(draft, prepared, sha256_of(data)), encoding="utf-8")
        scratch.replace(target)
    except HarnessError as error:
        raise HarnessError(str(error).replace(str(scratch), str(target))) from error
    except OSError as error:
        raise HarnessError(f"{target} can't be written ({error.strerror or error}).") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return NewSuite(target, why)


def infer_kind(table: TableRows, reference: str, *, has_corpus: bool) -> tuple[Kind, str]:
    """Infer the kind of task from a column of references, with a sentence on why.

    Few values that repeat, or many short ones that nearly all repeat, are labels; else short answers, or any with a
    corpus, are question answering; others are generation.

    Raises:
        HarnessError: the column is empty or has one value, so that no system could be better than another.
    """
    cells = [cell_at(row, reference) for row in table.rows]
    if any(isinstance(cell, list) for cell in cells):
        return "qa", f'Column {reference!r} holds lists of answers: kind "qa".'
    counts = Counter(table.texts(reference))
    rows, values = counts.total(), len(counts)
    if values < 2:
        raise HarnessError(f"column {reference!r} of {table.name} has {values} different value(s): there must be two.")
    median_words = median(count_words(text) for text in counts.elements())
    if median_words <= 2 * SHORT_WORDS and _are_labels(counts):
        return "classification", f'Column {reference!r} has {values} values in {rows} rows: kind "classification".'
    if has_corpus:
        return "qa", f'Column {reference!r} has {values} values in {rows} rows, and there is a corpus: kind "qa".'
    if median_words <= SHORT_WORDS:
        return "qa", f'Column {reference!r} holds short texts, {median_words:g} words in the middle: kind "qa".'
    return "generation", f'Column {reference!r} holds texts of {median_words:g} words in the middle: kind "generation".'


def _are_labels(counts: Counter[str]) -> bool:
    rows, values = counts.total(), len(counts)
    if values <= FEW_LABELS:
        return values < 0.2 * rows or (values <= 5 and rows >= 2 * values)
    longest = max(map(count_words, counts))
    repeated = sum(times > 1 for times in counts.values())
    return rows >= MIN_REPETITION * values and repeated >= 0.9 * values and longest <= SHORT_WORDS


def _alternatives(kind: Kind) -> str:
    """Name the flags that choose another kind."""
    kinds = [other for other in ("classification", "qa", "generation") if other != kind]
    return " or ".join(f"--kind {other}" for other in kinds)


@dataclass(frozen=True)
class _Draft:
    """The settings of a new suite.toml."""

    name: str
    kind: Kind
    data: str
    input: str
    reference: str
    corpus: str | None
    instruction: str

    def toml(self, sizes: dict[str, int]) -> str:
        majority = ["majority"] if self.kind == "classification" else []
        strategies = [
            "zero_shot",
            *majority,
            "few_shot",
            "lora",
            *(["rag(k=1)", "rag(k=1)+lora"] if self.corpus else []),
        ]
        lines = [
            f"name = {_quote(self.name)}",
            "version = 1  # raise it when the data change so that scores can't be compared",
            'description = ""',
            'licence = ""  # of the data',
            f"strategies = [{', '.join(map(_quote, strategies))}]",
            "",
            "[[tasks]]",
            f"name = {_quote(self.name)}",
            f"kind = {_quote(self.kind)}",
            f"data = {_quote(self.data)}",
            f"input = {_quote(self.input)}",
            f"reference = {_quote(self.reference)}",
            *([f"corpus = {_quote(self.corpus)}"] if self.corpus else []),
            f"instruction = {_quote(self.instruction)}",
            '# cluster = "COLUMN"  # rows that belong together (one customer, one document): kept in one split',
            *(
                ['# evidence = "COLUMN"  # passage or file that holds the answer: gives recall@k']
                if self.corpus
                else []
            ),
        ]
        if sizes:
            lines.append(f"sizes = {{ {', '.join(f'{split} = {size}' for split, size in sizes.items())} }}")
        return "\n".join(lines) + "\n"


def _check_name(name: str, target: Path) -> None:
    if not NAME.fullmatch(name):
        raise HarnessError(
            f"{name!r} can't name a suite: use letters, digits, '_', '-' and '.', beginning with a letter or digit."
        )
    if name in builtin_suites.folders():
        raise HarnessError(f"{name!r} is a built-in suite: choose another name.")
    if target.exists():
        raise HarnessError(f"{target} is there already, and is left as it is: choose another name or remove it.")


def _copy_corpus(corpus: Path, scratch: Path, data_name: str) -> str:
    if not corpus.exists():
        raise HarnessError(f"the corpus {corpus} isn't there.")
    name = "corpus" if corpus.is_dir() else corpus.name
    if name in ("README.md", "suite.toml"):
        raise HarnessError(f"the corpus is called {name!r}, as a file that is written here: rename it.")
    if name == data_name:
        raise HarnessError(f"the data and the corpus are both called {name!r}: rename one.")
    if corpus.is_file():
        shutil.copyfile(corpus, scratch / name)
        return name
    for file in sorted(corpus.rglob("*")):
        inside = file.resolve().is_relative_to(corpus.resolve())
        if inside and file.is_file() and file.suffix.lower() in SUFFIXES:
            to = scratch / name / file.relative_to(corpus)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, to)
    if not (scratch / name).exists():
        raise HarnessError(f"the corpus folder {corpus} holds none of {', '.join(SUFFIXES)}.")
    return name


def _instruction(kind: Kind, table: TableRows, input: str, reference: str) -> str:  # noqa: A002 - as above
    if kind == "classification":
        labels = sorted({table.text(index, reference) for index in range(len(table.rows))} - {""})
        return f"Which {_words(reference)} fits this {_words(input)}? One of: {', '.join(labels)}."
    if kind == "qa":
        return "Answer the question with as few words as possible."
    return f"Write the {_words(reference)} for this {_words(input)}."


def _words(column: str) -> str:
    return column.replace("_", " ").strip()


def _sizes(prepared: PreparedTask) -> dict[str, int]:
    sizes = {split: prepared.info.sizes[split] for split in ("train", "validation", "test")}
    return sizes | {"train": min(sizes["train"], MOST_TRAIN)}


def _quote(text: str) -> str:
    """Return a TOML basic string: JSON's escapes, and those of the few characters that TOML forbids besides."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _data_sheet(draft: _Draft, prepared: PreparedTask, digest: str) -> str:
    info, example = prepared.info, (prepared.task_data.train or prepared.test)[0]
    chance = "nothing is chosen, so there is none" if info.chance is None else f"{info.chance:.3g}"
    majority = "" if prepared.majority is None else f"; always the commonest label: {prepared.majority:.3g}"
    sizes = "\n".join(f"| {name} | {size} |" for name, size in info.sizes.items())
    quoted = "\n".join(f"> {line}" for line in _short(example.query.input).splitlines())
    notes = "\n".join(f"- {note}" for note in info.warnings) or "None."
    return f"""# {draft.name}

One task of kind {draft.kind}: `{draft.input}` is asked, `{draft.reference}` is right.

- **Source:** `{draft.data}`, given to `harness init`; say here where it comes from and how it was made
- **Revision:** `{draft.data}`, sha256 `{digest}`
- **Licence:** not stated yet
- **Chance level:** {chance}{majority}
- **Known contamination:** not examined: whether the models have seen these data in pre-training is unknown

| split | items |
| --- | --- |
{sizes}

## An example (training split)

{quoted}

Answer: {_short(example.references[0])}

## What was noticed in the data

{notes}
"""


def _short(text: str) -> str:
    return text if len(text) <= 600 else f"{text[:600]} …"
