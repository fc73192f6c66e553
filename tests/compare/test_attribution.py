"""Recorded changes between two releases, and runs that revert one factor each."""

import shlex

import pytest

from harness.api import EndpointInfo, ReturnedModel
from harness.compare.release.attribution import list_changes, quality_factors
from harness.compare.release.gate import GateLimits
from harness.compare.release.outcome import explain, gate
from harness.compare.release.run_noise import Noise
from harness.compare.release.separating_runs import plan_separations
from harness.errors import HarnessError
from harness.plan.chain import build, canonical
from harness.plan.discover import find_step
from tests.compare.builders import HERE
from tests.compare.release_builders import V1, pairing, trial_rows

LATER = "2026-02-01"
NEWER = HERE.model_copy(update={"packages": {**HERE.packages, "torch": "2.14.0"}})
COMMITTED = HERE.model_copy(update={"git_commit": "a" * 40})


def differing(tmp_path, before, after, *strategies):
    return pairing(tmp_path, [before], [after], *strategies)


def test_nothing_differs_between_equal_runs(tmp_path):
    assert list_changes(differing(tmp_path, trial_rows(), trial_rows(at=LATER)).pairs) == ()


@pytest.mark.parametrize(
    ("after", "factor", "name", "values"),
    [
        ({"model": "other"}, "model", "name", ("small", "other")),
        ({"environment": NEWER}, "libraries", "torch", ("2.13.0", "2.14.0")),
        ({"environment": COMMITTED}, "code", "commit", ("unknown", "a" * 12)),
        ({"environment": HERE.model_copy(update={"threads": 4})}, "hardware", "threads", ("2", "4")),
        ({"prompt": "Think first."}, "prompt", "text sent", ("", "another for 200 of 200 items")),
        ({"suite_version": 2}, "data", "suite version", ("1", "2")),
        ({"steps": ({"step": "rag", "k": 3},)}, "method", "rag.k", ("unknown", "3")),
        ({"seed": 3}, "seed", "seed", ("0", "3")),
    ],
)
def test_each_difference_is_named_with_both_values(tmp_path, after, factor, name, values):
    changes = list_changes(differing(tmp_path, trial_rows(), trial_rows(at=LATER, **after)).pairs)
    values_by_name = {(change.factor, change.name): (change.before, change.after) for change in changes}
    assert values_by_name[factor, name] == values


def hashed(trial, **hashes):
    record, items = trial
    return record.model_copy(update={"model": record.model.model_copy(update=hashes)}), items


def test_another_tokenizer_or_chat_template_is_a_change_and_what_early_records_lack_is_none(tmp_path):
    hashes = {"tokenizer_hash": "a" * 64, "chat_template_hash": "b" * 64}
    other = dict.fromkeys(hashes, "c" * 64)
    before, after = hashed(trial_rows(), **hashes), hashed(trial_rows(at=LATER), **other)
    changes = list_changes(differing(tmp_path, before, after).pairs)
    assert [(change.factor, change.name) for change in changes] == [("model", "tokenizer"), ("prompt", "chat template")]
    more = HERE.model_copy(update={"packages": {**HERE.packages, "bm25s": "0.3"}})
    later = hashed(trial_rows(at=LATER, environment=more), **hashes)
    assert list_changes(differing(tmp_path / "early", trial_rows(), later).pairs) == ()


def test_what_answers_behind_an_alias_is_a_change_of_the_model(tmp_path):
    def asked(name):
        reply = ReturnedModel(model=name, fingerprint="fp", replies=9, first="2026-01-01", last="2026-01-01")
        return EndpointInfo(host="api.openai.com", away=True, model="gpt-5-mini", returned=(reply,))

    before, after = hashed(trial_rows(), endpoint=asked("v1")), hashed(trial_rows(at=LATER), endpoint=asked("v2"))
    (change,) = list_changes(differing(tmp_path, before, after).pairs)
    assert (change.factor, change.name) == ("model", "returned by the endpoint")
    assert (change.before, change.after) == ("v1 fp", "v2 fp")


def test_a_step_that_comes_twice_is_told_apart(tmp_path):
    steps = ({"step": "lora", "task": "a"}, {"step": "lora", "task": "b"})
    other = (steps[0], {"step": "lora", "task": "c"})
    (change,) = list_changes(differing(tmp_path, trial_rows(steps=steps), trial_rows(at=LATER, steps=other)).pairs)
    assert (change.name, change.before, change.after) == ("lora#2.task", "b", "c")


def test_what_differs_in_some_systems_only_says_in_which(tmp_path):
    sides = [trial_rows(), trial_rows("know")], [trial_rows(at=LATER), trial_rows("know", at=LATER, prompt="Other.")]
    (change,) = list_changes(pairing(tmp_path, *sides).pairs)
    assert change.where == ("know · zero_shot",)


def test_one_difference_needs_no_separation_and_hardware_moves_no_quality(tmp_path):
    elsewhere = NEWER.model_copy(update={"processor": "another"})
    pairs = differing(tmp_path, trial_rows(), trial_rows(at=LATER, environment=elsewhere))
    assert quality_factors(list_changes(pairs.pairs)) == ("libraries",)
    assert plan_separations(list_changes(pairs.pairs), pairs.pairs, "v1") == ()


