"""A finished system asked again: merged, in full precision, in other words and with other passages, on tiny models."""

import shutil
from pathlib import Path

import pytest
import torch
from peft.tuners.lora.layer import Linear as LoraLinear

from harness.api import Prompt, System, Task
from harness.compare.trials.stored_trials import read_trials
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.models import quantised
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.store.results_store import Store
from harness.training import adapters, weight_formats
from harness.trial import self_tests
from harness.trial.recorder import Recorder
from harness.trial.run_trial import run_trial

LORA = "lora(epochs=4,rank=4,learning_rate=0.01)"
QLORA = "q" + LORA
RAG = "rag(k=2,retriever=bm25)"
OTHER = ["Say what the door needs.", "Name the key.", "Reply briefly."]
WAYS = ["random", "none", "paraphrase-1", "paraphrase-2", "paraphrase-3"]


@pytest.fixture(scope="module")
def worded(tiny_suite, tmp_path_factory):
    """The tiny suite, with paraphrases of the questions' instruction."""
    folder = tmp_path_factory.mktemp("worded") / "worded"
    shutil.copytree(tiny_suite, folder)
    text = (folder / "suite.toml").read_text()
    (folder / "suite.toml").write_text(text.replace("max_new_tokens", f"paraphrases = {OTHER}\nmax_new_tokens"))
    return folder


@pytest.fixture(scope="module")
def run(worded, tiny_folders, tmp_path_factory):
    """Run a strategy on a task, once for each set of options."""
    cache, made = tmp_path_factory.mktemp("cache"), {}

    def call(strategy, task="facts", **changes):
        known = strategy, task, *sorted(changes.items())
        if known not in made:
            options = {"check_items": 6, "requests": 0, **changes}
            config = RunConfig(
                suite=str(worded), models=(str(tiny_folders()),), tasks=(task,), strategies=(strategy,), **options
            )
            made[known] = run_trial(make_plan(config).trials[0], cache=cache, emit=lambda event: None)
        return made[known]

    return call


def controls(rows, way):
    return [row for row in rows if row.role == "control" and row.task == f"facts@{way}"]


def checks(record):
    return {one.name: one for one in record.checks}


@pytest.fixture
def tested(open_tiny, worded):
    """Test a tiny model in 32 bits with a low-rank adapter that changes its answers, and return its checks by name."""

    def call(task, *, four_bits=False):
        prepared = prepare(load_suite(worded), task)
        stage = Recorder(Path(), lambda event: None)
        system = System(adapted(open_tiny(), four_bits=four_bits), prepared.task_data.task)
        return {one.name: one for one in self_tests.check(stage, system, prepared, [], 8).checks}

    return call


def adapted(model, *, four_bits=False):
    shape = {"rank": 4, "alpha": 8.0, "dropout": 0.0, "targets": "all-linear"}
    model = adapters.attach_low_rank(model, **shape, four_bits=four_bits)
    torch.manual_seed(1)
    for name, weight in model.module.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    model.module.eval()
    return model


@pytest.mark.parametrize("task", ["facts", "moods"])
def test_a_merged_adapter_answers_as_it_did_beside_the_weights(tested, task):
    found = tested(task)
    assert {name: (one.items, one.agreeing) for name, one in found.items()} == {"merged": (8, 8)}
    assert (found["merged"].largest_difference is not None) == (task == "moods")


def test_an_adapter_that_is_merged_with_a_wrong_scale_is_found_out(tested, monkeypatch):
    right = tested("moods")["merged"].largest_difference
    delta = LoraLinear.get_delta_weight
    monkeypatch.setattr(LoraLinear, "get_delta_weight", lambda self, name: -2 * delta(self, name))
    generated, scored = tested("facts")["merged"], tested("moods")["merged"]
    assert generated.agreeing < generated.items == 8
    assert scored.largest_difference > 1 > 1000 * right


