"""Planned and skipped trials of a run, the reasons, and trial keys."""

import csv
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import pytest

from harness.api import Needs, Step
from harness.data.content_hash import folder_hash
from harness.data.suite import load_suite
from harness.errors import HarnessError, unknown
from harness.models.registry import identify
from harness.plan import planner as module
from harness.plan import trial_keys
from harness.plan.config import RunConfig, SplitLimits
from harness.plan.planner import make_plan
from tests.stub_model import save_bytes, save_stub

TRAINING = Needs(task=frozenset({"train"}), model=frozenset({"train"}))


class ZeroShot(Step):
    pass


class FewShot(Step):
    k: int = 8
    needs: ClassVar[Needs] = Needs(task=frozenset({"train"}))
    random: ClassVar[bool] = True


class Rag(Step):
    k: int = 3
    needs: ClassVar[Needs] = Needs(task=frozenset({"corpus"}))


class Lora(Step):
    rank: int = 16
    epochs: int = 1
    needs: ClassVar[Needs] = TRAINING
    changes_weights: ClassVar[bool] = True
    random: ClassVar[bool] = True


STEPS = {"zero_shot": ZeroShot, "few_shot": FewShot, "rag": Rag, "lora": Lora}

SUITE = """
name = "mine"
version = 3
strategies = ["zero_shot", "lora"]

[[tasks]]
name = "sentiment"
kind = "classification"
data = "rows.csv"
input = "text"
reference = "label"
instruction = "Good or bad?"
sizes = { train = 40, validation = 10, test = 30 }

[[tasks]]
name = "facts"
kind = "classification"
role = "probe"
data = "facts.csv"
input = "text"
reference = "label"
sizes = { test = 20 }
"""


@pytest.fixture
def suite(tmp_path, monkeypatch):
    """A user's suite with one task to be trained for and one probe; and steps to run on it."""

    def find(name):
        if name not in STEPS:
            raise unknown("strategy", name, STEPS)
        return STEPS[name]

    monkeypatch.setattr(module, "find_step", find)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "suite.toml").write_text(SUITE)
    for name, word in (("rows", "film"), ("facts", "fact")):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            for i in range(100):
                writer.writerow([f"{word} {i} {i * 7919 % 1000003} {i**3}", "good" if i % 2 else "bad"])
    return folder


@pytest.fixture
def model(tmp_path):
    return save_stub(tmp_path / "model")


def planned(suite, model, *strategies, **changes):
    return make_plan(RunConfig(suite=str(suite), models=(str(model),), strategies=strategies, **changes))


def names(plan):
    return [(one.trial.task, one.trial.strategy, one.trial.seed) for one in plan.trials]


def keys(plan):
    return {(one.trial.task, one.trial.strategy, one.trial.seed): one.trial.key for one in plan.trials}


def test_a_small_table_says_how_few_items_it_tests_and_that_all_can_be_asked_without_training(suite, model):
    (warning,) = planned(suite, model).tasks[0].warnings
    assert warning.startswith("only 30 of 80 items are tested")
    sizes = "sizes = { train = 0, validation = 0, test = 80 }"
    assert sizes in warning
    assert planned(suite, model, limits=SplitLimits(test=20)).tasks[0].warnings == ()
    file = suite / "suite.toml"
    file.write_text(file.read_text().replace("sizes = { train = 40, validation = 10, test = 30 }", sizes))
    plan = planned(suite, model)
    assert plan.tasks[0].sizes["test"] == 80
    assert not [warning for warning in plan.tasks[0].warnings if "items are tested" in warning]
    skipped = {one.trial.strategy: one.skip for one in plan.trials if one.trial.task == "sentiment"}
    assert skipped["zero_shot"] is None
    assert "lora needs" in skipped["lora"]


def test_targets_get_every_strategy_and_probes_the_baseline(suite, model):
    plan = planned(suite, model)
    assert names(plan) == [("sentiment", "zero_shot", 0), ("sentiment", "lora", 0), ("facts", "zero_shot", 0)]
    assert [one.probes for one in plan.trials] == [(), ("facts",), ()]
    assert [one.skip for one in plan.trials] == [None, None, None]
    assert plan.trials[0].suite_folder == str(suite.resolve())
    assert plan.trials[1].trial.steps == ({"step": "lora", "rank": 16, "epochs": 1},)


def test_only_what_is_random_gets_every_seed(suite, model):
    plan = planned(suite, model, "zero_shot", "few_shot", "rag+lora", seeds=(4, 5), tasks=("sentiment",))
    assert sorted((name, seed) for _, name, seed in names(plan)) == [
        ("few_shot", 4),
        ("few_shot", 5),
        ("rag+lora", 4),
        ("rag+lora", 5),
        ("zero_shot", 0),
    ]