def test_several_differences_are_offered_one_by_one(tmp_path):
    pairs = differing(
        tmp_path, trial_rows(environment=COMMITTED), trial_rows(at=LATER, model="new model", environment=NEWER, seed=1)
    )
    offered = {run.factor: run.commands for run in plan_separations(list_changes(pairs.pairs), pairs.pairs, "v1")}
    assert set(offered) == {"model", "libraries", "code", "seed"}
    end = "--strategy zero_shot --task mood"
    assert offered["model"] == (
        f"harness run quick --model small {end} --results results-old-model",
        "harness gate quick --baseline v1 --strategy zero_shot --results results-old-model",
    )
    assert "pip install -e . torch==2.13.0" in offered["libraries"]
    assert offered["code"][0] == f"git worktree add --detach ../old-code {'a' * 12}"
    assert "--seed 0" in offered["seed"][0]
    assert all("'new model'" in run[-2] for factor, run in offered.items() if factor != "model")
    assert all(shlex.split(command) for run in offered.values() for command in run)


def test_names_in_records_and_folders_stay_one_word_of_a_command(tmp_path):
    name = "a'; touch /tmp/x; $(id) `id` --"
    environment = COMMITTED.model_copy(update={"command": f"harness run s/{name} 'open", "git_commit": name})
    before, after = trial_rows(environment=environment), trial_rows(at=LATER, model=name, environment=NEWER, seed=1)
    after = (after[0].model_copy(update={"trial": after[0].trial.model_copy(update={"suite": name})}), after[1])
    (pair,) = differing(tmp_path, before, after).pairs
    runs = plan_separations(list_changes([pair]), [pair], name)
    commands = [command for run in runs for command in run.commands]
    assert len(commands) > 5
    for command in commands:
        words = list(shlex.shlex(command, posix=True, punctuation_chars=True))
        assert not {";", "$", "(", ")", "`", "$(id)"} & set(words), command


def test_other_weights_under_one_name_cannot_be_had_back(tmp_path):
    before, after = trial_rows(), trial_rows(at=LATER, environment=NEWER)
    info = after[0].model.model_copy(update={"hash": "x"})
    pairs = differing(tmp_path, before, (after[0].model_copy(update={"model": info}), after[1]))
    offered = {run.factor: run.commands for run in plan_separations(list_changes(pairs.pairs), pairs.pairs, "v1")}
    assert offered["model"] == ()


def test_a_gate_says_that_several_things_differ(tmp_path):
    pairs = differing(tmp_path, trial_rows(), trial_rows(at=LATER, model="new", environment=NEWER))
    outcome = gate(V1, pairs, GateLimits(), Noise())
    assert outcome.several == ("model", "libraries")
    assert [run.factor for run in outcome.separations] == ["model", "libraries"]


def test_releases_without_a_system_in_common_cannot_be_explained(tmp_path):
    with pytest.raises(HarnessError, match="nothing to compare"):
        explain("v1", "v2", differing(tmp_path, trial_rows(), trial_rows("know")))


def instructed(instruction, task="mood", **changes):
    """A trial of a suite with this instruction, which is part of the suite's digest and of every prompt."""
    record, answers = trial_rows(task, prompt=instruction, suite_hash=instruction, **changes)
    return record.model_copy(
        update={"tasks": (record.tasks[0].model_copy(update={"instruction": instruction}),)}
    ), answers


def test_a_changed_instruction_counts_once(tmp_path):
    before, after = instructed("Say yes or no."), instructed("Think first.", at=LATER)
    changes = list_changes(differing(tmp_path, before, after).pairs)
    counted = [(change.factor, change.name) for change in changes if not change.part_of]
    assert counted == [("prompt", "mood: instruction")]
    assert [(change.name, change.part_of) for change in changes if change.part_of] == [("suite definition", "prompt")]
    assert quality_factors(changes) == ("prompt",)


def test_a_suite_that_changed_with_nothing_else_recorded_counts(tmp_path):
    changes = list_changes(differing(tmp_path, trial_rows(), trial_rows(at=LATER, suite_hash="other")).pairs)
    assert quality_factors(changes) == ("data",)


@pytest.mark.parametrize(
    ("strategy", "asked"),
    [("zero_shot", "prompt(instruction='Say \\'yes\\' or\\n\"no\".')"), ("lora", "prompt(instruction=Yes)+lora")],
)
def test_the_old_instruction_is_fetched_back_from_the_baseline(tmp_path, strategy, asked):
    """Without a commit in the records: its text is there."""
    old = "Yes" if strategy == "lora" else "Say 'yes' or\n\"no\"."
    before = instructed(old, strategy=strategy)
    pairs = differing(tmp_path, before, instructed("Think.", strategy=strategy, at=LATER, environment=NEWER)).pairs
    offered = {run.factor: run.commands for run in plan_separations(list_changes(pairs), pairs, "v1")}
    run, judge = map(shlex.split, offered["prompt"])
    assert (
        canonical(build(asked, find_step)) == run[run.index("--strategy") + 1] == judge[judge.index("--strategy") + 1]
    )
    assert build(run[run.index("--strategy") + 1], find_step)[0].step.instruction == old
    assert judge[judge.index("--against") + 1] == strategy
