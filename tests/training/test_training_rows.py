"""Training on shared rows is training on each sample alone: the same loss and the same gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.decoding.packed_rows import PackedRow
from harness.training.batches import StackedBatch, TrainingSample, divide_into_passes, epoch_batches, pack_rows
from harness.training.losses import backward, mean_loss

TOKEN = st.integers(6, 60)
PROMPT = st.lists(TOKEN, min_size=1, max_size=8)
SAMPLE = st.builds(TrainingSample, PROMPT, st.lists(TOKEN, min_size=1, max_size=5))


@pytest.fixture(scope="module")
def module(tiny_folders, tiny_cache):
    return fresh(tiny_folders, tiny_cache, "llama")


def fresh(tiny_folders, tiny_cache, kind):
    from tests import tiny

    return tiny.open_tiny(tiny_folders(kind), tiny_cache).module.requires_grad_(True)


def gradients(module):
    named_gradients = {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}
    module.zero_grad(set_to_none=True)
    return named_gradients


def padded(module, batch):
    """The reference: samples padded side by side, transformers' mask, and its labels of -100 outside completions."""
    width = max(sample.tokens for sample in batch)
    ids, mask = torch.zeros(len(batch), width, dtype=torch.long), torch.zeros(len(batch), width, dtype=torch.long)
    labels = torch.full((len(batch), width), -100)
    for row, sample in enumerate(batch):
        ids[row, : sample.tokens] = torch.tensor(sample.prompt + sample.completion)
        mask[row, : sample.tokens] = 1
        labels[row, len(sample.prompt) : sample.tokens] = torch.tensor(sample.completion)
    loss = module(ids, attention_mask=mask, labels=labels).loss
    loss.backward()
    return loss.item(), gradients(module)


def check(module, batch, budget, *, packs=True):
    loss, expected = padded(module, batch)
    assert backward(module, batch, budget, packs=packs) == pytest.approx(loss, abs=1e-5)
    computed = gradients(module)
    assert computed.keys() == expected.keys()
    for name, gradient in expected.items():
        assert torch.allclose(computed[name], gradient, atol=1e-5, rtol=1e-3), name


@settings(max_examples=30, deadline=None)
@given(
    prefixes=st.lists(st.lists(TOKEN, max_size=9), min_size=1, max_size=3),
    batch=st.lists(SAMPLE, min_size=1, max_size=8),
    budget=st.integers(1, 80),
)
def test_they_are_where_samples_come_from_several_tasks(module, prefixes, batch, budget):
    mixed = [
        TrainingSample(prefixes[n % len(prefixes)] + sample.prompt, sample.completion) for n, sample in enumerate(batch)
    ]
    check(module, mixed, budget)


@settings(max_examples=30, deadline=None)
@given(
    prefix=st.lists(TOKEN, max_size=5),
    batch=st.lists(SAMPLE, min_size=1, max_size=6),
    budget=st.integers(1, 80),
    packs=st.booleans(),
)
def test_loss_and_gradients_are_those_of_padded_samples(module, prefix, batch, budget, packs):
    check(module, [TrainingSample(prefix + sample.prompt, sample.completion) for sample in batch], budget, packs=packs)


@pytest.mark.parametrize("kind", ["tied", "gpt2", "capped"])
@pytest.mark.parametrize("budget", [12, 200])
@pytest.mark.parametrize("packs", [True, False])
def test_they_are_on_other_architectures_too(tiny_folders, tiny_cache, kind, budget, packs):
    batch = [TrainingSample([10, 11, 12 + n], [20 + n, 2]) for n in range(4)] + [
        TrainingSample([10, 11], [30, 31, 32, 2])
    ]
    check(fresh(tiny_folders, tiny_cache, kind), batch, budget, packs=packs)


@pytest.mark.parametrize("kind", ["sliding", "recurrent"])
@pytest.mark.parametrize("budget", [1, 30, 200])
def test_a_model_that_cannot_share_rows_is_trained_on_samples_side_by_side(tiny_folders, tiny_cache, kind, budget):
    batch = [TrainingSample(list(range(10, 20 + n)), [20 + n, 2]) for n in range(3)]
    check(fresh(tiny_folders, tiny_cache, kind), batch, budget, packs=False)