def test_4_bit_weights_are_held_to_the_same_in_full_precision_and_those_to_merged_ones(tested):
    found = tested("facts", four_bits=True)
    assert {name: (one.items, one.agreeing) for name, one in found.items()} == {"precision": (8, 8), "merged": (8, 8)}


def test_4_bit_weights_that_stand_for_others_are_found_out(tested, monkeypatch):
    right = quantised.dequantised_weights
    monkeypatch.setattr(quantised, "dequantised_weights", lambda layer: right(layer).roll(1, 0))
    found = tested("facts", four_bits=True)["precision"]
    assert found.agreeing < found.items == 8


def test_full_precision_that_has_no_room_is_not_tried_and_says_so(tested, monkeypatch):
    monkeypatch.setattr(weight_formats, "_free_bytes", lambda device: 0)
    found = tested("moods", four_bits=True)
    assert list(found) == ["precision"]
    assert (found["precision"].items, found["precision"].agreeing) == (0, 0)
    assert "need 0.0 GiB more, and 0.0 GiB are free" in found["precision"].note


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_dequantising_keeps_every_value_bit_for_bit_and_leaves_the_adapter_beside_the_weights(open_tiny, kind):
    model = adapted(open_tiny(kind), four_bits=True)
    layers = quantised
    stood_for = {
        name: (layers.dequantised_weights(layer), layer.was_transposed)
        for name, layer in model.module.named_modules()
        if isinstance(layer, layers.Linear4bit)
    }
    assert stood_for
    assert weight_formats.is_four_bit(model)
    whole = weight_formats.dequantise(model)
    assert not weight_formats.is_four_bit(whole)
    assert weight_formats.is_mergeable(whole)
    for name, (weight, transposed) in stood_for.items():
        assert torch.equal(whole.module.get_submodule(name).weight, weight.T if transposed else weight)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("four_bits", [False, True])
def test_merging_adds_the_update_to_the_weights_and_leaves_no_adapter(open_tiny, kind, four_bits):
    model = adapted(open_tiny(kind), four_bits=four_bits)
    whole = weight_formats.dequantise(model) if four_bits else model
    prompt = [Prompt(Task("t", "qa", form="plain"), "Which key?")]
    choices = [("key 1", "lock 2", "a delight")]
    before = whole.score_choices(prompt, choices)[0].choice_scores
    merged = weight_formats.merge_adapter(whole)
    assert not weight_formats.is_mergeable(merged)
    assert not any("lora" in name for name, _ in merged.module.named_parameters())
    assert merged.score_choices(prompt, choices)[0].choice_scores == pytest.approx(before, abs=1e-3)


def test_a_model_without_an_adapter_has_nothing_to_merge(open_tiny):
    assert not weight_formats.is_mergeable(open_tiny())
    assert not weight_formats.is_mergeable(adapters.attach_bottleneck(open_tiny(), width=2))
    assert not weight_formats.is_mergeable(adapters.attach_virtual_tokens(open_tiny(), 2, ""))


def test_a_tuned_trial_says_how_many_answers_stayed_the_same(run):
    for strategy, names in ((LORA, ["merged"]), (QLORA, ["precision", "merged"])):
        record, _ = run(strategy, "moods")
        assert [(one.name, one.items) for one in record.checks] == [(name, 6) for name in names]
        assert [span.phase for span in record.spans].count("check") == 1


def test_nothing_of_the_weights_is_compared_where_nothing_was_added(run):
    record, _ = run("zero_shot", "moods")
    assert record.checks == ()
    assert not any(span.phase == "check" for span in record.spans)


def test_only_items_whose_right_passage_was_not_found_are_asked_with_it(run, tiny_embedder):
    """An embedder of random weights misses some of them, and finds others."""
    _, rows = run(f"rag(k=8,embedder={str(tiny_embedder)!r})", check_items=4)
    target = {row.id: row for row in rows if row.role == "target"}
    missed = [name for name, row in target.items() if set(row.evidence).isdisjoint(row.passages)]
    assert [row.id for row in controls(rows, "oracle")] == missed[:4]
    assert 0 < len(missed) < len(target)
    assert all(row.passages == row.evidence for row in controls(rows, "oracle"))
    assert not controls(run(RAG)[1], "oracle")  # it finds them all


