"""Writes a suite from a user's own tables, for `harness init`."""

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.api import Kind
from harness.data import builtin_suites
from harness.data.bad_rows import MOST_NAMED
from harness.data.content_hash import sha256_of
from harness.data.conversations import turns_of
from harness.data.corpus import evidence_index
from harness.data.documents import SUFFIXES
from harness.data.folder_files import visible_files
from harness.data.kind_inference import Inference, infer_kind
from harness.data.prepare import prepare
from harness.data.splits import DEFAULT_VALIDATION
from harness.data.suite import load_suite
from harness.data.suite_draft import Draft, data_sheet, sizes_of
from harness.data.table_files import read_table
from harness.data.table_rows import TableRows, cell_at
from harness.errors import HarnessError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
MOST_COMPARED = 200
"""Rows whose cells are compared with the names of corpus files."""


@dataclass(frozen=True)
class NewSuite:
    """A suite that was written.

    Attributes:
        path: its folder.
        inferred: how the kind of the task was inferred, a sentence or two for the user.
        notes: what was left out, and what might be added, a sentence each.
    """

    path: Path
    inferred: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Material:
    """What a suite is written from.

    Attributes:
        files: table by key of the task: ``data`` (to be split), or ``train``, ``test`` and maybe ``validation``.
        columns: column by key of the task: ``input`` and, as used, ``reference``, ``id``, ``cluster``, ``evidence``,
            ``user`` and ``choices``.
        corpus: folder of documents, or a table with id, text and title; None: nothing to retrieve from.
        kind: of the task; None: inferred from the references.
        instruction: None: made of the names of the columns.
        source: where the tables come from; empty: to be filled in.
        groups: columns that divide the items into slices.
        separator: between the labels of a cell, which makes the task multi-label; empty: none.
        synthetic_by: the model that wrote the items; empty: none did.
    """

    files: Mapping[str, Path]
    columns: Mapping[str, str]
    corpus: Path | None = None
    kind: Kind | None = None
    instruction: str | None = None
    source: str = ""
    groups: tuple[str, ...] = ()
    separator: str = ""
    synthetic_by: str = ""


def init_suite(
    name: str, material: Material, folder: Path, choose: Callable[[Inference], Kind] | None = None
) -> NewSuite:
    """Write NAME/suite.toml and its data sheet, with copies of the data: a folder that is complete in itself.

    Args:
        name: of the suite, its folder and its one task.
        material: tables and columns.
        folder: where the suite's folder is made.
        choose: asks which kind it is, where that is not sure; None: nobody is there to be asked.

    Raises:
        HarnessError: a bad or taken name, an unknown column, or data that can't be used. Nothing is left behind.
    """
    target = folder / name
    _check_name(name, target)
    tables = {key: read_table(path) for key, path in material.files.items()}
    for table in tables.values():
        table.require([*material.columns.values(), *material.groups])
    kind, why = _kind(material, next(iter(tables.values())), choose)
    scratch = folder / f".{name}.partial"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(parents=True)
        draft = _draft(name, kind, material, tables, scratch)
        sizes = {} if "data" in tables or "validation" in tables else {"validation": _validation_size(tables["train"])}
        (scratch / "suite.toml").write_text(draft.toml(sizes), encoding="utf-8")
        prepared = prepare(load_suite(scratch), name)
        offers = _evidence_columns(
            material, next(iter(tables.values())), set(evidence_index(prepared.task_data.corpus))
        )
        draft = replace(draft, offers={"evidence": offers[0]} if offers else {})
        (scratch / "suite.toml").write_text(draft.toml(sizes_of(prepared, draft.files)), encoding="utf-8")
        prepared = prepare(load_suite(scratch), name)
        digests = {path.name: sha256_of(path) for path in material.files.values()}
        (scratch / "README.md").write_text(data_sheet(draft, prepared, digests), encoding="utf-8")
        scratch.replace(target)
    except HarnessError as error:
        raise HarnessError(str(error).replace(str(scratch), str(target))) from error
    except OSError as error:
        raise HarnessError(f"{target} can't be written ({error.strerror or error}).") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    offered = [f"column {column!r} names passages or files of the corpus: --evidence {column}." for column in offers]
    return NewSuite(target, why, (*prepared.info.warnings, *_not_copied(material.corpus), *offered))


def _kind(material: Material, table: TableRows, choose: Callable[[Inference], Kind] | None) -> tuple[Kind, str]:
    """Return the kind of the task, with a sentence on why.

    Raises:
        HarnessError: the answer would stand in the question, or no kind fits the references.
    """
    asked, reference = material.columns["input"], material.columns.get("reference", "")
    if asked == reference:
        raise HarnessError(f"--input and --reference are both {asked!r}: the answer would stand in the question.")
    if not reference and material.kind != "language_modelling":
        return _without_reference(material, table, asked)
    if material.kind in ("multiple_choice", "language_modelling"):
        return material.kind, f'Kind "{material.kind}".'
    if material.separator:
        return "multi_label", 'Kind "multi_label", as labels are separated.'
    inference = infer_kind(table, reference, has_corpus=material.corpus is not None)
    if material.kind:
        return material.kind, f'Kind "{material.kind}", as asked.'
    if inference.is_sure or choose is None:
        return inference.kind, inference.sentence
    kind = choose(inference)
    return kind, f'Kind "{kind}", as chosen.'


def _without_reference(material: Material, table: TableRows, asked: str) -> tuple[Kind, str]:
    """Return the kind of a task whose answers are the last turns of its conversations.

    Raises:
        HarnessError: the cells hold no conversations, or the kind needs a column of answers.
    """
    if not any(turns_of(cell_at(row, asked)) for row in table.rows):
        raise HarnessError(f"column {asked!r} of {table.name} holds no conversations: name the answers by --reference.")
    kind: Kind = material.kind or "generation"
    if kind not in ("qa", "generation"):
        raise HarnessError(f"a task of kind {kind!r} needs its answers in a column of their own: give --reference.")
    why = "as asked" if material.kind else "of conversations, whose last turns are the answers"
    return kind, f'Kind "{kind}", {why}.'


