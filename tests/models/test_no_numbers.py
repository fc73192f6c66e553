"""A model whose logits are NaN or infinite fails with a reason: in choices, in generation and in training."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from harness.api import Answer, Prompt, Query, Sampling, System, Task
from harness.errors import HarnessError
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.predict.answering import most_likely, predict
from harness.retrieval import dense
from harness.training.divergence import DivergenceDetector, require_finite_validation
from harness.trial.run_trial import run_trial
from tests import tiny

LABELS = Task("moods", "classification", choices=("good", "bad"), instruction="Which mood?")
QUESTIONS = Task("facts", "qa", instruction="Answer.", max_new_tokens=3)


def spoil(folder, value, pattern="lm_head"):
    file = next(folder.rglob("*.safetensors"))
    weights = load_file(file)
    name = next(name for name in weights if pattern in name)
    weights[name] = torch.full_like(weights[name], value)
    save_file(weights, file, {"format": "pt"})
    return folder


@pytest.fixture(params=["llama", "recurrent"])
def spoilt(request, open_tiny):
    """A model whose weights were spoilt after it was opened, as a training may."""
    model = open_tiny(request.param)
    model.module.get_output_embeddings().weight.data.fill_(float("nan"))
    return model


def test_choices_are_not_the_first_label(spoilt):
    with pytest.raises(HarnessError, match=r"gives no numbers \(NaN or infinite\) for the choices of 'moods'"):
        predict(System(spoilt, LABELS), [Query("1", "A delight.")])


@pytest.mark.parametrize("sampling", [None, Sampling(), Sampling(top_p=0.9)])
def test_no_text_is_generated(spoilt, sampling):
    with pytest.raises(HarnessError, match=r"gives no numbers .* for the next token"):
        spoilt.generate([Prompt(QUESTIONS, "Where?")], max_new_tokens=3, one_line=True, sampling=sampling)


def test_infinite_logits_are_no_numbers_either(open_tiny):
    model = open_tiny()
    model.module.lm_head.weight.data[5] = float("inf")
    with pytest.raises(HarnessError, match="gives no numbers"):
        model.generate([Prompt(QUESTIONS, "Where?")], max_new_tokens=3, one_line=True)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_training_that_begins_without_numbers_blames_the_model(loss):
    detector = DivergenceDetector(10)
    with pytest.raises(HarnessError, match=r"gives no numbers .* for the first batch"):
        detector.check(loss, 1.0)
    detector.check(1.0, 1.0)
    with pytest.raises(HarnessError, match="training diverged at step 2"):
        detector.check(loss, 1.0)


def test_a_validation_loss_that_is_no_number_is_a_divergence():
    with pytest.raises(HarnessError, match="training diverged at step 3: the validation loss is nan"):
        require_finite_validation(float("nan"), 3)


@pytest.mark.parametrize("strategy", ["zero_shot", "lora(epochs=1)", "full(epochs=1)"])
def test_the_trial_fails_with_the_reason(tiny_suite, tmp_path, strategy):
    folder = spoil(tiny.save_model(tmp_path / "model"), float("nan"))
    config = RunConfig(suite=str(tiny_suite), models=(str(folder),), tasks=("moods",), strategies=(strategy,))
    with pytest.raises(HarnessError, match="gives no numbers"):
        run_trial(make_plan(config).trials[0], cache=tmp_path / "cache", emit=lambda event: None)


def test_another_backends_nan_is_not_the_first_choice_either():
    with pytest.raises(HarnessError, match=r"no numbers \(NaN\)"):
        most_likely(Answer("", "", (float("nan"), -1.0)).choice_scores, LABELS.choices, LABELS)


def test_an_embedder_without_numbers_is_refused(tmp_path):
    folder = spoil(tiny.save_embedder(tmp_path / "embedder"), float("nan"), "word_embeddings")
    with pytest.raises(HarnessError, match=r"gives no numbers .* for the embeddings"):
        dense.embed(dense.open_embedder(folder), ["A delight."], "query")
