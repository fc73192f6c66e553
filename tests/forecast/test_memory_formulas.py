"""The formulas for memory against real tensors of tiny models: exact where a formula claims to be."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.api.architecture import Footprint
from harness.decoding import prefix_sharing
from harness.forecast.architecture_lookup import llama, read
from harness.forecast.memory import BytesPerParameter, ForwardPass, answering, kept_bytes, training, weights_bytes
from harness.plan.chain import build
from harness.plan.discover import find_step
from harness.training.batches import rows
from harness.training.optimiser import MasterAdamW
from harness.training.rates_training import some_examples

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


def attached(step, model):
    if hasattr(step, "attach"):
        return step.attach(model)
    from harness.training import adapters

    return adapters.attach_low_rank(model, rank=step.rank, alpha=1.0, dropout=0.0, targets=step.targets)


@pytest.mark.parametrize("text", STEPS)
def test_a_step_says_how_many_parameters_it_trains(text, open_tiny, tiny_folders):
    step = step_of(text)
    said = step.footprint(read(tiny_folders(), 4.0))
    assert attached(step, open_tiny()).trained_parameters == said.trained


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt", "gpt_neox", "bloom"])
def test_parameters_of_an_architecture_are_counted_from_its_configuration(kind):
    import transformers

    from harness.forecast.architecture_lookup import decoder

    names = {"llama": "Llama", "gpt2": "GPT2", "opt": "OPT", "gpt_neox": "GPTNeoX", "bloom": "Bloom"}
    sizes = {"vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
    more = {"opt": {"ffn_dim": 96, "word_embed_proj_dim": 32}, "llama": {"num_key_value_heads": 2}}.get(kind, {})
    more |= {"intermediate_size": 96} if kind in {"llama", "gpt_neox"} else {}
    config = getattr(transformers, f"{names[kind]}Config")(**sizes, **more)
    with torch.device("meta"):
        module = transformers.AutoModelForCausalLM.from_config(config)
    assert decoder(config.to_dict()).parameters == sum(p.numel() for p in module.parameters())


def test_weights_gradients_and_optimizer_are_those_of_the_tensors(open_tiny, tiny_folders):
    step = step_of("lora(rank=4)")
    shape = read(tiny_folders(), 4.0)
    module = step.attach(open_tiny()).module
    trained = [p for p in module.parameters() if p.requires_grad]
    optimiser = MasterAdamW(trained, weight_decay=0.0)
    for weight in trained:
        weight.grad = torch.ones_like(weight)
    gradients = sum(w.grad.nbytes for w in trained)
    optimiser.step(1e-3)
    states = [s for state in optimiser.inner.state.values() for s in state.values() if s.ndim]
    said = training(shape, step.footprint(shape), ForwardPass(8, 2))
    assert said.weights == sum(p.nbytes for p in module.parameters())
    assert said.gradients == gradients
    assert said.optimizer == sum(s.nbytes for s in states)


def test_four_bits_take_what_the_layers_hold(open_tiny, tiny_folders):
    shape = read(tiny_folders(), 4.0)
    step = step_of("qlora")
    module = step.attach(open_tiny()).module
    from harness.models.quantised import state

    held = sum(p.nbytes for p in module.parameters() if p.dtype != torch.uint8)
    held += sum(t.nbytes for name, t in state(module).items() if "quant_map" not in name and "bitsandbytes" not in name)
    # tiny matrices end in blocks that are not full, so that their scales weigh more than in a real one
    assert weights_bytes(shape, step.footprint(shape)) == pytest.approx(held, rel=0.03)


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
def test_a_block_keeps_for_the_way_back_what_the_formula_says(text, off):
    from dataclasses import replace

    shape = replace(llama(64, 3, 4, 2, 160, 500), dtype_bytes=4.0)
    step = step_of(text)
    kept = {layers: saved_bytes(step, layers) for layers in (1, 3)}
    a_block, tokens = (kept[3][0] - kept[1][0]) / 2, kept[1][1]
    said = step.footprint(shape)
    assert kept_bytes(shape, said) * tokens + said.kept_weights * 4 == pytest.approx(a_block, rel=off)


def saved_bytes(step, layers):
    """Count what autograd keeps of one packed row, each piece of memory once, parameters left out."""
    import transformers

    from harness.api import ModelInfo
    from harness.models.local_model import LocalModel

    sizes = {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 160}
    config = transformers.LlamaConfig(vocab_size=500, num_hidden_layers=layers, **sizes)
    module = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).requires_grad_(False)
    if hasattr(step, "tokens"):  # peft's wrapper would put the vectors in: here only the way back counts
        module.get_input_embeddings().requires_grad_(True)
    else:
        module = step.attach(LocalModel(ModelInfo(name="random"), module, None)).module
    held = {t.untyped_storage().data_ptr() for t in (*module.parameters(), *module.buffers())}
    found, alive = {}, []

    def keep(tensor):
        alive.append(tensor)
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in held:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    row = rows(some_examples(256, 8), 10**9)[0]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        log = prefix_sharing.log_likelihoods(module, row)
    assert log.requires_grad
    return sum(found.values()), len(row.tokens)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5000), st.integers(0, 5000), st.integers(1, 400), st.booleans(), st.sampled_from(STEPS))
def test_more_tokens_never_take_less_memory(tokens, more, predictions, checkpointing, text):
    from dataclasses import replace

    footprint = replace(step_of(text).footprint(SHAPE), checkpointing=checkpointing)
    small, large = (ForwardPass(n, predictions) for n in (tokens, tokens + more))
    assert training(SHAPE, footprint, small).total <= training(SHAPE, footprint, large).total
    assert answering(SHAPE, footprint, small, tokens).total <= answering(SHAPE, footprint, large, tokens + more).total
    wider = ForwardPass(tokens, predictions + more)
    assert training(SHAPE, footprint, small).total <= training(SHAPE, footprint, wider).total


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 64), st.integers(1, 64))
def test_a_higher_rank_never_takes_less_memory(rank, more):
    low, high = (training(SHAPE, SHAPE.low_rank(r), ForwardPass(100, 10)).total for r in (rank, rank + more))
    assert low < high


def test_checkpointing_takes_less_memory_and_an_update_at_once_no_gradients():
    from dataclasses import replace

    whole = SHAPE.all_weights()
    plain = training(SHAPE, whole, ForwardPass(2000, 10)).total
    assert training(SHAPE, replace(whole, checkpointing=True), ForwardPass(2000, 10)).total < plain
    assert training(SHAPE, whole, ForwardPass(2000, 10), BytesPerParameter(step_bytes=0)).gradients < SHAPE.parameters


def test_what_trains_nothing_has_an_empty_footprint():
    assert step_of("zero_shot").footprint(SHAPE) == Footprint()
