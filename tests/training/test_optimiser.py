"""AdamW over 32-bit masters is torch's AdamW, and small updates survive in 16-bit weights."""

import copy

import pytest
import torch

from harness.training.optimiser import MasterAdamW


def network(dtype=torch.float32):
    torch.manual_seed(3)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)).to(dtype)


def backward(module, step):
    inputs = torch.randn(5, 6, generator=torch.Generator().manual_seed(step)).to(module[0].weight.dtype)
    module(inputs).square().sum().backward()


@pytest.mark.parametrize("max_norm", [0.5, 1e9])
def test_float32_parameters_take_the_steps_of_torch(max_norm):
    ours = network()
    theirs = copy.deepcopy(ours)
    optimiser = MasterAdamW(ours.parameters(), weight_decay=0.1, max_norm=max_norm)
    groups = [
        {"params": [p for p in theirs.parameters() if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in theirs.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    reference = torch.optim.AdamW(groups, foreach=False, fused=False)
    for step in range(8):
        backward(ours, step)
        backward(theirs, step)
        expected = torch.nn.utils.clip_grad_norm_(theirs.parameters(), max_norm)
        for group in reference.param_groups:
            group["lr"] = 0.01 * (step + 1)
        reference.step()
        reference.zero_grad()
        assert optimiser.step(0.01 * (step + 1)) == pytest.approx(expected.item(), rel=1e-5)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    assert all(p.grad is None for p in ours.parameters())


def test_updates_too_small_for_bfloat16_add_up():
    weight = torch.nn.Parameter(torch.full((4, 4), 0.0625, dtype=torch.bfloat16))
    naive = torch.nn.Parameter(weight.detach().clone())
    optimiser = MasterAdamW([weight], weight_decay=0.0)
    reference = torch.optim.AdamW([naive], lr=2e-5, weight_decay=0.0)
    for _ in range(50):
        weight.grad, naive.grad = torch.ones_like(weight), torch.ones_like(naive)
        optimiser.step(2e-5)
        reference.step()
    assert (naive == 0.0625).all()  # rounded away, each time
    assert weight.dtype == torch.bfloat16
    assert torch.allclose(weight.float(), torch.tensor(0.0625 - 50 * 2e-5), rtol=2**-8)
    assert (weight < 0.0625).all()


def test_a_parameter_without_a_gradient_stays_as_it_is():
    used, unused = (torch.nn.Parameter(torch.ones(2, 2, dtype=torch.bfloat16)) for _ in range(2))
    optimiser = MasterAdamW([used, unused], weight_decay=0.1)
    used.grad = torch.ones_like(used)
    optimiser.step(0.1)
    assert (unused == 1).all()
    assert (used < 1).all()
