"""Fresh items on the command line: kept apart from other results, compared with them, and nothing else changes."""

import json
import shlex

import pytest

from harness.cli.commands import store_of
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.store.results_store import Store, select_newest
from harness.trial.run_trial import run_trial

TOPICS = ("harbour", "storm", "ship", "river")


@pytest.fixture
def fresh(tmp_path):
    """A file of other moods: longer, and mostly good."""
    file = tmp_path / "new.csv"
    rows = [f"The {TOPICS[n % 4]} {n} of which nobody knew was in the end {n} times as good.,good" for n in range(18)]
    rows += [f"{TOPICS[n % 4]} {n}: bad.,bad" for n in range(4)]
    file.write_text("\n".join(["text,mood", *rows]) + "\n")
    return file


@pytest.fixture
def drift(command, tiny_suite, tiny_embedder):
    """Call the command with a split and with the tiny embedder."""
    return lambda split, *more: command("drift", tiny_suite, "--split", split, "--embedder", tiny_embedder, *more)


@pytest.fixture
def config(tiny_suite, tiny_folders, tmp_path):
    """What is run: without a split, or with one."""

    def make(split=None, **changes):
        return RunConfig(
            suite=str(tiny_suite),
            models=(str(tiny_folders()),),
            tasks=("moods",),
            split=split,
            results=tmp_path / "results",
            **{"strategies": ("zero_shot", "lora(epochs=1,rank=2)"), "requests": 0, "check_items": 0, **changes},
        )

    return make


@pytest.fixture
def run(tmp_path):
    """Run all trials of a configuration here, and store them where its run would."""

    def call(run_config):
        store = store_of(run_config)
        for planned in make_plan(run_config).trials:
            store.write(*run_trial(planned, cache=tmp_path / "cache", emit=lambda event: None))
        return store

    return call


def test_a_run_without_a_split_is_planned_as_ever(config, fresh):
    test_trials, fresh_trials = make_plan(config()).trials, make_plan(config(f"fresh={fresh}")).trials
    assert [planned.trial.strategy for planned in test_trials] == [planned.trial.strategy for planned in fresh_trials]
    assert not {planned.trial.key for planned in test_trials} & {planned.trial.key for planned in fresh_trials}
    assert not {planned.trial.basis for planned in test_trials} & {planned.trial.basis for planned in fresh_trials}
    assert [planned.trial.fresh for planned in test_trials] == [None, None]
    assert all(planned.trial.fresh.startswith("new.csv (sha256 ") for planned in fresh_trials)


def test_fresh_answers_are_those_of_the_same_system_and_no_report_mixes_them(run, config, fresh, command, tiny_suite):
    test_store, fresh_store = run(config()), run(config(f"fresh={fresh}"))
    test_trials, fresh_trials = (
        {stored.record.trial.strategy: stored for stored in store.load()} for store in (test_store, fresh_store)
    )
    assert len(test_trials) == len(fresh_trials) == 2
    assert len(select_newest(test_store.load()).trials) == 2
    lora = "lora(epochs=1,rank=2)"
    adapted = [span for span in fresh_trials[lora].record.spans if span.phase == "adapt"]
    assert [span.reused for span in adapted] == [True]  # nothing was learned anew
    assert {row.id.partition("/")[0] for row in fresh_trials[lora].rows() if row.role == "target"} == {"fresh"}
    code, out, _ = command("report", tiny_suite, "--results", "results", "--format", "json")
    assert code == 0
    assert "new.csv" not in out
    code, out, _ = command("report", tiny_suite, "--results", fresh_store.root, "--format", "json")
    assert code == 0
    assert "the test items are those of new.csv, not the suite's own." in out


def test_drift_says_what_moved_and_how_to_measure_the_rest(run, config, fresh, command, drift):
    split = f"moods.fresh={fresh}"
    code, out, _ = drift(split)
    assert code == 0
    assert "No strategy has stored answers to both" in out
    assert f"--split fresh={fresh} --task moods" in out
    run(config())
    code, out, _ = drift(split, "--format", "json")
    (line,) = json.loads(out)["commands"]
    words = shlex.split(line)
    assert words[words.index("--split") + 1] == f"fresh={fresh}"
    assert "lora(epochs=1,rank=2)" in words
    code, out, _ = command("plan", *words[2:])  # it can be run as it stands
    assert code == 0
    assert "2 of 2 trials" in out
    run(config(f"fresh={fresh}"))
    code, out, _ = drift(split, "--format", "json")
    report = json.loads(out)
    assert (code, report["commands"], report["items"]) == (0, [], [8, 22])
    assert [shift["what"] for shift in report["shifts"]] == ["inputs", "labels", "length"]
    assert all(shift["p"] <= shift["p_holm"] for shift in report["shifts"])
    length = report["shifts"][2]
    assert length["p_holm"] < 0.05
    assert any(text.startswith("Lengths differ: the median by +") for text in report["says"])
    assert {quality["strategy"] for quality in report["quality"]} == {"zero_shot", "lora(epochs=1,rank=2)"}
    for quality in report["quality"]:
        assert quality["change"]["low"] <= quality["change"]["value"] <= quality["change"]["high"]
        assert quality["change"]["value"] == pytest.approx(quality["fresh"]["value"] - quality["test"]["value"])
    code, out, _ = drift(split)
    assert code == 0
    assert all(text in out for text in ("what is asked", "KS D", "Scores (accuracy)", "zero_shot", "Holm"))


def test_results_with_other_limits_are_left_out_and_counted(run, config, fresh, drift):
    run(config())
    run(config(f"fresh={fresh}", limits={"test": 10}))
    code, out, _ = drift(f"moods.fresh={fresh}", "--format", "json")
    report = json.loads(out)
    assert code == 0
    assert report["quality"] == []
    assert any("2 records of the fresh items left out" in note for note in report["notes"])


@pytest.mark.parametrize(
    ("split", "message"),
    [("fresh=few.csv", "there are moods, facts"), ("moods.fresh=few.csv", "at least 8 of each are needed")],
)
def test_misuse_ends_with_2_and_a_sentence(drift, tmp_path, split, message):
    (tmp_path / "few.csv").write_text("text,mood\nIt was fine.,good\nIt was dull.,bad\n")
    code, _, error = drift(split)
    assert code == 2
    assert message in error


def test_what_is_of_the_test_split_refuses_another(command, tiny_suite, fresh):
    arguments = (tiny_suite, "--split", f"moods.fresh={fresh}")
    assert "--detect is of the test split" in command("plan", *arguments, "--detect", "0.1")[2]
    assert "leave out --split" in command("run", *arguments, "--release", "v1")[2]


def test_fresh_results_lie_in_a_folder_that_stores_pass_over(run, config, fresh, tmp_path):
    store = run(config(f"fresh={fresh}", strategies=("zero_shot",)))
    assert store.root.parent == tmp_path / "results" / ".fresh"
    outer = Store(tmp_path / "results")
    assert (outer.load(), outer.problems) == ([], [])
