"""Ways out of a suite's folder, and files whose reading never ends, are one line."""

import os

import pytest

from harness.data import scaffold
from harness.data.suite import load_suite
from harness.data.table_files import read_table
from harness.errors import HarnessError

TOML = """name = "s"
version = 1
description = ""
licence = ""
[[tasks]]
name = "t"
kind = "qa"
data = "rows.csv"
input = "q"
reference = "a"
instruction = "Answer."
"""


@pytest.fixture
def suite(tmp_path):
    folder = tmp_path / "s"
    (folder / "templates").mkdir(parents=True)
    (folder / "suite.toml").write_text(TOML)
    (folder / "rows.csv").write_text("q,a\n" + "".join(f"question {i},answer {i}\n" for i in range(30)))
    (tmp_path / "secret.txt").write_text("a secret {{ question }}")
    return folder


def test_a_template_that_leads_outside_is_refused(suite, tmp_path):
    (suite / "templates" / "mine.jinja").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(HarnessError, match=r"templates/mine.jinja.*leads outside the suite's folder"):
        load_suite(suite).templates  # noqa: B018


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
@pytest.mark.parametrize("name", ["rows.csv", "templates/mine.jinja"])
def test_a_pipe_is_refused_and_not_waited_for(suite, name):
    (suite / name).unlink(missing_ok=True)
    os.mkfifo(suite / name)
    with pytest.raises(HarnessError, match="is no regular file"):
        load_suite(suite).hash  # noqa: B018


@pytest.mark.skipif(os.name != "posix", reason="devices of POSIX")
def test_a_table_is_no_pipe_device_or_folder(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.parquet").mkdir()
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    for name in ("pipe.csv", "folder.parquet", "zero.csv"):
        with pytest.raises(HarnessError, match="is no regular file"):
            read_table(tmp_path / name)


def test_a_corpus_is_copied_without_its_ways_out_and_never_over_the_data_sheet(suite, tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("Send it back within thirty days.")
    (docs / "b.txt").symlink_to(tmp_path / "secret.txt")
    arguments = {"data": suite / "rows.csv", "input": "q", "reference": "a", "folder": tmp_path}
    written = scaffold.init_suite("mine", corpus=docs, **arguments)
    assert [path.name for path in (written.path / "corpus").iterdir()] == ["a.md"]
    (tmp_path / "README.md").write_text("Send it back within thirty days.")
    with pytest.raises(HarnessError, match=r"called 'README.md'"):
        scaffold.init_suite("other", corpus=tmp_path / "README.md", **arguments)
