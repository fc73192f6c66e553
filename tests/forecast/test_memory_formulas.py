"""The formulas for memory against real tensors of tiny models: exact where a formula claims to be."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.api.architecture import Footprint
from harness.decoding import prefix_sharing
from harness.forecast.architecture_lookup import llama, parse_config, read_architecture
from harness.forecast.memory import (
    BytesPerParameter,
    ForwardPass,
    inference_peak,
    saved_token_bytes,
    training_peak,
    weights_bytes,
)
from harness.plan.chain import build
from harness.plan.discover import find_step
from harness.training.batches import pack_rows
from harness.training.optimiser import MasterAdamW
from harness.training.rates_training import build_examples

STEPS = (
    "full",
    "frozen(layers=1)",
    "lora",
    "lora(rank=3,targets='q_proj,v_proj')",
    "lora(variant=dora)",
    "qlora",
    "adapter",
    "adapter(after=feed_forward,width=8)",
    "ia3",
    "prompt_tuning(tokens=7)",
    "dpo",
    "rlhf",
)
SHAPE = llama(64, 3, 4, 2, 160, 500)


def step_of(text):
    return build(text, find_step)[0].step


def attach(step, model):
    if hasattr(step, "attach"):
        return step.attach(model)
    from harness.training import adapters

    return adapters.attach_low_rank(model, rank=step.rank, alpha=1.0, dropout=0.0, targets=step.targets)


@pytest.mark.parametrize("text", STEPS)
def test_a_step_says_how_many_parameters_it_trains(text, open_tiny, tiny_folders):
    step = step_of(text)
    footprint = step.footprint(read_architecture(tiny_folders(), 4.0))
    assert attach(step, open_tiny()).trained_parameters == footprint.trained_parameters


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt", "gpt_neox", "bloom"])
def test_parameters_of_an_architecture_are_counted_from_its_configuration(kind):
    import transformers

    names = {"llama": "Llama", "gpt2": "GPT2", "opt": "OPT", "gpt_neox": "GPTNeoX", "bloom": "Bloom"}
    sizes = {"vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
    other_sizes = {"opt": {"ffn_dim": 96, "word_embed_proj_dim": 32}, "llama": {"num_key_value_heads": 2}}.get(kind, {})
    other_sizes |= {"intermediate_size": 96} if kind in {"llama", "gpt_neox"} else {}
    config = getattr(transformers, f"{names[kind]}Config")(**sizes, **other_sizes)
    with torch.device("meta"):
        module = transformers.AutoModelForCausalLM.from_config(config)
    assert parse_config(config.to_dict()).parameters == sum(p.numel() for p in module.parameters())


def test_weights_gradients_and_optimizer_are_those_of_the_tensors(open_tiny, tiny_folders):
    step = step_of("lora(rank=4)")
    shape = read_architecture(tiny_folders(), 4.0)
    module = step.attach(open_tiny()).module
    trained = [p for p in module.parameters() if p.requires_grad]
    optimiser = MasterAdamW(trained, weight_decay=0.0)
    for weight in trained:
        weight.grad = torch.ones_like(weight)
    gradients = sum(w.grad.nbytes for w in trained)
    optimiser.step(1e-3)
    states = [s for state in optimiser.inner.state.values() for s in state.values() if s.ndim]
    peak = training_peak(shape, step.footprint(shape), ForwardPass(8, 2))
    assert peak.weights == sum(p.nbytes for p in module.parameters())
    assert peak.gradients == gradients
    assert peak.optimizer == sum(s.nbytes for s in states)


def test_four_bits_take_what_the_layers_hold(open_tiny, tiny_folders):
    shape = read_architecture(tiny_folders(), 4.0)
    step = step_of("qlora")
    module = step.attach(open_tiny()).module
    from harness.models.quantised import quantised_state

    stored_bytes = sum(p.nbytes for p in module.parameters() if p.dtype != torch.uint8)
    stored_bytes += sum(
        t.nbytes
        for name, t in quantised_state(module).items()
        if "quant_map" not in name and "bitsandbytes" not in name
    )
    # tiny matrices end in blocks that are not full, so that their scales weigh more than in a real one
    assert weights_bytes(shape, step.footprint(shape)) == pytest.approx(stored_bytes, rel=0.03)


@pytest.mark.parametrize(
    ("text", "off"),
    [
        ("full", 0.01),
        ("lora", 0.01),
        ("ia3", 0.01),
        ("prompt_tuning", 0.01),
        ("lora(variant=dora)", 0.08),
        ("adapter", 0.12),
    ],
)
def test_a_block_saves_for_the_backward_pass_what_the_formula_says(text, off):
    shape = replace(llama(64, 3, 4, 2, 160, 500), dtype_bytes=4.0)
    step = step_of(text)
    measured = {layers: saved_bytes(step, layers) for layers in (1, 3)}
    block_bytes, tokens = (measured[3][0] - measured[1][0]) / 2, measured[1][1]
    footprint = step.footprint(shape)
    formula = saved_token_bytes(shape, footprint) * tokens + footprint.saved_weights * 4
    assert formula == pytest.approx(block_bytes, rel=off)


def saved_bytes(step, layers):
    """Count what autograd saves of one packed row, each storage once, parameters left out; and the row's tokens."""
    import transformers

    from harness.api import ModelInfo
    from harness.models.local_model import LocalModel

    sizes = {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 160}
    config = transformers.LlamaConfig(vocab_size=500, num_hidden_layers=layers, **sizes)
    module = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).requires_grad_(False)
    if hasattr(step, "tokens"):  # peft's wrapper would insert the vectors: here only the backward pass counts
        module.get_input_embeddings().requires_grad_(True)
    else:
        module = step.attach(LocalModel(ModelInfo(name="random"), module, None)).module
    parameter_storages = {t.untyped_storage().data_ptr() for t in (*module.parameters(), *module.buffers())}
    sizes_by_storage, alive = {}, []

    def keep(tensor):
        alive.append(tensor)
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameter_storages:
            sizes_by_storage[storage.data_ptr()] = storage.nbytes()
        return tensor

    row = pack_rows(build_examples(256, 8), 10**9)[0]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        log = prefix_sharing.log_likelihoods(module, row)
    assert log.requires_grad
    return sum(sizes_by_storage.values()), len(row.tokens)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5000), st.integers(0, 5000), st.integers(1, 400), st.booleans(), st.sampled_from(STEPS))
