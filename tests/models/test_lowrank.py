"""Low-rank layers answer in one pass what peft's own answer in three, and leave everything else to peft."""

import pytest
import torch
from peft.tuners import lora
from peft.tuners.lora.layer import Linear

from harness.models import lowrank
from harness.training.adapters import attach_low_rank

SETTINGS = {"rank": 4, "alpha": 8.0, "dropout": 0.1, "targets": "all-linear"}
TOKENS = torch.tensor([[5, 6, 7, 8, 9], [9, 8, 7, 6, 5]])


def adapted(open_tiny, **options):
    """Attach an adapter whose update is not zero."""
    model = attach_low_rank(open_tiny(options.pop("kind", "llama")), **SETTINGS, **options)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.module.named_parameters():
        if "lora_B" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator).to(parameter.dtype)
    return model.module.eval()


def answers(module):
    return module(TOKENS).logits


def own(module):
    """Put peft's own layers back."""
    for layer in module.modules():
        if isinstance(layer, lowrank._Adding):
            layer.__class__ = type(layer).__mro__[2]
    return module


@pytest.mark.parametrize("options", [{}, {"variant": "rslora"}, {"four_bits": True}, {"kind": "gpt2"}], ids=str)
def test_answers_are_those_of_peft(open_tiny, options):
    module = adapted(open_tiny, **options)
    with torch.inference_mode():
        found = answers(module)
        with module.disable_adapter():
            without = answers(module)
        expected = answers(own(module))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert (found - without).abs().max() > 0.01


@pytest.mark.parametrize("four_bits", [False, True], ids=["whole", "four bits"])
def test_peft_is_not_asked_where_no_gradient_is_taken(open_tiny, monkeypatch, four_bits):
    module = adapted(open_tiny, four_bits=four_bits)

    def asked(*_, **__):
        raise AssertionError

    monkeypatch.setattr(lora.Linear4bit if four_bits else Linear, "forward", asked)
    with torch.inference_mode():
        answers(module)
    with pytest.raises(AssertionError):
        answers(module)


def test_what_is_learned_is_what_peft_learns(open_tiny):
    module = adapted(open_tiny)
    gradients = []
    for _ in range(2):
        module.zero_grad()
        answers(module).square().sum().backward()
        gradients.append({name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None})
        own(module)
    assert gradients[0]
    assert all("lora_" in name for name in gradients[0])
    torch.testing.assert_close(gradients[0], gradients[1])


def test_other_variants_and_several_adapters_are_left_to_peft(open_tiny):
    module = adapted(open_tiny, variant="dora")
    with torch.inference_mode():
        found = answers(module)
        torch.testing.assert_close(found, answers(own(module)))
    module = adapted(open_tiny)
    module.add_adapter("second", module.peft_config["default"], autocast_adapter_dtype=False)
    module.base_model.set_adapter(["default", "second"])
    with torch.inference_mode():
        found = answers(module)
        torch.testing.assert_close(found, answers(own(module)))


def test_merging_is_as_before(open_tiny):
    module = adapted(open_tiny)
    with torch.inference_mode():
        beside = answers(module)
        merged = module.merge_and_unload()
        torch.testing.assert_close(merged(TOKENS).logits, beside, atol=1e-4, rtol=1e-4)
