"""A model in each form that people have: found when a run is planned, and it answers as its weights do."""

import json
import os
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM

from harness.api import Prompt, Task
from harness.data import manifest
from harness.errors import HarnessError
from harness.measure.environment import memory_bytes
from harness.measure.units import gib
from harness.models import gguf_conversion, registry
from harness.models.folder_check import read_header
from harness.models.loading import prepare_weights
from tests import tiny
from tests.stub_model import save_stub
from tests.tiny_gguf import save_gguf

TASK = Task("moods", "classification", choices=("good", "bad"), instruction="Which mood?")
PROMPTS = [Prompt(TASK, "The film was a delight."), Prompt(TASK, "The music was bad.")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tiny.save_model(tmp_path_factory.mktemp("whole") / "model")


def scores(name, cache):
    reference = registry.identify(str(name))
    assert registry.identity(reference.reference) == reference.identity
    model = registry.open_model(reference.reference, cache)
    answers = model.score_choices(PROMPTS, [TASK.choices] * 2)
    return model, [score for answer in answers for score in answer.choice_scores]


def test_shards_answer_as_the_whole_file(whole, tmp_path):
    module = AutoModelForCausalLM.from_pretrained(whole)
    sharded = tmp_path / "sharded"
    shutil.copytree(whole, sharded)
    (sharded / "model.safetensors").unlink()
    module.save_pretrained(sharded, max_shard_size="100KB")
    assert len(list(sharded.glob("*.safetensors"))) > 1
    assert scores(sharded, tmp_path)[1] == scores(whole, tmp_path)[1]


def test_tied_weights_are_stored_once_and_all_there(tmp_path):
    folder = tiny.save_model(tmp_path / "tied", "tied")
    model, _ = scores(folder, tmp_path)
    assert "lm_head.weight" not in read_header(folder / "model.safetensors")
    assert model.module.get_output_embeddings().weight is model.module.get_input_embeddings().weight


def test_a_base_model_without_a_chat_template_is_asked_in_plain_text(tmp_path):
    model, _ = scores(tiny.save_model(tmp_path / "base", template=None), tmp_path)
    assert model.forms == ("plain",)
    (answer,) = model.generate(PROMPTS[:1], max_new_tokens=2, one_line=True)
    assert answer.text.startswith("Which mood?")


@pytest.fixture(scope="module")
def gguf(whole, tmp_path_factory):
    return save_gguf(whole, tmp_path_factory.mktemp("gguf") / "tiny-f32.gguf")


def test_a_gguf_file_or_its_folder_answers_as_the_weights_in_it(whole, gguf, tmp_path):
    reference = registry.identify(str(gguf))
    assert registry.present(reference.reference, tmp_path) is None
    assert prepare_weights(gguf, tmp_path) == registry.present(reference.reference, tmp_path)
    model, _ = scores(gguf, tmp_path)
    expected = AutoModelForCausalLM.from_pretrained(whole, dtype=torch.bfloat16)
    tokens = torch.tensor([[5, 9, 13, 200]])
    with torch.no_grad():
        difference = model.module.to(torch.bfloat16)(tokens).logits - expected(tokens).logits
    assert difference.abs().max() < 0.05
    assert model.encode("The film") == tiny.make_tokenizer()("The film")["input_ids"]
    assert model.info.note.startswith("converted from GGUF to bfloat16")
    assert registry.identify(str(gguf.parent)).identity != reference.identity
    assert manifest.is_whole(gguf_conversion.weights_folder(gguf.parent, tmp_path))


def refusal(name):
    with pytest.raises(HarnessError) as raised:
        registry.identify(str(name))
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_what_is_no_whole_gguf_is_one_line(gguf, tmp_path):
    (tmp_path / "page.gguf").write_text("<html>")
    assert "is no GGUF" in refusal(tmp_path / "page.gguf")
    part = tmp_path / "big-00001-of-00003.gguf"
    shutil.copy(gguf, part)
    assert "is one of 3 parts: join them" in refusal(part)
    part.unlink()
    shutil.copy(gguf, tmp_path)
    assert "holds 2 GGUF files: name one" in refusal(tmp_path)
    assert "unknown model" in refusal(tmp_path / "gone.gguf")


def test_a_gguf_without_the_library_says_what_to_install(gguf, monkeypatch):
    monkeypatch.setattr(gguf_conversion, "find_spec", lambda name: None)
    assert refusal(gguf).endswith("needs the package that reads GGUF: pip install gguf.")


@pytest.mark.skipif(torch.cuda.is_available(), reason="memory of a GPU may be larger")
def test_a_model_larger_than_memory_is_refused_with_the_figure_before_it_is_read(tmp_path):
    folder = save_stub(tmp_path / "model")
    size = 2 * memory_bytes()
    header = json.dumps({"w": {"dtype": "BF16", "shape": [size // 2], "data_offsets": [0, size]}}).encode()
    file = folder / "model.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(file, 8 + len(header) + size)
    text = refusal(folder)
    assert f"take {gib(size)} at least, and this machine has {gib(memory_bytes())} of memory" in text
