"""Memory of weights, gradients and optimizer state, counted from the tensors: exact bytes of tiny models."""

import pytest
import torch

from harness.api import Context
from harness.models.footprint import storage_bytes, weights_bytes
from harness.training import adapters, supervised
from harness.training.batches import TrainingSample
from harness.training.optimiser import MasterAdamW
from harness.training.settings import SupervisedSettings

SAMPLES = [TrainingSample((5, 6, 7), (8, 9)), TrainingSample((5, 7, 7, 7), (9,))]
STEP_BYTES = 4
"""Of the number of updates that torch's fused AdamW keeps for each tensor, float32."""


def train(model):
    """Train two steps; return (bytes of gradients, bytes of optimizer state), recorded once."""
    sizes = []
    settings = SupervisedSettings(learning_rate=1e-3, epochs=2, batch_size=2, watch_items=0)
    context = Context(record_memory=lambda gradients, states: sizes.append((gradients, states)))
    supervised.train(model.module, SAMPLES, settings, context)
    (recorded,) = sizes
    return recorded


def trained(model):
    """Return the number of trained parameters, and of their tensors."""
    parameters = [p for p in model.module.parameters() if p.requires_grad]
    return sum(p.numel() for p in parameters), len(parameters)


def test_views_and_tied_weights_count_once(open_tiny):
    block = torch.zeros(8, 4)
    assert storage_bytes([block, block.T, block[2:], torch.zeros(3, dtype=torch.bfloat16)]) == 8 * 4 * 4 + 6
    tied, untied = open_tiny("tied"), open_tiny("llama")
    head = untied.module.get_output_embeddings().weight.nbytes
    assert weights_bytes(untied) - weights_bytes(tied) == head > 0
    parameters, buffers = untied.module.parameters(), untied.module.buffers()
    assert weights_bytes(untied) == sum(p.nbytes for p in parameters) + sum(b.nbytes for b in buffers)


def test_a_model_whose_weights_are_elsewhere_has_no_size():
    assert weights_bytes(object()) is None


def test_full_tuning_holds_a_gradient_and_two_moments_of_every_weight(open_tiny):
    model = adapters.unfreeze(open_tiny())
    count, tensors = trained(model)
    assert count == sum(p.numel() for p in model.module.parameters())
    assert train(model) == (4 * count, 2 * 4 * count + STEP_BYTES * tensors)


def test_weights_of_16_bits_have_masters_that_belong_to_the_optimizer(open_tiny):
    model = open_tiny()
    model.module.to(torch.bfloat16)
    model = adapters.unfreeze(model)
    count, tensors = trained(model)
    assert train(model) == (4 * count, (2 + 1) * 4 * count + STEP_BYTES * tensors)


def test_frozen_blocks_have_neither_gradient_nor_state(open_tiny):
    model = adapters.freeze_lower_blocks(open_tiny(), 1)
    count, tensors = trained(model)
    inner = model.module.model
    frozen = [*inner.embed_tokens.parameters(), *inner.layers[0].parameters()]
    assert count == sum(p.numel() for p in model.module.parameters()) - sum(p.numel() for p in frozen)
    assert train(model) == (4 * count, 2 * 4 * count + STEP_BYTES * tensors)


@pytest.mark.parametrize("four_bits", [False, True])
def test_an_adapter_alone_has_gradients_and_state(open_tiny, four_bits):
    model = adapters.attach_low_rank(
        open_tiny(), rank=4, alpha=8.0, dropout=0.0, targets="all-linear", four_bits=four_bits
    )
    inner = [layer for layer in model.module.modules() if hasattr(layer, "lora_A")]
    count = sum(4 * (layer.in_features + layer.out_features) for layer in inner)
    assert trained(model) == (count, 2 * len(inner))
    assert train(model) == (4 * count, 2 * 4 * count + STEP_BYTES * 2 * len(inner))


def test_4_bit_weights_count_codes_and_scales(open_tiny):
    base_model = open_tiny()
    layers = [layer for name, layer in base_model.module.named_modules() if hasattr(layer, "weight") and "proj" in name]
    in_layers, before = sum(layer.weight.numel() for layer in layers), weights_bytes(base_model)
    adapter = {"rank": 4, "alpha": 8.0, "dropout": 0.0, "targets": "all-linear", "four_bits": True}
    model = adapters.attach_low_rank(base_model, **adapter)
    added = 4 * trained(model)[0]
    codes = in_layers // 2
    scales = weights_bytes(model) - added - codes - (before - 4 * in_layers)
    # a byte for each block of 64 weights; tables and second-level scales of each layer are what the rest is
    assert in_layers / 64 <= scales <= in_layers / 64 + len(layers) * 2200


def test_memory_is_recorded_once_before_the_gradients_are_cleared():
    weight = torch.nn.Parameter(torch.ones(3, 5))
    recorded = []
    optimiser = MasterAdamW([weight], weight_decay=0.0, record_memory=lambda *byte_counts: recorded.append(byte_counts))
    for _ in range(3):
        weight.grad = torch.ones_like(weight)
        optimiser.step(1e-3)
    assert recorded == [(60, 2 * 60 + STEP_BYTES)]
