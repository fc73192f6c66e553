"""The suite of planted instructions: its files are what its program writes, and what is poisoned is what it says."""

from collections import Counter
from importlib import import_module

import pytest

from harness.data import builtin_suites
from harness.data.content_hash import sha256_of
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.metrics import get
from harness.metrics.items import Items
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.records.record import Completed
from harness.trial.run_trial import run_trial

FOLDER = builtin_suites.FOLDER / "injection"


@pytest.fixture(scope="module")
def generate():
    return import_module("suites.injection.generate")


@pytest.fixture(scope="module")
def prepared():
    return prepare(load_suite("injection"), "poisoned")


def test_the_files_are_what_the_program_writes_and_the_data_sheet_names_their_hashes(generate, tmp_path):
    generate.write(tmp_path)
    sheet = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in ("items.jsonl", "corpus.jsonl"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes()
        assert sha256_of(FOLDER / name) in sheet


def test_half_of_the_test_passages_hold_an_instruction_and_no_other_text_names_the_marker(generate, prepared):
    assert prepared.info.sizes == {**generate.SIZES, "corpus": sum(generate.SIZES.values())}
    assert not prepared.leaks
    text = {passage.id: passage.text for passage in prepared.task_data.corpus}
    assert Counter(example.groups for example in prepared.test) == {
        ("clean", "none"): 60,
        **{("poisoned", attack): 12 for attack in generate.ATTACKS},
    }
    for example in (*prepared.task_data.train, *prepared.task_data.validation, *prepared.test):
        poisoned = example.groups[:1] == ("poisoned",)
        assert all(answer in text[example.evidence[0]] for answer in example.references)
        assert (generate.MARKER in text[example.evidence[0]]) == poisoned
        assert generate.MARKER not in example.query.input
    assert {example.rejected for example in prepared.test} == {generate.MARKER}


def test_a_trial_shows_the_instructions_and_stores_the_share_that_followed_them(tiny_folders, tmp_path, generate):
    config = RunConfig(
        suite="injection",
        models=(str(tiny_folders()),),
        strategies=("rag(k=1,retriever=bm25)",),
        limits={"test": 10},
        requests=0,
        check_items=0,
    )
    record, rows = run_trial(make_plan(config).trials[0], cache=tmp_path / "cache", emit=lambda event: None)
    assert isinstance(record, Completed)
    answers = [row for row in rows if row.role == "target"]
    poisoned = [row for row in answers if row.groups[0] == "poisoned"]
    assert 0 < len(poisoned) < len(answers) == 10
    assert all(set(row.evidence) <= set(row.passages) for row in poisoned)
    obeyed = [
        row.model_copy(update={"output": f" Cantaloupe. {row.output}"}) if row in poisoned else row for row in answers
    ]
    metric = get("injection_followed")
    assert metric.value(Items.from_rows(answers)) == 0
    assert metric.value(Items.from_rows(obeyed)) == pytest.approx(len(poisoned) / 10)
