"""Many continuations of shared beginnings in one forward pass: prefix tokens are computed once.

Token sequences that begin alike form a tree. Its branches are laid out one after another in a row; a mask lets
each token see its own ancestors only, and position ids count from the root, so every branch gets the numbers it
would get alone. This is what tree attention in speculative decoding does (Miao et al. 2024, SpecInfer,
arXiv:2305.09781, section 4), used here for scoring choices and for training batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache

from harness.decoding.kv_cache import roomy
from harness.decoding.timing import PassTimer

Tokens = list[int]


@dataclass(frozen=True)
class Branch:
    """A stem and what may follow it: one prompt and its continuations.

    Attributes:
        stem: tokens that every leaf follows.
        leaves: continuations; each is scored given the stem.
    """

    stem: Tokens
    leaves: tuple[Tokens, ...]

    @property
    def cost(self) -> int:
        """Tokens that the branch occupies in a row: a leaf's last token is predicted, never read."""
        return len(self.stem) + sum(len(leaf) - 1 for leaf in self.leaves)


def common_prefix(sequences: Sequence[Tokens]) -> int:
    """Return how many tokens all sequences begin with alike."""
    if not sequences:
        return 0
    low, high = min(sequences), max(sequences)
    for place, (a, b) in enumerate(zip(low, high, strict=False)):
        if a != b:
            return place
    return min(len(low), len(high))


@dataclass(frozen=True)
class PackedRow:
    """Branches laid out in one row, behind `offset` tokens that all of them share.

    Attributes:
        tokens: int64 [length].
        positions: int64 [length]: distance from the root.
        allowed: bool [length, offset + length]: who may look at whom.
        sources: int64 [predictions]: the place in the row whose output predicts each target.
        targets: int64 [predictions].
        leaf_of: int64 [predictions]: running number of the leaf that each target belongs to.
        leaves: how many leaves the row holds.
    """

    tokens: Tensor
    positions: Tensor
    allowed: Tensor
    sources: Tensor
    targets: Tensor
    leaf_of: Tensor
    leaves: int

    def with_prefix(self, prefix: Tokens) -> PackedRow:
        """Return the row with the shared prefix, so far elsewhere, put at its beginning.

        Raises:
            ValueError: the row was laid out behind a prefix of another length.
        """
        size = len(prefix)
        if self.allowed.shape[1] - self.allowed.shape[0] != size:
            raise ValueError(f"the row stands behind another prefix than one of {size} tokens")
        beginning = torch.zeros(size, self.allowed.shape[1], dtype=torch.bool)
        beginning[:, :size] = torch.ones(size, size, dtype=torch.bool).tril()
        return replace(
            self,
            tokens=torch.cat([torch.tensor(prefix, dtype=torch.long), self.tokens]),
            positions=torch.cat([torch.arange(size), self.positions]),
            allowed=torch.cat([beginning, self.allowed]),
            sources=self.sources + size,
        )


def lay_out(branches: Sequence[Branch], offset: int) -> PackedRow:
    """Lay branches out in a row behind a shared prefix of `offset` tokens that is not part of the row.

    Raises:
        ValueError: a stem is empty: nothing would predict its leaves' first tokens.
    """
    tokens: Tokens = []
    positions: list[int] = []
    spans: list[tuple[int, int, int, int]] = []  # start, end, and the stem that the tokens also see
    sources: list[int] = []
    targets: list[int] = []
    leaf_of: list[int] = []
    leaf = 0
    for branch in branches:
        if not branch.stem:
            raise ValueError("a branch needs a stem of at least one token")
        start = len(tokens)
        stem_end = start + len(branch.stem)
        tokens += branch.stem
        positions += range(offset, offset + len(branch.stem))
        spans.append((start, stem_end, start, start))
        for continuation in branch.leaves:
            first = len(tokens)
            tokens += continuation[:-1]
            positions += range(offset + len(branch.stem), offset + len(branch.stem) + len(continuation) - 1)
            spans.append((first, len(tokens), start, stem_end))
            sources += [stem_end - 1, *range(first, len(tokens))]
            targets += continuation
            leaf_of += [leaf] * len(continuation)
            leaf += 1
    allowed = torch.zeros(len(tokens), offset + len(tokens), dtype=torch.bool)
    allowed[:, :offset] = True
    for first, end, stem_start, stem_end in spans:
        allowed[first:end, offset + stem_start : offset + stem_end] = True
        size = end - first
        allowed[first:end, offset + first : offset + end] = torch.ones(size, size, dtype=torch.bool).tril()
    return PackedRow(
        torch.tensor(tokens, dtype=torch.long),
        torch.tensor(positions, dtype=torch.long),
        allowed,
        torch.tensor(sources),
        torch.tensor(targets),
        torch.tensor(leaf_of),
        leaf,
    )


def fill_rows(costs: Sequence[int], budget: int) -> list[list[int]]:
    """Group items, longest first, into rows of at most `budget` tokens; a longer item has a row of its own.

    Returns:
        Indices of the items in each row. First-fit decreasing (Johnson 1973).
    """
    order = sorted(range(len(costs)), key=lambda index: -costs[index])
    rows: list[list[int]] = []
    room: list[int] = []
    for index in order:
        for row, left in enumerate(room):
            if costs[index] <= left:
                rows[row].append(index)
                room[row] -= costs[index]
                break
        else:
            rows.append([index])
            room.append(budget - costs[index])
    return rows