def test_single_steps_come_first_and_chains_with_one_beginning_stay_together(suite, model):
    order = ["lora+rag", "rag+lora", "lora(rank=4)+rag", "lora+few_shot", "rag", "lora", "zero_shot"]
    found = [name for task, name, _ in names(planned(suite, model, *order, tasks=("sentiment",)))]
    assert found == ["lora", "rag", "zero_shot", "lora+rag", "lora+few_shot", "rag+lora", "lora(rank=4)+rag"]


def test_one_strategy_written_twice_is_one_trial(suite, model):
    assert len(planned(suite, model, "lora", "lora( rank = 16 )", tasks=("sentiment",)).trials) == 1


def test_a_task_that_lacks_what_a_step_needs_is_skipped_with_the_reason(suite, model):
    plan = planned(suite, model, "lora+rag", tasks=("sentiment",))
    assert [one.skip for one in plan.trials] == ["rag needs a corpus; task 'sentiment' has none"]


def test_a_model_that_cannot_be_trained_is_skipped_with_the_reason(suite, model, monkeypatch):
    def endpoint(name):
        return replace(identify(str(model)), name="endpoint", capabilities=frozenset({"generate"}))

    monkeypatch.setattr(module, "registry", SimpleNamespace(identify=endpoint))
    plan = planned(suite, model, "lora", tasks=("sentiment",))
    assert [one.skip for one in plan.trials] == ["lora needs a model that can be trained; 'endpoint' cannot"]


def test_other_weights_of_a_model_that_a_step_brings_make_another_trial(suite, model, tmp_path, monkeypatch):
    embedder = tmp_path / "embedder"
    embedder.mkdir()
    monkeypatch.setattr(Rag, "sources", lambda self: (str(embedder),))
    found = []
    for content in (b"one", b"two", b"one"):
        save_bytes(embedder / "model.safetensors", content)
        found.append(keys(planned(suite, model, "rag", tasks=("sentiment",))))
    assert found[0] != found[1]
    assert found[0] == found[2]
    (one,) = planned(suite, model, "rag", tasks=("sentiment",)).trials
    assert one.sources == (str(embedder),)


def test_the_same_plan_has_the_same_keys(suite, model):
    assert keys(planned(suite, model)) == keys(planned(suite, model))
    assert len(set(keys(planned(suite, model)).values())) == 3


def test_a_task_may_name_what_is_compared_on_it_and_a_flag_wins(suite, model):
    before = load_suite(suite)
    own = SUITE.replace('instruction = "Good or bad?"', 'instruction = "Good or bad?"\nstrategies = ["few_shot"]')
    (suite / "suite.toml").write_text(own)
    assert names(planned(suite, model)) == [("sentiment", "few_shot", 0), ("facts", "zero_shot", 0)]
    assert names(planned(suite, model, "lora")) == [("sentiment", "lora", 0), ("facts", "zero_shot", 0)]
    after = load_suite(suite)
    assert after.strategies == ("few_shot",)
    assert after.hash == before.hash  # no score depends on it
    (suite / "suite.toml").write_text(own.replace('"few_shot"]', '"few_shto"]'))
    with pytest.raises(HarnessError, match=r"did you mean 'few_shot'.*suite\.toml"):
        planned(suite, model)


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("Good or bad?", "Bad or good?", {"sentiment"}),
        ("test = 30", "test = 29", {"sentiment"}),
        ("test = 20", "test = 19", {"facts"}),
        ('strategies = ["zero_shot"', 'description = "x"\nstrategies = ["zero_shot"', set()),
    ],
)
def test_a_key_changes_with_what_decides_the_result_and_with_nothing_else(suite, model, old, new, changed):
    before = keys(planned(suite, model))
    (suite / "suite.toml").write_text(SUITE.replace(old, new))
    after = keys(planned(suite, model))
    different = {name for name in before if before[name] != after[name]}
    # a strategy that changes the weights is asked the probe as well
    also = {("sentiment", "lora", 0)} if "facts" in changed else set()
    assert different == {name for name in before if name[0] in changed} | also


def test_a_key_changes_with_the_limits_the_data_the_model_and_the_protocol(suite, model, monkeypatch):
    seen = [keys(planned(suite, model))]
    seen.append(keys(planned(suite, model, limits=SplitLimits(test=5))))
    save_bytes(model / "model.safetensors", b"other weights")
    seen.append(keys(planned(suite, model)))
    text = (suite / "rows.csv").read_text()
    (suite / "rows.csv").write_text(re.sub(r"film (\d+) ", r"film \1 x", text))
    seen.append(keys(planned(suite, model)))
    monkeypatch.setattr(trial_keys, "PROTOCOL_VERSION", 99)
    seen.append(keys(planned(suite, model)))
    one = ("sentiment", "zero_shot", 0)
    assert len({found[one] for found in seen}) == 5