def test_the_mean_counts_every_token_alike(module):
    samples = [TrainingSample([10, 11], [20]), TrainingSample([10, 12], [21, 22, 23, 2])]
    logs = []
    for sample in samples:
        with torch.inference_mode():
            out = module(torch.tensor([sample.prompt + sample.completion])).logits[0]
        targets = torch.tensor(sample.completion)
        logs.append(torch.nn.functional.cross_entropy(out[len(sample.prompt) - 1 : -1], targets, reduction="none"))
    assert mean_loss(module, samples, 64) == pytest.approx(torch.cat(logs).mean().item(), abs=1e-5)
    assert mean_loss(module, samples, 64, packs=False) == pytest.approx(torch.cat(logs).mean().item(), abs=1e-5)


@given(batch=st.lists(SAMPLE, min_size=1, max_size=8), budget=st.integers(1, 60), packs=st.booleans())
def test_every_completion_token_is_learned_once(batch, budget, packs):
    learned = sorted(
        token
        for forward_pass in divide_into_passes(batch, budget, packs=packs)
        for token in forward_pass.targets.tolist()
    )
    assert learned == sorted(token for sample in batch for token in sample.completion)


@given(batch=st.lists(SAMPLE, min_size=1, max_size=8), budget=st.integers(1, 60))
def test_stacks_keep_the_budget_and_hold_every_sample_once(batch, budget):
    stacks = divide_into_passes(batch, budget, packs=False)
    assert sum(len(stack.tokens) for stack in stacks) == len(batch)
    assert all(stack.tokens.numel() <= budget or len(stack.tokens) == 1 for stack in stacks)


def test_short_samples_behind_a_long_beginning_are_packed_and_long_ones_that_share_little_are_stacked():
    short = [TrainingSample([*range(10, 30), *range(30 + n, 40 + n)], [50, 2]) for n in range(16)]
    assert all(isinstance(forward_pass, PackedRow) for forward_pass in divide_into_passes(short, 768))
    long = [TrainingSample([10 + n, *range(10, 230)], [50, 2]) for n in range(16)]
    assert all(
        isinstance(forward_pass, StackedBatch) and forward_pass.tokens.shape[0] == 3
        for forward_pass in divide_into_passes(long, 768)[:-1]
    )


def test_samples_of_several_tasks_have_passes_of_their_own_and_read_what_they_share_once():
    first = [TrainingSample([5, *range(10, 50), 60 + n], [8, 2]) for n in range(5)]
    second = [TrainingSample([5, *range(90, 120), 130 + n], [9, 2]) for n in range(4)]
    mixed = [forward_pass for pair in zip(first, second, strict=False) for forward_pass in pair] + first[4:]
    assert sum(len(forward_pass.tokens) for forward_pass in pack_rows(mixed, 768)) > 2 * 130
    assert sorted(len(forward_pass.tokens) for forward_pass in divide_into_passes(mixed, 768)) == [
        31 + 4 * 2,
        41 + 5 * 2,
    ]


def test_samples_without_a_neighbour_stay_together():
    family = [TrainingSample([5, *range(10, 50), 60 + n], [8, 2]) for n in range(5)]
    singles = [TrainingSample([5, 200 + n, *range(70, 90)], [8, 2]) for n in range(3)]
    sizes = [len(forward_pass.targets) for forward_pass in divide_into_passes([*family, *singles], 768)]
    assert sorted(sizes) == [3 * 2, 5 * 2]


@given(batch=st.lists(SAMPLE, min_size=1, max_size=8), budget=st.integers(1, 60))
def test_rows_hold_every_sample_once(batch, budget):
    packed = pack_rows(batch, budget)
    learned = sorted(token for row in packed for token in row.targets.tolist())
    assert learned == sorted(token for sample in batch for token in sample.completion)
    assert sum(row.leaf_count for row in packed) == len(batch)
    assert all(len(row.tokens) <= max(budget, *(sample.tokens for sample in batch)) for row in packed)


def test_what_prompts_begin_with_alike_is_computed_once_a_row():
    batch = [TrainingSample([*range(10, 30), 40 + n], [50, 2]) for n in range(8)]
    (row,) = pack_rows(batch, 100)
    assert len(row.tokens) == 20 + 8 * 2


@given(size=st.integers(1, 40), batch_size=st.integers(1, 10), seed=st.integers(0, 5))
def test_an_epoch_holds_every_sample_once_in_an_order_of_its_seed(size, batch_size, seed):
    samples = [TrainingSample([n + 1], [2]) for n in range(size)]
    batches = epoch_batches(samples, batch_size, seed)
    flat = [sample for batch in batches for sample in batch]
    assert sorted(sample.prompt[0] for sample in flat) == list(range(1, size + 1))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert epoch_batches(samples, batch_size, seed) == batches
    if size > 15:
        assert epoch_batches(samples, batch_size, seed + 1) != batches