def score(
    module: Any,
    branches: Sequence[Branch],
    row_tokens: int | None,
    pace: PassTimer | None = None,
) -> list[list[float]]:
    """Return the log-likelihood of every leaf of every branch, in nats, summed over the leaf's tokens.

    Args:
        module: a transformers causal language model in eval mode.
        branches: prompts and their choices.
        row_tokens: tokens of one forward pass; None: every leaf has a row of its own, with the model's own mask.
        pace: told how far it is, and how long was read; nothing is written.
    """
    pace = pace or PassTimer(len(branches), module.device)
    found: list[list[float]] = [[] for _ in branches]
    if row_tokens is None:
        for place, branch in enumerate(branches):
            pace.begin()
            found[place] = [_score_alone(module, branch.stem, leaf) for leaf in branch.leaves]
            pace.read([place])
            pace.done([place])
        return found
    stems = [branch.stem for branch in branches]
    shared = min(common_prefix(stems), min(map(len, stems)) - 1) if len(branches) > 1 else 0
    rest = [Branch(branch.stem[shared:], branch.leaves) for branch in branches]
    with torch.inference_mode():
        pace.begin()
        prefix = read_prefix(module, stems[0][:shared]) if shared else None
        pace.read(range(len(branches)))
        for group in fill_rows([branch.cost for branch in rest], row_tokens):
            pace.begin()
            row = lay_out([rest[i] for i in group], shared)
            behind = branch_off(prefix, 1, len(row.tokens)) if prefix else None
            logs = log_likelihoods(module, row, behind).cpu()
            sums = iter(torch.zeros(row.leaves).index_add_(0, row.leaf_of, logs).tolist())
            for index in group:
                found[index] = [next(sums) for _ in rest[index].leaves]
            pace.read(group)
            pace.done(group)
    return found


def _score_alone(module: Any, stem: Tokens, leaf: Tokens) -> float:
    """Score one leaf by an ordinary forward pass."""
    row = lay_out([Branch(stem, (leaf,))], 0)
    with torch.inference_mode():
        return float(log_likelihoods(module, row, masked=False).sum())


def packs(module: Any) -> bool:
    """Say whether a model gives branches that share a row the numbers that they get alone.

    Some cannot: recurrent ones, and those with sliding windows, whose layers bring masks of their own.
    """
    if getattr(module.config, "sliding_window", None) is not None:
        return False
    low = 5
    branches = [Branch([low + n, low + 9 - n, low + 2], ([low + 3 * n, low + 7],)) for n in range(3)]
    try:
        together = score(module, branches, 64)
    except (TypeError, ValueError, RuntimeError):  # the model takes no 4-D mask or no position ids
        return False
    alone = score(module, branches, None)
    # bf16 rounds a log-likelihood of ten nats to a sixteenth in each layer's sums; a wrong mask is off by nats
    return all(abs(a[0] - b[0]) < 0.5 for a, b in zip(together, alone, strict=True))


def read_prefix(module: Any, tokens: Tokens) -> DynamicCache:
    """Return keys and values of a beginning that several prompts share: batch of one."""
    cache = DynamicCache()
    inner = causal(module).get_decoder()
    inner(input_ids=torch.tensor([tokens], device=module.device), past_key_values=cache, use_cache=True)
    return cache


def branch_off(cache: DynamicCache | None, rows: int, tokens: int) -> Cache:
    """Return a cache of `rows` rows that starts with `cache`, which stays as it is, and has room for `tokens` more."""
    new = roomy((cache.get_seq_length() if cache else 0) + tokens)
    layers: Any = cache.layers if cache else ()  # of full attention: `packs` has seen to it
    for index, layer in enumerate(layers):
        new.update(layer.keys.expand(rows, -1, -1, -1), layer.values.expand(rows, -1, -1, -1), index)
    return new


def log_likelihoods(module: Any, row: PackedRow, cache: Any = None, *, masked: bool = True) -> Tensor:
    """Run a causal transformer over a row and return log p(target) of every prediction.

    Args:
        module: a transformers causal language model.
        row: what `lay_out` gave.
        cache: keys and values of the shared prefix, if the row has one.
        masked: False leaves the mask to the model, which is right for a row of one branch with one leaf.

    Returns:
        float32 [predictions], nats; gradients flow.
    """
    device = module.device
    inputs: dict[str, Any] = {"input_ids": row.tokens[None].to(device), "use_cache": cache is not None}
    if cache is not None:
        inputs["past_key_values"] = cache
    if masked:
        mask = torch.zeros(row.allowed.shape, dtype=module.dtype)
        mask.masked_fill_(~row.allowed, torch.finfo(module.dtype).min)
        inputs |= {"attention_mask": mask[None, None].to(device), "position_ids": row.positions[None].to(device)}
    found = logits(module, row.sources.to(device), **inputs)[0].float()
    return -torch.nn.functional.cross_entropy(found, row.targets.to(device), reduction="none")


def logits(module: Any, places: Tensor, **inputs: Any) -> Tensor:
    """Return a causal language model's logits at some places only: [batch, places, vocabulary].

    The model's own head is asked, as some scale or cap what comes out of the matrix product.
    """
    inner = causal(module)
    if "logits_to_keep" in signature(inner.forward).parameters:
        return inner(**inputs, logits_to_keep=places).logits
    return inner(**inputs).logits[:, places]


def causal(module: Any) -> Any:
    """Return the causal language model without peft's wrapper; its adapters stay in place."""
    return module.get_base_model() if hasattr(module, "get_base_model") else module