def test_trials_on_the_same_data_share_a_basis_whatever_their_seed_and_strategy(suite, model):
    plan = planned(suite, model, "zero_shot", "few_shot", "lora", seeds=(0, 1), tasks=("sentiment",))
    limited = planned(suite, model, "zero_shot", tasks=("sentiment",), limits=SplitLimits(train=5))
    assert len({one.trial.basis for one in plan.trials}) == 1
    assert limited.trials[0].trial.basis != plan.trials[0].trial.basis


def test_what_learns_from_training_items_gets_a_trial_for_each_size_and_the_rest_one(suite, model):
    plan = planned(suite, model, "zero_shot", "few_shot", "lora", tasks=("sentiment",), train_sizes=(20, 10, 999))
    assert [(one.trial.strategy, one.trial.train_items, one.limits) for one in plan.trials] == [
        ("zero_shot", None, {}),
        *[(name, size, {"train": size} if size else {}) for name in ("few_shot", "lora") for size in (10, 20, None)],
    ]
    assert len({one.trial.key for one in plan.trials}) == 7
    assert len({one.trial.basis for one in plan.trials}) == 1


def test_a_trial_with_all_items_is_the_same_one_with_and_without_sizes(suite, model):
    full = planned(suite, model, "lora", tasks=("sentiment",)).trials[0].trial
    assert full in [
        one.trial for one in planned(suite, model, "lora", tasks=("sentiment",), train_sizes=(40, 8)).trials
    ]


def test_a_task_tells_its_sizes_and_the_smallest_difference_that_it_shows(suite, model):
    (task,) = planned(suite, model, "zero_shot", "lora", tasks=("sentiment",)).tasks
    assert task.sizes == {"train": 40, "validation": 10, "test": 30}
    # sd of a paired difference: sqrt(2 * 0.25 * 0.5) = 0.5; 2.8 * 0.5 / sqrt(30)
    assert task.detectable_difference == pytest.approx(2.802 * 0.5 / 30**0.5, abs=1e-3)
    (adjusted,) = planned(suite, model, "zero_shot", "lora", "few_shot", tasks=("sentiment",)).tasks
    assert adjusted.detectable_difference > 1.1 * task.detectable_difference  # three pairs


def test_leaks_between_the_splits_are_told_before_a_run(suite, model):
    (suite / "test.csv").write_text((suite / "rows.csv").read_text())
    text = SUITE.replace('data = "rows.csv"', 'train = "rows.csv"\ntest = "test.csv"')
    (suite / "suite.toml").write_text(text.replace("validation = 10, ", ""))
    (task,) = planned(suite, model, tasks=("sentiment",)).tasks
    assert any("30 test items" in warning and "training" in warning for warning in task.warnings)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tasks": ("sentimnt",)}, "did you mean 'sentiment'"),
        ({"suite": "no-such-suite"}, "unknown suite"),
        ({"models": ("smollm2-135m-instruc",)}, "did you mean 'smollm2-135m-instruct'"),
        ({"strategies": ("lorra",)}, "did you mean 'lora'"),
    ],
)
def test_an_unknown_name_is_an_error_with_the_nearest(suite, model, changes, said):
    with pytest.raises(HarnessError, match=said):
        make_plan(RunConfig(**{"suite": str(suite), "models": (str(model),), **changes}))


def test_an_unknown_strategy_of_a_suite_names_the_file(suite, model):
    (suite / "suite.toml").write_text(SUITE.replace('"lora"]', '"lorra"]'))
    with pytest.raises(HarnessError, match=r"did you mean 'lora'\?.*suite\.toml"):
        planned(suite, model)


def test_a_models_folder_is_known_by_its_content(model):
    before = folder_hash(model)
    (model / ".cache").mkdir()
    (model / ".cache" / "x").write_text("hidden files do not count")
    assert folder_hash(model) == before
    (model / "tokenizer.json").write_text('{"model": {}}')
    assert folder_hash(model) != before


def test_a_change_within_a_large_file_of_weights_is_noticed(model):
    weights = model / "model.safetensors"
    weights.write_bytes(bytes(6 << 20))
    before = folder_hash(model)
    changed = bytearray(6 << 20)
    changed[3 << 20] = 1
    weights.write_bytes(changed)
    assert folder_hash(model) != before


def test_a_pinned_model_is_known_by_its_archive():
    assert re.fullmatch(r"archive:[0-9a-f]{64}", identify("smollm2-135m-instruct").identity)


def test_a_hub_commit_needs_no_network():
    commit = "0123456789abcdef0123456789abcdef01234567"
    assert identify(f"org/name@{commit}").reference == f"org/name@{commit}"
