"""One row that cannot be used is left out and named; many of them are an error."""

import json
from pathlib import Path

import pytest

from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.errors import HarnessError
from tests.data.suite_files import CLASSES, HEAD, ready, rows, suite_with, words

CHOICES = HEAD + 'kind = "multiple_choice"\ndata = "rows.jsonl"\ninput = "q"\nreference = "r"\nchoices = "c"\n'
PAIRS = HEAD + 'kind = "preference"\ndata = "rows.jsonl"\ninput = "q"\nreference = "r"\nrejected = "bad"\n'
FOUND = (
    HEAD
    + 'kind = "qa"\ndata = "rows.jsonl"\ninput = "q"\nreference = "r"\ncorpus = "docs.csv"\nevidence = "e"\nid = "i"\n'
)
DOCS = "id,text\np1,some text\np2,more text\n"
SOUND = {"c": ["yes", "no"], "r": "no", "bad": "worse", "e": "p1"}


def lines(*faulty: dict[str, object], number: int = 40) -> str:
    sound = [{"q": words(n), "i": f"n{n}", **SOUND} for n in range(number)]
    bad = [{"q": words(1000 + n), "i": f"bad{n}", **SOUND, **row} for n, row in enumerate(faulty)]
    return "".join(json.dumps(row) + "\n" for row in [*sound, *bad])


FAULTS = [
    (CHOICES, {"c": ["yes", "no", "no"]}, "the choice 'no' occurs twice"),
    (CHOICES, {"c": ["yes"]}, "1 choice(s), but a multiple choice needs two"),
    (CHOICES, {"c": "yes or no"}, "must hold a list of choices"),
    (CHOICES, {"r": "perhaps"}, "the reference 'perhaps' isn't among the choices"),
    (CHOICES, {"q": {"text": "nested"}}, "column 'q' holds an object with the keys 'text'"),
    (PAIRS, {"bad": "no"}, "the better and the worse answer are both 'no'"),
    (FOUND, {"e": "p9"}, "the evidence 'p9' is neither a passage nor a file"),
    (FOUND, {"i": ""}, "column 'i' (the id) is empty"),
    (FOUND, {"i": "n3"}, "id 'n3' is that of rows.jsonl, line 4 too"),
]


@pytest.mark.parametrize(("toml", "fault", "reason"), FAULTS)
def test_a_row_that_cannot_be_used_is_left_out_and_named(
    toml: str, fault: dict[str, object], reason: str, tmp_path: Path
):
    sound = ready(tmp_path / "a", toml, rows__jsonl=lines(), docs__csv=DOCS)
    prepared = ready(tmp_path / "b", toml, rows__jsonl=lines(fault), docs__csv=DOCS)
    assert prepared.info.warnings[0].startswith("1 row of rows.jsonl left out, as they can't be used (line 41: ")
    assert reason in prepared.info.warnings[0]
    assert prepared.info.data_hash == sound.info.data_hash


@pytest.mark.parametrize(("toml", "fault", "reason"), FAULTS)
def test_more_of_them_are_one_error_line_unless_the_suite_allows_them(
    toml: str, fault: dict[str, object], reason: str, tmp_path: Path
):
    files = {"rows__jsonl": lines(fault, fault), "docs__csv": DOCS}
    with pytest.raises(HarnessError) as error:
        ready(tmp_path / "a", toml, **files)
    assert reason in str(error.value)
    assert "2 rows of 42 can't be used; max_bad_rows = 0.01 lets 1 be left out." in str(error.value)
    allowed = ready(tmp_path / "a", "max_bad_rows = 0.05\n" + toml, **files)
    assert allowed.info.warnings[0].startswith("2 rows of rows.jsonl left out")


def test_a_strict_suite_takes_no_row_that_it_cannot_use_not_even_an_empty_one(tmp_path: Path):
    for content, reason in ((rows() + "one, two,a\n", "3 cells"), (rows() + "text,\n", "no input or no reference")):
        suite = load_suite(suite_with(tmp_path / "s", CLASSES, rows__csv=content))
        assert len(prepare(suite, "t").info.warnings) == 1
        with pytest.raises(HarnessError, match=f"rows.csv, line 42: {reason}"):
            prepare(suite.strict, "t")
        assert suite.strict.hash == suite.hash


def test_lines_that_are_no_json_and_splits_that_are_none_are_rows_too(tmp_path: Path):
    toml = CHOICES + 'split = "part"\n'
    parts = [{"q": words(n), **SOUND, "part": ("train", "test")[n % 2]} for n in range(40)]
    content = "".join(json.dumps(row) + "\n" for row in parts)
    prepared = ready(tmp_path / "a", toml, rows__jsonl=content + '{"q": "cut o\n')
    assert "(line 41: not JSON (" in prepared.info.warnings[0]
    other = json.dumps({"q": "x", **SOUND, "part": "tset"})
    prepared = ready(tmp_path / "b", toml, rows__jsonl=content + other + "\n")
    assert "line 41: unknown split 'tset': did you mean 'test'?" in prepared.info.warnings[0]
    assert len(prepared.info.warnings) == 1


def test_a_table_of_passages_names_the_lines_that_it_leaves_out(tmp_path: Path):
    prepared = ready(tmp_path / "s", FOUND, rows__jsonl=lines(), docs__csv=DOCS + "p3,one, two\n")
    assert "1 row of docs.csv left out" in prepared.info.warnings[0]
