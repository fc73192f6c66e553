"""A LoRA adapter's folder as a model: merged into its base model, which is part of what it is known by."""

import json
import shutil

import pytest
import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.api import Prompt, Task
from harness.cli.run_options import LimitOptions, RunOptions
from harness.errors import HarnessError
from harness.models import registry
from harness.models.local_backend import with_base
from tests import tiny

TASK = Task("moods", "classification", choices=("good", "bad"), instruction="Which mood?")


@pytest.fixture
def base(tmp_path):
    return tiny.save_model(tmp_path / "base")


@pytest.fixture
def adapter(base, tmp_path):
    return save_adapter(base, tmp_path / "adapter")


def save_adapter(base, folder, settings=None):
    torch.manual_seed(0)
    lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), settings or lora)
    model.peft_config["default"].base_model_name_or_path = str(base)
    model.save_pretrained(folder)
    return folder


def logits(module, tokens=(5, 9, 13)):
    with torch.no_grad():
        return module(input_ids=torch.tensor([tokens])).logits.float()


def test_an_adapter_without_a_tokenizer_is_loaded_with_its_base_models(base, adapter, tmp_path):
    model = registry.open_model(registry.identify(str(adapter)).reference, tmp_path)
    plain = registry.open_model(str(base), tmp_path)
    torch.manual_seed(0)
    expected = save_adapter(base, tmp_path / "again")
    assert not torch.allclose(logits(model.module), logits(plain.module), atol=0.5)
    from peft import PeftModel

    whole = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), expected)
    assert torch.allclose(logits(model.module.float()), logits(whole), atol=0.3)
    assert model.encode("film") == plain.encode("film")
    assert model.info.identity == registry.identify(str(adapter)).identity
    (answer,) = model.score_choices([Prompt(TASK, "A delight.")], [TASK.choices])
    assert len(answer.choice_scores) == 2


def test_another_base_model_is_another_model(base, adapter):
    before = registry.identify(str(adapter)).identity
    tiny.save_model(base, seed=1)
    assert registry.identify(str(adapter)).identity != before


def test_another_tokenizer_of_the_base_model_is_another_model(base, adapter):
    before = registry.identify(str(adapter)).identity
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    tokenizer.save_pretrained(base)
    assert registry.identify(str(adapter)).identity != before


def test_an_adapter_without_its_base_model_says_what_to_give(base, adapter):
    shutil.rmtree(base)
    with pytest.raises(HarnessError, match=r"needs its base model .*base_model_name_or_path") as raised:
        registry.identify(str(adapter))
    assert "\n" not in str(raised.value)
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": None}))
    with pytest.raises(HarnessError, match="names no base model: give --base MODEL"):
        registry.identify(str(adapter))


def test_a_relative_base_is_one_from_the_adapter_s_folder(base, adapter, tmp_path, monkeypatch):
    config = json.loads((adapter / "adapter_config.json").read_text())
    absolute = registry.identify(str(adapter)).identity.partition(" on ")[2]
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "../base"}))
    monkeypatch.chdir("/")
    assert registry.identify(str(adapter)).identity.partition(" on ")[2] == absolute
    assert registry.present(str(adapter), tmp_path) == base


def test_a_base_may_be_given_besides(base, adapter, tmp_path):
    moved = base.rename(tmp_path / "moved")
    (name,) = RunOptions(model=[str(adapter)], base=str(moved)).run_config("tiny", LimitOptions()).models
    reference = registry.identify(name)
    assert reference.name == f"{adapter} on {moved}"
    assert registry.present(reference.reference, tmp_path) == moved
    registry.prepare(reference.reference, tmp_path)
    model = registry.open_model(reference.reference, tmp_path)
    assert model.info.identity == reference.identity == registry.identity(reference.reference)
    assert len(model.score_choices([Prompt(TASK, "A delight.")], [TASK.choices])[0].choice_scores) == 2
    with pytest.raises(HarnessError, match="--base x is of an adapter"):
        with_base([str(moved)], "x")


def test_an_adapter_of_another_model_is_refused(adapter, tmp_path):
    other = tiny.save_model(tmp_path / "other", "gpt2")
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": str(other)}))
    with pytest.raises(HarnessError, match=r"cannot be loaded|is not one of this model"):
        registry.open_model(str(adapter), tmp_path)


def test_virtual_tokens_cannot_be_merged(base, tmp_path):
    settings = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    folder = save_adapter(base, tmp_path / "prompt", settings)
    with pytest.raises(HarnessError, match="cannot be merged into its base model"):
        registry.open_model(str(folder), tmp_path)