def _reference_as(material: Material, table: TableRows) -> str | None:
    """Return how the answers name a choice: None for its text, else ``letter`` or ``index``."""
    if "choices" not in material.columns or "reference" not in material.columns:
        return None
    answers = {cell_at(row, material.columns["reference"]) for row in table.rows[:MOST_COMPARED]}
    texts = {str(answer).strip() for answer in answers}
    choices = [cell_at(row, material.columns["choices"]) for row in table.rows[:MOST_COMPARED]]
    known = {str(choice).strip() for cell in choices if isinstance(cell, list) for choice in cell}
    if texts <= known:
        return None
    return "index" if all(text.isdigit() for text in texts) else "letter"


def _draft(name: str, kind: Kind, material: Material, tables: Mapping[str, TableRows], scratch: Path) -> Draft:
    """Copy the tables and the corpus into the suite's folder, and return its settings."""
    names = [path.name for path in material.files.values()]
    if len(set(names)) < len(names):
        raise HarnessError(f"two tables are called {names[0]!r}: rename one.")
    for path in material.files.values():
        shutil.copyfile(path, scratch / path.name)
    corpus = _copy_corpus(material.corpus, scratch, names) if material.corpus else None
    instruction = material.instruction
    if instruction is None:
        instruction = _instruction(
            kind, list(tables.values()), material.columns["input"], material.columns.get("reference", "answer")
        )
    files = {key: path.name for key, path in material.files.items()}
    columns = dict(material.columns)
    form = _reference_as(material, next(iter(tables.values())))
    return Draft(
        name,
        kind,
        files,
        columns,
        corpus,
        instruction,
        material.groups,
        separator=material.separator,
        reference_as=form,
        source=material.source,
        synthetic_by=material.synthetic_by,
    )


def _validation_size(train: TableRows) -> int:
    ceiling, share = DEFAULT_VALIDATION
    return min(ceiling, int(share * len(train.rows)))


def _evidence_columns(material: Material, table: TableRows, names: set[str]) -> list[str]:
    """Return the columns whose cells name passages or files of the corpus, nearly all of them."""
    if not names or "evidence" in material.columns:
        return []
    first_rows = table.select(range(min(len(table.rows), MOST_COMPARED)))
    columns: list[str] = []
    for column in set(table.columns) - set(material.columns.values()):
        try:
            cells = first_rows.texts(column)
        except HarnessError:  # lists and objects
            continue
        if cells and sum(cell in names for cell in cells) >= 0.9 * len(cells):
            columns.append(column)
    return sorted(columns)


def _check_name(name: str, target: Path) -> None:
    if not NAME.fullmatch(name):
        raise HarnessError(
            f"{name!r} can't name a suite: use letters, digits, '_', '-' and '.', beginning with a letter or digit."
        )
    if name in builtin_suites.folders():
        raise HarnessError(f"{name!r} is a built-in suite: choose another name.")
    if target.exists():
        raise HarnessError(f"{target} is there already, and is left as it is: choose another name or remove it.")


def _copy_corpus(corpus: Path, scratch: Path, table_names: Sequence[str]) -> str:
    if not corpus.exists():
        raise HarnessError(f"the corpus {corpus} isn't there.")
    name = "corpus" if corpus.is_dir() else corpus.name
    if name in ("README.md", "suite.toml"):
        raise HarnessError(f"the corpus is called {name!r}, as a file that is written here: rename it.")
    if name in table_names:
        raise HarnessError(f"the data and the corpus are both called {name!r}: rename one.")
    if corpus.is_file():
        shutil.copyfile(corpus, scratch / name)
        return name
    for file in _documents(corpus):
        to = scratch / name / file.relative_to(corpus)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, to)
    if not (scratch / name).exists():
        raise HarnessError(f"the corpus folder {corpus} holds none of {', '.join(SUFFIXES)}.")
    return name


def _documents(corpus: Path) -> list[Path]:
    """Return the documents that lie within a folder; a link that leads out of it is none."""
    files = (file for file in visible_files(corpus) if file.resolve().is_relative_to(corpus.resolve()))
    return [file for file in files if file.suffix.lower() in SUFFIXES]


def _not_copied(corpus: Path | None) -> list[str]:
    """Name the files of a folder that are no documents."""
    if corpus is None or not corpus.is_dir():
        return []
    documents = set(_documents(corpus))
    names = [file.relative_to(corpus).as_posix() for file in visible_files(corpus) if file not in documents]
    if not names:
        return []
    subject, verb = ("1 file", "it is") if len(names) == 1 else (f"{len(names)} files", "they are")
    others = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    listed = ", ".join(names[:MOST_NAMED]) + others
    return [f"{subject} of the corpus not copied, as {verb} no document or a link that leads out of it: {listed}."]


def _instruction(kind: Kind, tables: Sequence[TableRows], asked: str, reference: str) -> str:
    if kind == "classification":
        labels = sorted({label for table in tables for label in table.texts(reference)})
        return f"Which {_words(reference)} fits this {_words(asked)}? One of: {', '.join(labels)}."
    if kind == "multiple_choice":
        return "Choose the right answer."
    if kind == "multi_label":
        return f"Which {_words(reference)} fit this {_words(asked)}? There may be several, or none."
    if kind == "qa":
        return "Answer the question with as few words as possible."
    return f"Write the {_words(reference)} for this {_words(asked)}."


def _words(column: str) -> str:
    return column.replace("_", " ").strip()