def test_the_retriever_is_replaced_by_passages_that_do_not_hold_the_answer_and_by_nothing(run):
    record, rows = run(RAG)
    asked = {row.id for row in rows if row.role == "target"}
    for way in WAYS:
        assert {row.id for row in controls(rows, way)} < asked
        assert len(controls(rows, way)) == 6
    assert all(len(row.passages) == 2 for row in controls(rows, "random"))
    assert all(set(row.passages).isdisjoint(row.evidence) for row in controls(rows, "random"))
    assert all(not row.passages and row.evidence[0] not in row.prompt for row in controls(rows, "none"))
    assert [info.name for info in record.tasks if info.role == "control"] == [f"facts@{way}" for way in WAYS]


def test_the_same_random_passages_are_drawn_again_and_others_with_another_seed(run):
    drawn = [
        [row.passages for row in controls(run(strategy, seeds=(seed,))[1], "random")]
        for strategy, seed in ((RAG, 0), (f"{RAG}+{LORA}", 0), (f"{RAG}+{LORA}", 1))
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_other_words_take_the_place_of_the_instruction_and_what_a_step_adds_stays(run):
    record, rows = run(RAG)
    for place, words in enumerate(OTHER, 1):
        assert all(words in row.prompt for row in controls(rows, f"paraphrase-{place}"))
        assert all("with a short phrase" not in row.prompt for row in controls(rows, f"paraphrase-{place}"))
        assert all("Take it from the text." in row.prompt for row in controls(rows, f"paraphrase-{place}"))
    told = {info.name: info.instruction for info in record.tasks}
    assert [told[f"facts@paraphrase-{place}"] for place in (1, 2, 3)] == OTHER


def test_a_strategy_with_words_of_its_own_is_not_asked_in_others(run):
    _, rows = run("prompt(instruction='Which key?')")
    assert not any(row.role == "control" for row in rows)


def test_of_a_system_that_is_dear_to_ask_only_the_first_paraphrase_is(run, monkeypatch):
    from harness.trial import ablations as module

    monkeypatch.setattr(module, "PARAPHRASE_TOKENS", 1)
    record, _ = run("zero_shot", check_items=3)
    assert [info.name for info in record.tasks] == ["facts", "facts@paraphrase-1"]


def test_what_is_asked_besides_changes_no_score_and_no_other_answer(run, tmp_path):
    with_checks, rows = run(f"{RAG}+{LORA}")
    without, fewer = run(f"{RAG}+{LORA}", check_items=0)
    assert with_checks.scores == without.scores
    assert [row for row in rows if row.role != "control"] == fewer
    assert without.checks == () == tuple(info for info in without.tasks if info.role == "control")
    store = Store(tmp_path)
    store.write(with_checks, rows)
    (one,) = read_trials(store.load())
    assert set(one.items) == {"facts"}
    assert sorted(one.controls) == sorted(WAYS)
    assert {len(items) for items in one.controls.values()} == {6}
    assert list(one.items["facts"].ids) == [row.id for row in rows if row.role == "target"]


def test_a_key_changes_with_other_words_and_with_more_items_and_stays_where_neither_is_told(
    tiny_suite, worded, tiny_folders
):
    def key(suite, task, **changes):
        config = RunConfig(
            suite=str(suite), models=(str(tiny_folders()),), tasks=(task,), strategies=("zero_shot",), **changes
        )
        trial = make_plan(config).trials[0].trial
        return trial.key, trial.basis

    plain, other = key(tiny_suite, "facts"), key(worded, "facts")
    assert plain[0] != other[0]
    assert plain[1] == other[1]
    assert key(worded, "facts", check_items=3)[0] not in {other[0], plain[0]}
    assert key(tiny_suite, "facts", check_items=3)[0] != plain[0]