def test_more_tokens_never_take_less_memory(tokens, more_tokens, logit_positions, checkpointing, text):
    footprint = replace(step_of(text).footprint(SHAPE), checkpointing=checkpointing)
    small, large = (ForwardPass(n, logit_positions) for n in (tokens, tokens + more_tokens))
    few, many = (inference_peak(SHAPE, footprint, one_pass, one_pass.tokens) for one_pass in (small, large))
    assert training_peak(SHAPE, footprint, small).total <= training_peak(SHAPE, footprint, large).total
    assert few.total <= many.total
    wider = ForwardPass(tokens, logit_positions + more_tokens)
    assert training_peak(SHAPE, footprint, small).total <= training_peak(SHAPE, footprint, wider).total


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 64), st.integers(1, 64))
def test_a_higher_rank_never_takes_less_memory(rank, difference):
    low, high = (training_peak(SHAPE, SHAPE.low_rank(r), ForwardPass(100, 10)).total for r in (rank, rank + difference))
    assert low < high


def test_checkpointing_takes_less_memory_and_an_update_at_once_no_gradients():
    full, largest_pass = SHAPE.all_weights(), ForwardPass(2000, 10)
    plain = training_peak(SHAPE, full, largest_pass).total
    assert training_peak(SHAPE, replace(full, checkpointing=True), largest_pass).total < plain
    fused = training_peak(SHAPE, full, largest_pass, BytesPerParameter(step_bytes=0))
    assert fused.gradients < SHAPE.parameters


def test_what_trains_nothing_has_an_empty_footprint():
    assert step_of("zero_shot").footprint(SHAPE) == Footprint()
