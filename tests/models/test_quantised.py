"""Layers in 4 bits: what they hold, that they pass right gradients whenever asked, and that they come back."""

import copy

import pytest
import torch
from bitsandbytes.functional import has_avx512bf16
from bitsandbytes.nn.modules import Linear4bit
from torch import nn

from harness.models import quantised

KINDS = ("llama", "tied", "gpt2")
TOKENS = torch.arange(10, 40)[None]


def layers(module):
    return {name: layer for name, layer in module.named_modules() if isinstance(layer, Linear4bit)}


def without_dropout(module):
    for layer in module.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return module


def reference(module):
    """The same model with ordinary layers that hold what the 4 bits stand for."""
    dequantised = copy.deepcopy(module)
    quantised.dequantise(dequantised)
    return dequantised


@pytest.mark.parametrize("kind", KINDS)
def test_linear_layers_are_nested_nf4_and_the_rest_stays(open_tiny, kind):
    module = open_tiny(kind).module
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    bytes_before = sum(p.numel() * p.element_size() for p in module.parameters())
    linear = [name for name, layer in module.named_modules() if type(layer).__name__ in ("Linear", "Conv1D")]
    quantised.quantise(module)
    quantised_layers = layers(module)
    assert set(quantised_layers) == set(linear) - {"lm_head"}
    for layer in quantised_layers.values():
        assert layer.weight.quant_state.quant_type == "nf4"
        assert layer.weight.quant_state.nested
    quantised_names = {name for name, p in module.named_parameters() if p.dtype == torch.uint8}
    assert all(torch.equal(p, before[name]) for name, p in module.named_parameters() if name not in quantised_names)
    assert sum(p.numel() * p.element_size() for p in module.parameters()) < bytes_before * 0.6
    for name, layer in quantised_layers.items():
        weight = before[f"{name}.weight"]
        held_for = (
            quantised.dequantised_weights(layer).T if layer.was_transposed else quantised.dequantised_weights(layer)
        )
        assert (held_for - weight).abs().mean() < 0.1 * weight.abs().mean()


@pytest.mark.parametrize("kind", KINDS)
def test_a_quantised_model_answers_as_one_with_the_dequantised_weights(open_tiny, kind):
    module = without_dropout(open_tiny(kind).module)
    quantised.quantise(module)
    with torch.no_grad():
        expected = reference(module)(TOKENS).logits
        for training in (False, True):
            assert torch.allclose(module.train(training)(TOKENS).logits, expected, atol=1e-4)


def gradient(module):
    """The gradient of a loss with regard to the embedded input: it passes through every layer."""
    embedded = module.get_input_embeddings()(TOKENS).detach().requires_grad_(True)
    module.train()(inputs_embeds=embedded).logits.float().logsumexp(-1).sum().backward()
    return embedded.grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_dequantised_weights_also_after_an_evaluation(open_tiny, kind, dtype):
    module = without_dropout(open_tiny(kind).module.to(dtype))
    quantised.quantise(module)
    expected = gradient(reference(module))
    tolerance = {"atol": 1e-4, "rtol": 1e-3} if dtype == torch.float32 else {"atol": expected.abs().max().item() / 20}
    assert torch.allclose(gradient(module), expected, **tolerance)
    for evaluated in (torch.no_grad, torch.inference_mode):
        with evaluated():
            answered = module.eval()(TOKENS).logits
        assert torch.allclose(gradient(module), expected, **tolerance)
        with evaluated():
            assert torch.equal(module.eval()(TOKENS).logits, answered)


def test_without_the_guard_an_evaluation_would_take_the_gradient_away():
    layer = quantised._quantised_layer(nn.Linear(64, 64, bias=False, dtype=torch.bfloat16))
    if not has_avx512bf16():
        pytest.skip("bitsandbytes repacks only on a processor with AVX-512 BF16")
    layer.support_avx512bf16_for_cpu = True  # as bitsandbytes sets it
    inputs = torch.randn(3, 64, dtype=torch.bfloat16)
    with torch.no_grad():
        layer.eval()(inputs)
    leaf = inputs.clone().requires_grad_(True)
    with pytest.warns(UserWarning, match="autograd kernel was not registered"):
        layer.train()(leaf).sum().backward()
    assert leaf.grad is None


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_layers_hold_comes_back_bit_by_bit(open_tiny, kind):
    module, other = open_tiny(kind).module, open_tiny(kind, seed=1).module
    quantised.quantise(module)
    quantised.quantise(other)
    written = {name: value.clone() for name, value in quantised.quantised_state(module).items()}
    quantised.load_quantised_state(other, written)
    assert not written
    theirs = layers(other)
    for name, layer in layers(module).items():
        assert torch.equal(quantised.dequantised_weights(theirs[name]), quantised.dequantised_weights(layer))


@pytest.mark.parametrize("kind", KINDS)
def test_whole_layers_are_of_the_kind_that_they_were(open_tiny, kind):
    module = open_tiny(kind).module
    shapes = {
        name: (type(module.get_submodule(name.rpartition(".")[0])), p.shape) for name, p in module.named_parameters()
    }
    quantised.quantise(module)
    assert quantised.is_quantised(module)
    quantised.dequantise(module)
    assert not quantised.is_quantised(module)
    assert shapes == {
        name: (type(module.get_submodule(name.rpartition(".")[0])), p.shape) for name, p in module.named_parameters()
    }
