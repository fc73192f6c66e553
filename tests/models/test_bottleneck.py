"""Bottleneck adapters: where they stand, that they begin as nothing, and that they come back."""

import pytest
import torch

from harness.errors import HarnessError
from harness.models import bottleneck
from harness.models.blocks import decoder_blocks, final_modules

TOKENS = torch.arange(10, 30)[None]
KINDS = ("llama", "tied", "gpt2", "capped", "sliding")


def attached(model, **shape):
    bottleneck.attach(model.module, bottleneck.BottleneckShape(width=8, **shape))
    return model.module


def disturbed(module):
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if bottleneck.is_bottleneck_weight(name):
                weight.normal_(0, 0.1)
    return module


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_begin_as_the_identity_and_train_alone(open_tiny, kind):
    model = open_tiny(kind)
    with torch.no_grad():
        before = model.module(TOKENS).logits
        module = attached(model)
        assert torch.equal(module(TOKENS).logits, before)
        assert not torch.allclose(disturbed(module)(TOKENS).logits, before, atol=1e-2)
    learning = {name for name, weight in module.named_parameters() if weight.requires_grad}
    assert learning == {name for name, _ in module.named_parameters() if bottleneck.is_bottleneck_weight(name)}
    # two blocks, each with two adapters of down, up and their biases
    assert sum(p.numel() for p in module.parameters() if p.requires_grad) == 2 * 2 * (2 * 64 * 8 + 64 + 8)


def test_one_behind_the_feed_forward_is_half_as_many(open_tiny):
    module = attached(open_tiny(), after="feed_forward", activation="relu")
    names = [name for name, weight in module.named_parameters() if weight.requires_grad]
    assert len(names) == 2 * 4
    assert all(".mlp." in name for name in names)


def test_what_a_sublayer_gives_goes_through_its_adapter_before_it_is_added(open_tiny):
    module = disturbed(attached(open_tiny()))
    mlp = module.model.layers[0].mlp
    hidden = torch.randn(1, 3, 64)
    adapter = mlp.bottleneck
    plain = mlp.down_proj(mlp.act_fn(mlp.gate_proj(hidden)) * mlp.up_proj(hidden))
    expected = plain + adapter.up(torch.nn.functional.gelu(adapter.down(plain)))
    assert torch.allclose(mlp(hidden), expected, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_come_back_and_go_away(open_tiny, tmp_path, kind):
    fresh = open_tiny(kind).module
    module = disturbed(attached(open_tiny(kind), activation="relu"))
    bottleneck.save(module, tmp_path)
    with torch.no_grad():
        plain, expected = fresh(TOKENS).logits, module(TOKENS).logits
        bottleneck.load(fresh, tmp_path)
        assert bottleneck.attached_shape(fresh) == bottleneck.attached_shape(module)
        assert torch.equal(fresh(TOKENS).logits, expected)
        bottleneck.remove(fresh)
        assert torch.equal(fresh(TOKENS).logits, plain)
    assert bottleneck.attached_shape(fresh) is None
    assert not any(bottleneck.is_bottleneck_weight(name) for name, _ in fresh.named_parameters())


def test_a_model_without_attention_is_refused(open_tiny):
    with pytest.raises(HarnessError, match=r"Mamba.* no attention and feed-forward part"):
        attached(open_tiny("recurrent"))


@pytest.mark.parametrize(("kind", "behind"), [("llama", 2), ("tied", 1), ("gpt2", 1)])
def test_blocks_are_found_and_what_stands_behind_them(open_tiny, kind, behind):
    module = open_tiny(kind).module
    assert len(decoder_blocks(module)) == 2
    assert len(final_modules(module)) == behind  # the last norm, and a head with weights of its own
    shared = module.get_input_embeddings().weight
    assert not any(weight is shared for part in final_modules(module) for weight in part.parameters())
