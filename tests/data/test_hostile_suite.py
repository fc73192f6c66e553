"""Ways out of a suite's folder, and files whose reading never ends, are one line."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.data import scaffold
from harness.data.suite import Suite, load_suite
from harness.data.suite_file import read_config
from harness.data.table_files import read_table
from harness.errors import HarnessError
from harness.plan.config import load_config

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
@pytest.mark.parametrize("name", ["rows.csv", "templates/mine.jinja", "suite.toml"])
def test_a_pipe_is_refused_and_not_waited_for(suite, name):
    (suite / name).unlink(missing_ok=True)
    os.mkfifo(suite / name)
    with pytest.raises(HarnessError, match="is no regular file"):
        Suite(read_config(suite / "suite.toml"), suite).hash  # noqa: B018


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
    tables = {"data": suite / "rows.csv"}, {"input": "q", "reference": "a"}
    written = scaffold.init_suite("mine", scaffold.Material(*tables, docs), tmp_path)
    assert (
        "1 file of the corpus not copied, as it is no document or a link that leads out of it: b.txt." in written.notes
    )
    assert [path.name for path in (written.path / "corpus").iterdir()] == ["a.md"]
    (tmp_path / "README.md").write_text("Send it back within thirty days.")
    with pytest.raises(HarnessError, match=r"called 'README.md'"):
        scaffold.init_suite("other", scaffold.Material(*tables, tmp_path / "README.md"), tmp_path)


@pytest.mark.parametrize("written", ["9" * 5000, "[" * 50_000 + "]" * 50_000])
def test_numbers_and_nesting_without_measure_are_one_line_that_names_the_file(suite, tmp_path, written):
    (tmp_path / "rows.jsonl").write_text(f'{{"q": "a", "a": {written}}}\n')
    with pytest.raises(HarnessError, match=r"rows.jsonl, line 1: a number too long or a nesting too deep"):
        read_table(tmp_path / "rows.jsonl")
    (suite / "suite.toml").write_text(f"version = {written}")
    with pytest.raises(HarnessError, match=r"suite.toml has a number too long or a nesting too deep"):
        load_suite(suite)
    (tmp_path / "run.toml").write_text(f"threads = {written}")
    with pytest.raises(HarnessError, match=r"run.toml cannot be read"):
        load_config({}, tmp_path / "run.toml")


def test_a_suite_file_has_a_size(suite):
    (suite / "suite.toml").write_bytes(b"#" * (16 << 20) + b"##")
    with pytest.raises(HarnessError, match="no regular file of up to 16"):
        load_suite(suite)


def test_a_damaged_parquet_table_is_one_line(tmp_path):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"q": ["a", "b"] * 40, "a": ["c", "d"] * 40}), path)
    content = path.read_bytes()
    for place in range(len(content) - 500, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
        try:
            read_table(path)
        except HarnessError as error:
            assert str(path) in str(error)  # noqa: PT017 - what is read all the same is no error
