"""Kept steps: taken up by later trials, charged once, made again when anything that they depend on changes."""

import shutil

import pytest

from harness.errors import HarnessError
from harness.plan.config import SplitLimits
from harness.trial import adaptation
from tests.trial.trial_results import LORA, answers, only, phases


def test_a_chain_takes_up_what_its_beginning_has_made_and_is_charged_for_it(run):
    first, _ = run(LORA, "facts")
    assert len(run.kept()) == 1
    second, _ = run(f"{LORA}+rag", "facts")
    assert phases(second) == [
        ("load", None, False),
        ("load", "lora", False),
        ("index", "rag", False),
        ("predict", None, False),
        ("probe", None, False),
        ("seen", None, False),
        ("score", None, False),
        ("adapt", "lora", True),
    ]
    assert only(second, "adapt", "lora") == only(first, "adapt", "lora").model_copy(update={"reused": True})
    assert second.curves == first.curves
    assert second.trained_parameters == first.trained_parameters
    assert second.adapted_bytes > first.adapted_bytes


@pytest.mark.parametrize(
    ("strategy", "task"), [(LORA, "moods"), ("full", "moods"), ("rag", "facts"), (f"{LORA}+{LORA}", "moods")]
)
def test_an_answer_does_not_depend_on_whether_a_step_was_kept(run, strategy, task):
    _, made = run(strategy, task)
    record, again = run(strategy, task)
    assert any(span.reused for span in record.spans)
    assert answers(made) == answers(again)


def test_a_step_does_not_depend_on_whether_the_one_before_it_was_kept(run, tmp_path):
    run(LORA)
    _, behind_a_kept_one = run(f"{LORA}+{LORA}")
    _, in_one_go = run(f"{LORA}+{LORA}", cache=tmp_path / "other")
    assert answers(behind_a_kept_one) == answers(in_one_go)


@pytest.mark.parametrize(
    ("strategy", "changes"),
    [
        (LORA, {"seeds": (1,)}),
        (LORA, {"limits": SplitLimits.model_validate({"train": 8})}),
        ("lora(epochs=2,rank=5)", {}),
        (f"few_shot(k=2)+{LORA}", {}),
    ],
)
def test_whatever_changes_an_adapter_makes_another_one(run, strategy, changes):
    run(LORA)
    record, _ = run(strategy, **changes)
    assert not any(span.reused for span in record.spans)
    assert len(run.kept()) == 2


def test_an_adapter_that_another_gpu_made_is_made_again(run, monkeypatch):
    for name, reused in (("NVIDIA H100", False), ("NVIDIA L4", False), ("NVIDIA L4", True)):
        monkeypatch.setattr(adaptation, "gpu_name", lambda name=name: name)
        record, _ = run("lora(epochs=1)")
        assert any(span.reused for span in record.spans) == reused


def test_the_order_of_steps_matters_to_an_adapter_and_not_to_an_index(run):
    run(f"rag+{LORA}", "facts")
    record, _ = run(f"{LORA}+rag", "facts")
    assert [(span.phase, span.step) for span in record.spans if span.reused] == [("index", "rag")]
    assert len(run.kept()) == 3


def test_another_embedder_in_the_same_folder_makes_another_index(run, tiny_embedder, tmp_path):
    embedder = shutil.copytree(tiny_embedder, tmp_path / "embedder")
    run("rag", "facts", embedder=embedder)
    (weights,) = embedder.rglob("*.safetensors")
    content = bytearray(weights.read_bytes())
    content[-40:] = bytes(40)
    weights.write_bytes(content)
    record, _ = run("rag", "facts", embedder=embedder)
    assert not any(span.reused for span in record.spans)
    assert len(run.kept()) == 2


def test_a_failed_step_keeps_nothing(run, tmp_path):
    with pytest.raises(HarnessError, match="training diverged"):
        run("lora(epochs=2,rank=4,learning_rate=1e30)")
    assert not list((tmp_path / "cache").glob("artifacts/*"))
