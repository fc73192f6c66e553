"""The same documents as Markdown, HTML, PDF and Word are found about as well."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

from harness.api import Query
from harness.data.corpus import evidence_index, read_corpus
from harness.retrieval import bm25
from harness.retrieval.ranking import PassageRetriever
from tests.data import document_files

MODULES = """argparse ast base64 bisect calendar cmd code codecs collections configparser contextlib copy csv datetime
decimal difflib dis email.message fileinput fractions functools gettext glob gzip heapq imaplib inspect ipaddress
logging mailbox os.path pathlib pdb pickle random shelve shutil statistics subprocess textwrap""".split()  # noqa: SIM905 - as above
"""Forty modules whose documentation is the text."""
WRITERS = {
    ".md": document_files.write_markdown,
    ".html": document_files.write_html,
    ".pdf": document_files.write_pdf,
    ".docx": document_files.write_docx,
}


def documentation(name):
    """Return a module's documentation, a section for each class and function."""
    module = importlib.import_module(name)
    members = inspect.getmembers(module, lambda m: inspect.isclass(m) or inspect.isfunction(m))
    sections = [(name, ["Documentation of a module of the standard library."])]
    for title, member in members:
        doc = inspect.getdoc(member)
        if doc and not title.startswith("_") and member.__module__.startswith(name.partition(".")[0]):
            paragraphs = [" ".join(text.split()) for text in re.split(r"\n\s*\n", doc)]
            sections.append((title, [text for text in paragraphs if text.isascii()]))
    return sections[:12]


def questions(sections):
    """Return every fourth word of the last sentence of each section: too little to find all of them by."""
    for title, body in sections[1:]:
        sentences = [s for s in re.split(r"(?<=[.])\s+", " ".join(body)) if len(s.split()) >= 8]
        if sentences:
            yield " ".join(sentences[-1].replace(title, "").split()[1::4])


@pytest.fixture(scope="module")
def material():
    documents = {name: documentation(name) for name in MODULES}
    return documents, [(question, name) for name, sections in documents.items() for question in questions(sections)]


def recall_at_3(folder, suffix, asked, searcher_of):
    passages = read_corpus(folder, folder, words=80).passages
    index = evidence_index(passages)
    retriever = PassageRetriever((searcher_of(passages),), passages, 3)
    passages_of_questions = retriever.find([Query(str(n), question) for n, (question, _) in enumerate(asked)])
    hits = [
        any(passage.id in index[f"{name}{suffix}"] for passage in passages_of)
        for (_, name), passages_of in zip(asked, passages_of_questions, strict=True)
    ]
    return sum(hits) / len(hits)


def test_bm25_finds_the_document_as_often_in_each_format(material, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    documents, asked = material
    assert len(documents) == 40
    assert len(asked) > 150
    shares = {}
    for suffix, write in WRITERS.items():
        folder = tmp_path / suffix[1:]
        folder.mkdir()
        for name, sections in documents.items():
            write(folder / f"{name}{suffix}", sections)
        shares[suffix] = recall_at_3(folder, suffix, asked, bm25.build)
    assert 0.5 < min(shares.values()) < 1, shares
    assert max(shares.values()) - min(shares.values()) <= 0.02, shares
