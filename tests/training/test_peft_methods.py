"""Every method that peft has: trained, asked packed and alone, kept, merged if possible; or refused with a reason."""

from dataclasses import replace

import pytest
import torch

from harness.api import Context, Prompt, Task, TaskData
from harness.errors import HarnessError
from harness.models import virtual_tokens
from harness.training import adapters, peft_methods
from harness.training.batches import TrainingSample
from harness.training.losses import mean_loss
from harness.training.settings import SupervisedSettings
from harness.training.supervised import train
from harness.training.untrainable_peft import UNSUPPORTED
from strategies.peft import Peft

SAMPLES = [TrainingSample([10 + n % 3, 11, 12 + n], [20 + n % 2, 2]) for n in range(8)]
TASK = Task("t", "qa", max_new_tokens=6)
PROMPTS = [Prompt(TASK, "Which film?"), Prompt(TASK, "Which film was it, and when?")]
SMALL = {  # what does not fit the tiny model's sizes by default
    "c3a": "block_size=32",
    "fourierft": "n_frequency=100",
    "road": "group_size=32",
    "shira": "r=2",
    "trainable_tokens": "token_indices=[20, 21]",
    "vblora": "vector_length=32, num_vectors=8",
    "waveft": "n_frequency=100",
}
STAYS = {"adaption_prompt", "beft", "p_tuning", "prefix_tuning", "prompt_tuning"}
"""Methods that peft cannot merge into the weights."""


def predict_scores(model):
    return [
        score for answer in model.score_choices(PROMPTS, [("good", "bad film")] * 2) for score in answer.choice_scores
    ]


@pytest.mark.parametrize("method", peft_methods.trainable_methods())
def test_a_method_learns_is_kept_and_merges(open_tiny, tmp_path, method):
    torch.manual_seed(0)
    model = peft_methods.attach(open_tiny(), method, SMALL.get(method, ""))
    assert 0 < model.trained_parameters < model.info.parameters
    samples = [
        TrainingSample([*virtual_tokens.virtual_ids(model.module), *sample.prompt], sample.completion)
        for sample in SAMPLES
    ]
    before = mean_loss(model.module.eval(), samples, 768)
    train(model.module, samples, SupervisedSettings(learning_rate=1e-2, epochs=2, batch_size=4), Context())
    assert mean_loss(model.module, samples, 768) < before
    expected = predict_scores(model)
    assert predict_scores(replace(model, supports_packing=False)) == pytest.approx(expected, abs=1e-4)
    model.save_adapted(tmp_path)
    torch.manual_seed(1)
    assert predict_scores(open_tiny().load_adapted(tmp_path)) == pytest.approx(expected, abs=1e-5)
    if method in STAYS:
        with pytest.raises(HarnessError, match=f"{method} has trained cannot be merged"):
            adapters.merge_adapter(model)
    else:
        assert predict_scores(adapters.merge_adapter(model)) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("method", UNSUPPORTED)
def test_a_plan_skips_a_method_that_cannot_be_trained_here(method):
    task = TaskData(Task("t", "qa"))
    assert Peft(method=method).objection(task, ()) == f"method {method} cannot be trained here: {UNSUPPORTED[method]}"
    assert Peft(method="vera").objection(task, ()) is None


@pytest.mark.parametrize("method", UNSUPPORTED)
def test_what_cannot_be_trained_here_is_refused_with_the_reason(open_tiny, method):
    with pytest.raises(HarnessError, match=f"method={method}.*cannot be trained here: it "):
        peft_methods.attach(open_tiny(), method)


def test_every_method_of_peft_is_either_known_or_refused():
    from peft import PeftType

    names = {kind.value.lower() for kind in PeftType}
    assert names <= {*peft_methods.trainable_methods(), *UNSUPPORTED}


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("verra", "", "unknown peft method 'verra': did you mean 'vera'"),
        ("vera", "rr=8", r"unknown option 'rr' in peft\(method=vera\)"),
        ("vera", "r=", "cannot be read: write it as in"),
        ("vera", "8", "cannot be read: write it as in"),
        ("vera", "r=open('x')", "cannot be read: write it as in"),
        ("vera", "r='eight'", r"vera: r='eight'"),
        ("vera", "r=8.5", r"vera: r=8.5"),
        ("vera", "target_modules=['nothing']", "peft cannot attach vera to this model"),
        ("trainable_tokens", "token_indices=[]", "trains nothing as it is|cannot attach"),
    ],
)
def test_a_mistake_is_one_sentence(open_tiny, method, options, message):
    with pytest.raises(HarnessError, match=message):
        peft_methods.attach(open_tiny(), method, options)


def test_options_reach_the_configuration(open_tiny):
    model = peft_methods.attach(open_tiny(), "vera", "r=8, target_modules=['q_proj', 'v_proj']")
    config = model.module.active_peft_config
    assert config.r == 8
    assert set(config.target_modules) == {"q_proj", "v_proj"}


def test_all_linear_layers_are_tuned_unless_the_method_has_its_own(open_tiny):
    vera = peft_methods.attach(open_tiny(), "vera").module.active_peft_config
    assert {name.rpartition("_")[0].rpartition(".")[2] for name in vera.target_modules} == {
        *("q", "k", "v", "o"),
        *("gate", "up", "down"),
    }
    ia3 = peft_methods.attach(open_tiny(), "ia3").module.active_peft_config
    assert set(ia3.target_modules) == {"k_proj", "v_proj", "down_proj"}
    assert set(ia3.feedforward_modules) == {"down_proj"}
