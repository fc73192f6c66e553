"""Baselines: small, immutable copies of finished trials; damage is named, and no report takes them for results."""

import json

import pytest

from harness.compare.release.pairing import read_measured
from harness.errors import HarnessError
from harness.metrics import get
from harness.store import baselines
from harness.store.baselines import find_baseline, list_baselines, read_baseline, set_baseline
from harness.store.trial_lookup import find_trials
from tests.compare.release_builders import store_of, trial_rows


@pytest.fixture
def store(tmp_path):
    return store_of(
        tmp_path / "results", trial_rows(prompt="a long prompt " * 50), trial_rows(task="know", strategy="rag")
    )


@pytest.fixture
def baseline(store):
    return set_baseline(store, "v1", find_trials(store, "quick"), "first")


def test_a_baseline_holds_what_its_scores_were_made_from(store, baseline):
    assert (baseline.manifest.suite, baseline.manifest.note, baseline.manifest.measured_at[:10]) == (
        "quick",
        "first",
        "2026-01-01",
    )
    for before, after in zip(read_measured(store.load()), read_measured(baseline.trials), strict=True):
        task = before.record.trial.task
        assert get("accuracy").value(after.items[task]) == get("accuracy").value(before.items[task])
        assert after.tokens == before.tokens
        assert after.prompts == before.prompts
        assert after.record.serving == before.record.serving


def test_prompts_are_stored_as_hashes(baseline):
    assert {row.prompt[:7] for trial in baseline.trials for row in trial.rows()} == {"sha256:"}
    assert all(b"a long prompt" not in path.read_bytes() for path in baseline.folder.rglob("*") if path.is_file())


def test_inputs_are_kept_only_where_a_metric_reads_them(tmp_path):
    record, rows = trial_rows()
    summary = record.tasks[0].model_copy(update={"metrics": ("extractive_coverage",), "kind": "generation"})
    record = record.model_copy(update={"tasks": (summary,)})
    first = set_baseline(store := store_of(tmp_path / "a", (record, rows)), "v1", store.load())
    assert {bool(row.input) for row in first.trials[0].rows()} == {True}
    second = set_baseline(store := store_of(tmp_path / "b", trial_rows()), "v1", store.load())
    assert {bool(row.input) for row in second.trials[0].rows()} == {False}


def test_a_baseline_is_no_result(store, baseline):
    assert baseline.folder.is_relative_to(store.root)
    assert len(store.load()) == 2
    assert store.problems == []
    assert store.suites() == ["quick"]
    store.clean()
    assert find_baseline("v1", [store.root]).trials


def test_a_baseline_is_never_changed(store, baseline):
    with pytest.raises(HarnessError, match="never changes: choose another name, or 'harness baseline remove v1 --yes'"):
        set_baseline(store, "v1", find_trials(store, "quick"))
    assert find_baseline("v1", [store.root]).manifest == baseline.manifest


@pytest.mark.parametrize("name", ["../v1", "a/b", ".hidden", ""])
def test_a_name_that_is_no_folders_is_refused(store, name):
    with pytest.raises(HarnessError, match="cannot name a baseline"):
        set_baseline(store, name, find_trials(store, "quick"))


def test_a_baseline_without_a_finished_trial_is_refused(store):
    with pytest.raises(HarnessError, match="no finished trial"):
        set_baseline(store, "v2", [])
    assert not (store.root / "baselines" / "v2").exists()


@pytest.mark.parametrize("damage", ["cut", "gone", "edited", "manifest"])
def test_a_damaged_baseline_is_named(store, baseline, damage):
    parquet = next(baseline.folder.glob("*/examples.parquet"))
    path = {"cut": parquet, "gone": parquet}.get(damage, parquet.with_name("record.json"))
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:100])
    elif damage == "edited":
        path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    else:
        path = baseline.folder / "baseline.json"
        path.write_text(path.read_text()[:50])
    with pytest.raises(HarnessError, match="baseline 'v1' is damaged") as raised:
        find_baseline("v1", [store.root])
    assert path.name in str(raised.value)
    readable, problems = list_baselines(store.root)
    assert readable == []
    assert len(problems) == 1


def test_a_baseline_of_a_newer_version_is_refused(baseline):
    path = baseline.folder / "baseline.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 99}))
    with pytest.raises(HarnessError, match="newer version"):
        read_baseline(baseline.folder)


def test_a_misspelt_baseline_is_answered_with_the_nearest(store, baseline):
    with pytest.raises(HarnessError, match="did you mean 'v1'"):
        find_baseline("v1x", [store.root])


def test_baselines_are_listed_by_when_they_were_measured(tmp_path):
    store = store_of(tmp_path, trial_rows(at="2026-03-01"))
    set_baseline(store, "b", store.load())
    older = store_of(tmp_path / "older", trial_rows(at="2026-02-01"))
    set_baseline(store, "a-late-but-older", older.load())
    assert [listed.name for listed in list_baselines(tmp_path)[0]] == ["a-late-but-older", "b"]


def test_a_run_is_chosen_by_suite_folder_or_key(store):
    trials = find_trials(store, None)
    assert len(trials) == len(find_trials(store, "quick")) == 2
    assert find_trials(store, str(trials[0].folder))[0].record == trials[0].record
    assert find_trials(store, trials[1].record.trial.key[:10])[0].record == trials[1].record
    assert [trial.record.trial.strategy for trial in find_trials(store, "quick", ["rag"])] == ["rag"]
    with pytest.raises(HarnessError, match="did you mean 'rag'"):
        find_trials(store, "quick", ["ragg"])
    with pytest.raises(HarnessError, match="no suite, no record's folder"):
        find_trials(store, "slow")


def test_a_prompt_that_is_a_hash_already_stays(store):
    digest = baselines.prompt_hash("hello")
    assert baselines.prompt_hash(digest) == digest != baselines.prompt_hash("hallo")
    assert baselines.prompt_hash("") == ""
