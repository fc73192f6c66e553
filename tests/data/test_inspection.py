"""`harness data`: repeats, leaks, labels, lengths and personal data, split by split."""

import io
import json

import pytest
from rich.console import Console

from harness import cli
from harness.data.inspection import DataInspection, inspect
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.render.plan import data_report

ROWS = {
    "train": [
        "the river runs past the old mill and the bridge,a",
        "The river runs past the old mill and the bridge!,a",
        "the river runs past the old mill and the bridges,a",
        "a tower of stone stands above the green valley,a",
        "a tower of stone stands above the green valley,b",
        "write to ann@example.org or bo@example.org,b",
    ],
    "test": ["a tower of stone stands above the green valley,a", "nobody answered the door that evening,b"],
}


class ByCharacter:
    """One token a character; an answer ends with one more."""

    context_tokens = 60

    def count_prompts(self, prompts):
        return [len(prompt.question) for prompt in prompts]

    def count_answers(self, task_prompt, answers):
        return [len(answer) + 1 for answer in answers]


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "suite.toml").write_text(
        'name = "mine"\nversion = 2\n[[tasks]]\nname = "t"\nkind = "classification"\ntrain = "train.csv"\n'
        'test = "test.csv"\ninput = "text"\nreference = "label"\n'
    )
    for name, rows in ROWS.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    return load_suite(tmp_path)


@pytest.fixture
def inspection(suite):
    return inspect(prepare(suite, "t"), ByCharacter())


def split(inspection, name):
    return next(part for part in inspection.splits if part.name == name)


def test_repeats_conflicts_and_labels_are_counted_by_split(inspection):
    train, test = split(inspection, "train"), split(inspection, "test")
    assert (train.rows, train.duplicates, train.near_duplicates, train.conflicts) == (6, 1, 2, 1)
    assert (test.rows, test.duplicates, test.near_duplicates, test.conflicts) == (2, 0, 0, 0)
    assert train.labels == {"a": 4, "b": 2}


def test_what_two_splits_share_is_told_with_the_pair_most_alike(inspection):
    (overlap,) = inspection.overlaps
    assert (overlap.earlier, overlap.later, overlap.exact, overlap.near) == ("train", "test", 1, 0)
    assert (overlap.example[1], overlap.similarity) == ("test.csv:2", 1.0)


def test_lengths_are_of_question_and_answer_and_what_exceeds_the_window_is_counted(inspection):
    lengths = split(inspection, "test").lengths
    assert (lengths.median, lengths.longest, lengths.too_long) == (37 + 2, 46 + 2, 0)


def test_personal_data_are_counted_and_shown_masked(inspection):
    (kind,) = split(inspection, "train").personal
    assert (kind.kind, kind.count, kind.items, kind.example) == ("EMAIL", 2, 1, "a**@*******.***")


def test_the_window_is_that_of_the_model(suite):
    short = ByCharacter()
    short.context_tokens = 40
    inspection = inspect(prepare(suite, "t"), short)
    assert split(inspection, "test").lengths.too_long == 1
    short.context_tokens = None
    assert split(inspect(prepare(suite, "t"), short), "test").lengths.too_long is None


def test_a_corpus_has_its_own_column(tmp_path):
    (tmp_path / "suite.toml").write_text(
        'name = "mine"\nversion = 1\n[[tasks]]\nname = "t"\nkind = "qa"\ndata = "rows.csv"\ninput = "q"\n'
        'reference = "r"\ncorpus = "texts.csv"\n'
    )
    (tmp_path / "rows.csv").write_text("q,r\n" + "".join(f"question {n * 7919 % 997},{n}\n" for n in range(20)))
    (tmp_path / "texts.csv").write_text("id,text\n1,Same text\n2,same text.\n3,call +44 20 7946 0958\n")
    inspection = inspect(prepare(load_suite(tmp_path), "t"), ByCharacter())
    corpus = split(inspection, "corpus")
    assert (corpus.rows, corpus.duplicates, corpus.near_duplicates, corpus.labels) == (3, 1, None, {})
    assert [match.kind for match in corpus.personal] == ["PHONE"]


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal_and_shows_no_personal_data(inspection, width):
    console = Console(file=io.StringIO(), width=width)
    for part in data_report.terminal(
        DataInspection(suite="mine", version=2, model="m", window=60, tasks=(inspection,))
    ):
        console.print(part)
    text = console.file.getvalue()
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    assert "example.org" not in text
    rows = {line.strip().rpartition("  ")[0].split("  ")[0]: line.split()[-2:] for line in text.splitlines() if line}
    assert rows["rows"] == ["6", "2"]
    assert rows["e-mail addresses"] == ["2", "0"]
    assert rows["share of b"] == ["33.3%", "50.0%"]
    assert "1 of test in train word for word" in " ".join(text.split())


def test_the_command_counts_a_models_tokens_and_reads_no_weights(
    tiny_suite, tiny_folders, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "tokenizer only"
    folder.mkdir()
    for file in tiny_folders().iterdir():
        content = file.read_bytes()
        if file.suffix == ".safetensors":  # its header, and zeros for weights
            header_bytes = 8 + int.from_bytes(content[:8], "little")
            content = content[:header_bytes] + bytes(len(content) - header_bytes)
        (folder / file.name).write_bytes(content)
    monkeypatch.setattr("sys.argv", ["harness", "data", str(tiny_suite), "--model", str(folder), "--format", "json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["window"] == 512
    assert [task["name"] for task in printed["tasks"]] == ["moods", "facts", "quiz"]
    (train, *_) = printed["tasks"][0]["splits"]
    assert train["rows"] == 12
    assert 0 < train["lengths"]["median"] <= train["lengths"]["p95"] <= train["lengths"]["longest"] < 512
