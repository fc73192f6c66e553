"""Suites that a test writes: a classification of rows that are unlike each other, or any other suite.toml."""

import hashlib
from pathlib import Path

from harness.data.prepare import PreparedTask, prepare
from harness.data.suite import load_suite

HEAD = 'name = "mine"\nversion = 1\n[[tasks]]\nname = "t"\n'
CLASSES = HEAD + 'kind = "classification"\ndata = "rows.csv"\ninput = "text"\nreference = "label"\n'


def suite_with(folder: Path, toml: str, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "suite.toml").write_text(toml, encoding="utf-8")
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return folder


def words(number: int) -> str:
    """A text that is like no other."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:24]


def rows(number: int = 40) -> str:
    return "text,label\n" + "".join(f"text {words(i)},{'ab'[i % 2]}\n" for i in range(number))


def ready(folder: Path, toml: str, *, limits: dict[str, int] | None = None, **files: str) -> PreparedTask:
    return prepare(load_suite(suite_with(folder, toml, **files)), "t", limits=limits)
