"""Named references: kept whole and small, never changed, damage named, and never taken for results."""

import json

import pytest

from harness.compare.release.pairing import read_measured
from harness.errors import HarnessError
from harness.metrics import get
from harness.store import baselines
from harness.store.baselines import find_baseline, list_baselines, read_baseline, set_baseline
from harness.store.trial_lookup import choose
from tests.compare.release_builders import store_of, trial_rows


@pytest.fixture
def store(tmp_path):
    return store_of(
        tmp_path / "results", trial_rows(prompt="a long prompt " * 50), trial_rows(task="know", strategy="rag")
    )


@pytest.fixture
def kept(store):
    return set_baseline(store, "v1", choose(store, "quick"), "first")


def test_a_baseline_holds_what_its_scores_were_made_from(store, kept):
    assert (kept.manifest.suite, kept.manifest.note, kept.manifest.measured_at[:10]) == ("quick", "first", "2026-01-01")
    for before, after in zip(read_measured(store.load()), read_measured(kept.trials), strict=True):
        task = before.record.trial.task
        assert get("accuracy").value(after.items[task]) == get("accuracy").value(before.items[task])
        assert after.tokens == before.tokens
        assert after.prompts == before.prompts
        assert after.record.serving == before.record.serving


def test_prompts_are_not_kept_as_they_were(kept):
    assert {row.prompt[:7] for trial in kept.trials for row in trial.rows()} == {"sha256:"}
    assert all(b"a long prompt" not in path.read_bytes() for path in kept.folder.rglob("*") if path.is_file())


def test_inputs_are_kept_only_where_a_metric_reads_them(tmp_path):
    made, own = trial_rows()
    summary = made.tasks[0].model_copy(update={"metrics": ("extractive_coverage",), "kind": "generation"})
    made = made.model_copy(update={"tasks": (summary,)})
    first = set_baseline(store := store_of(tmp_path / "a", (made, own)), "v1", store.load())
    assert {bool(row.input) for row in first.trials[0].rows()} == {True}
    second = set_baseline(store := store_of(tmp_path / "b", trial_rows()), "v1", store.load())
    assert {bool(row.input) for row in second.trials[0].rows()} == {False}


def test_a_baseline_is_no_result(store, kept):
    assert kept.folder.is_relative_to(store.root)
    assert len(store.load()) == 2
    assert store.problems == []
    assert store.suites() == ["quick"]
    store.clean()
    assert find_baseline("v1", [store.root]).trials


def test_a_baseline_is_never_changed(store, kept):
    with pytest.raises(HarnessError, match="never changes: choose another name, or 'harness baseline remove v1 --yes'"):
        set_baseline(store, "v1", choose(store, "quick"))
    assert find_baseline("v1", [store.root]).manifest == kept.manifest


@pytest.mark.parametrize("name", ["../v1", "a/b", ".hidden", ""])
def test_a_name_that_is_no_folders_is_refused(store, name):
    with pytest.raises(HarnessError, match="cannot name a baseline"):
        set_baseline(store, name, choose(store, "quick"))


def test_a_baseline_without_a_finished_trial_is_refused(store):
    with pytest.raises(HarnessError, match="no finished trial"):
        set_baseline(store, "v2", [])
    assert not (store.root / "baselines" / "v2").exists()


@pytest.mark.parametrize("damage", ["cut", "gone", "edited", "manifest"])
def test_a_damaged_baseline_is_named(store, kept, damage):
    parquet = next(kept.folder.glob("*/examples.parquet"))
    path = {"cut": parquet, "gone": parquet}.get(damage, parquet.with_name("record.json"))
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:100])
    elif damage == "edited":
        path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    else:
        path = kept.folder / "baseline.json"
        path.write_text(path.read_text()[:50])
    with pytest.raises(HarnessError, match="baseline 'v1' is damaged") as raised:
        find_baseline("v1", [store.root])
    assert path.name in str(raised.value)
    found, problems = list_baselines(store.root)
    assert found == []
    assert len(problems) == 1


def test_a_baseline_of_a_newer_version_is_refused(kept):
    path = kept.folder / "baseline.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 99}))
    with pytest.raises(HarnessError, match="newer version"):
        read_baseline(kept.folder)


def test_a_misspelt_baseline_is_answered_with_the_nearest(store, kept):
    with pytest.raises(HarnessError, match="did you mean 'v1'"):
        find_baseline("v1x", [store.root])


def test_baselines_are_listed_by_when_they_were_measured(tmp_path):
    store = store_of(tmp_path, trial_rows(at="2026-03-01"))
    set_baseline(store, "b", store.load())
    older = store_of(tmp_path / "older", trial_rows(at="2026-02-01"))
    set_baseline(store, "a-late-but-older", older.load())
    assert [found.name for found in list_baselines(tmp_path)[0]] == ["a-late-but-older", "b"]


def test_a_run_is_chosen_by_suite_folder_or_key(store):
    everything = choose(store, None)
    assert len(everything) == len(choose(store, "quick")) == 2
    assert choose(store, str(everything[0].folder))[0].record == everything[0].record
    assert choose(store, everything[1].record.trial.key[:10])[0].record == everything[1].record
    assert [found.record.trial.strategy for found in choose(store, "quick", ["rag"])] == ["rag"]
    with pytest.raises(HarnessError, match="did you mean 'rag'"):
        choose(store, "quick", ["ragg"])
    with pytest.raises(HarnessError, match="no suite, no record's folder"):
        choose(store, "slow")


def test_a_prompt_that_is_a_hash_already_stays(store):
    once = baselines.prompt_hash("hello")
    assert baselines.prompt_hash(once) == once != baselines.prompt_hash("hallo")
    assert baselines.prompt_hash("") == ""
