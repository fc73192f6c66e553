"""How much is computed at once: as before on a processor, by free memory on a GPU, and never another answer."""

from dataclasses import replace

import pytest
import torch
from transformers import Gemma3Config, LlamaConfig

from harness.models import row_budget
from harness.models.row_budget import PROCESSOR, answering_sizes, sizes_for, token_bytes, training_row_tokens
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.records.pass_sizes import PassSizes
from harness.trial.open_planned import open_planned

GIB = 2**30
LLAMA_8B = LlamaConfig(
    hidden_size=4096,
    intermediate_size=14_336,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=8,
    vocab_size=128_256,
)


def test_a_token_of_llama_8b_takes_what_its_shape_says():
    token = token_bytes(LLAMA_8B, 2)
    assert token.cached == 2 * 32 * 8 * 128 * 2
    assert token.computed > token.cached
    assert token.saved > 32 * 14_336 * 3 * 2


def test_a_composite_model_is_counted_by_its_text_decoder():
    config = Gemma3Config(text_config={"num_hidden_layers": 4, "num_key_value_heads": 2, "head_dim": 8})
    assert token_bytes(config, 2).cached == 2 * 4 * 2 * 8 * 2


@pytest.mark.parametrize("free", [1, 6, 20, 60, 120])
def test_more_memory_never_computes_less_at_once_and_caches_fit(free):
    token = token_bytes(LLAMA_8B, 2)
    sizes, more = sizes_for(free * GIB, token), sizes_for(2 * free * GIB, token)
    assert sizes.from_memory
    assert PROCESSOR.row_tokens <= sizes.row_tokens <= more.row_tokens <= 8192
    assert sizes.row_tokens % 64 == 0
    assert sizes.cache_tokens * token.cached <= 0.6 * free * GIB
    assert sizes.cache_tokens <= more.cache_tokens


def test_a_processor_computes_as_before(open_tiny):
    model = open_tiny()
    assert model.pass_sizes == answering_sizes(model.module) == PROCESSOR
    assert PassSizes(row_tokens=768, decode_rows=32, prompt_tokens=2048, cache_tokens=32_768) == PROCESSOR
    assert training_row_tokens(model.module, 768) == 768


def test_free_memory_is_that_of_the_device_and_of_torchs_cache(monkeypatch, open_tiny):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10 * GIB, 80 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 7 * GIB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 2 * GIB)
    assert row_budget.free_bytes(torch.device("cuda")) == pytest.approx(0.9 * 15 * GIB)
    assert row_budget.free_bytes(torch.device("cpu")) is None
    module = open_tiny().module
    monkeypatch.setattr(row_budget, "free_bytes", lambda device: 4 * GIB)
    assert answering_sizes(module).row_tokens == 8192
    assert training_row_tokens(module, 100) == 8192
    monkeypatch.setattr(row_budget, "free_bytes", lambda device: 0.0)
    assert answering_sizes(module).row_tokens == 768
    assert training_row_tokens(module, 100) == 100


def test_sizes_of_a_gpu_change_no_training_step(open_tiny, monkeypatch):
    from harness.api import Context, Example, Query, System, Task, TaskData
    from harness.training.settings import SupervisedSettings
    from harness.training.supervised import fit

    task = Task("t", "qa", instruction="Be brief.", max_new_tokens=4)
    examples = tuple(Example(Query(str(n), f"Which film {n}?"), ("good", "other")) for n in range(6))
    monkeypatch.setattr(row_budget, "free_bytes", lambda device: 4 * GIB)
    weights = []
    for from_memory in (False, True):
        model = replace(open_tiny(), from_memory=from_memory)
        model.module.requires_grad_(True)
        settings = SupervisedSettings(learning_rate=1e-3, epochs=1, batch_size=6, row_tokens=20)
        fit(model, System(model, task), TaskData(task, examples, examples[:2]), settings, Context())
        weights.append({name: weight.detach().clone() for name, weight in model.module.named_parameters()})
    assert all(torch.allclose(weights[0][name], weights[1][name], atol=1e-5) for name in weights[0])


def test_sizes_that_the_user_fixes_reach_the_model(tiny_suite, tiny_folders, tiny_cache):
    config = RunConfig(
        suite=str(tiny_suite), models=(str(tiny_folders()),), strategies=("zero_shot",), rows=5, row_tokens=100
    )
    usual = make_plan(config.model_copy(update={"rows": None, "row_tokens": None})).trials[0]
    planned = make_plan(config).trials[0]
    assert planned.trial.key == usual.trial.key
    model = open_planned(planned, tiny_cache)
    assert (model.decode_rows, model.row_tokens) == (5, 100)
    assert open_planned(usual, tiny_cache).pass_sizes == PROCESSOR
    assert model.decode_limits(8).max_rows == 5
