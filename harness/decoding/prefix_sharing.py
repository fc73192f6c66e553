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

from harness.decoding.kv_cache import preallocated_cache
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


def common_prefix_length(sequences: Sequence[Tokens]) -> int:
    """Return how many tokens all sequences begin with alike."""
    if not sequences:
        return 0
    low, high = min(sequences), max(sequences)
    for position, (a, b) in enumerate(zip(low, high, strict=False)):
        if a != b:
            return position
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
    attention_mask: Tensor
    sources: Tensor
    targets: Tensor
    leaf_index: Tensor
    leaf_count: int

    def with_prefix(self, prefix: Tokens) -> PackedRow:
        """Return the row with the shared prefix, so far elsewhere, put at its beginning.

        Raises:
            ValueError: the row was laid out behind a prefix of another length.
        """
        prefix_length = len(prefix)
        if self.attention_mask.shape[1] - self.attention_mask.shape[0] != prefix_length:
            raise ValueError(f"the row stands behind another prefix than one of {prefix_length} tokens")
        prefix_mask = torch.zeros(prefix_length, self.attention_mask.shape[1], dtype=torch.bool)
        prefix_mask[:, :prefix_length] = torch.ones(prefix_length, prefix_length, dtype=torch.bool).tril()
        return replace(
            self,
            tokens=torch.cat([torch.tensor(prefix, dtype=torch.long), self.tokens]),
            positions=torch.cat([torch.arange(prefix_length), self.positions]),
            allowed=torch.cat([prefix_mask, self.attention_mask]),
            sources=self.sources + prefix_length,
        )


def pack_row(branches: Sequence[Branch], prefix_length: int) -> PackedRow:
    """Lay branches out in a row behind a shared prefix of `offset` tokens that is not part of the row.

    Raises:
        ValueError: a stem is empty: nothing would predict its leaves' first tokens.
    """
    tokens: Tokens = []
    positions: list[int] = []
    spans: list[tuple[int, int, int, int]] = []  # start, end, and the stem that the tokens also see
    sources: list[int] = []
    targets: list[int] = []
    leaf_index: list[int] = []
    leaf = 0
    for branch in branches:
        if not branch.stem:
            raise ValueError("a branch needs a stem of at least one token")
        start = len(tokens)
        stem_end = start + len(branch.stem)
        tokens += branch.stem
        positions += range(prefix_length, prefix_length + len(branch.stem))
        spans.append((start, stem_end, start, start))
        for continuation in branch.leaves:
            first = len(tokens)
            tokens += continuation[:-1]
            positions += range(prefix_length + len(branch.stem), prefix_length + len(branch.stem) + len(continuation) - 1)
            spans.append((first, len(tokens), start, stem_end))
            sources += [stem_end - 1, *range(first, len(tokens))]
            targets += continuation
            leaf_index += [leaf] * len(continuation)
            leaf += 1
    attention_mask = torch.zeros(len(tokens), prefix_length + len(tokens), dtype=torch.bool)
    attention_mask[:, :prefix_length] = True
    for first, end, stem_start, stem_end in spans:
        attention_mask[first:end, prefix_length + stem_start : prefix_length + stem_end] = True
        size = end - first
        attention_mask[first:end, prefix_length + first : prefix_length + end] = torch.ones(size, size, dtype=torch.bool).tril()
    return PackedRow(
        torch.tensor(tokens, dtype=torch.long),
        torch.tensor(positions, dtype=torch.long),
        attention_mask,
        torch.tensor(sources),
        torch.tensor(targets),
        torch.tensor(leaf_index),
        leaf,
    )


def fill_rows(costs: Sequence[int], budget: int) -> list[list[int]]:
    """Group items, longest first, into rows of at most `budget` tokens; a longer item has a row of its own.

    Returns:
        Indices of the items in each row. First-fit decreasing (Johnson 1973).
    """
    order = sorted(range(len(costs)), key=lambda index: -costs[index])
    rows: list[list[int]] = []
    free_tokens: list[int] = []
    for index in order:
        for row, free in enumerate(free_tokens):
            if costs[index] <= free:
                rows[row].append(index)
                free_tokens[row] -= costs[index]
                break
        else:
            rows.append([index])
            free_tokens.append(budget - costs[index])
    return rows


def score_branches(
    module: Any,
    branches: Sequence[Branch],
    row_tokens: int | None,
    timer: PassTimer | None = None,
) -> list[list[float]]:
    """Return the log-likelihood of every leaf of every branch, in nats, summed over the leaf's tokens.

    Args:
        module: a transformers causal language model in eval mode.
        branches: prompts and their choices.
        row_tokens: tokens of one forward pass; None: every leaf has a row of its own, with the model's own mask.
        timer: told how far it is, and how long was read; nothing is written.
    """
    timer = timer or PassTimer(len(branches), module.device)
    scores: list[list[float]] = [[] for _ in branches]
    if row_tokens is None:
        for place, branch in enumerate(branches):
            timer.start()
            scores[place] = [_score_leaf(module, branch.stem, leaf) for leaf in branch.leaves]
            timer.record_prefill([place])
            timer.report_progress([place])
        return scores
    stems = [branch.stem for branch in branches]
    shared = min(common_prefix_length(stems), min(map(len, stems)) - 1) if len(branches) > 1 else 0
    suffixes = [Branch(branch.stem[shared:], branch.leaves) for branch in branches]
    with torch.inference_mode():
        timer.start()
        prefix = prefill(module, stems[0][:shared]) if shared else None
        timer.record_prefill(range(len(branches)))
        for group in fill_rows([branch.cost for branch in suffixes], row_tokens):
            timer.start()
            row = pack_row([suffixes[i] for i in group], shared)
            cache = expand_cache(prefix, 1, len(row.tokens)) if prefix else None
            log_probabilities = log_likelihoods(module, row, cache).cpu()
            leaf_scores = iter(torch.zeros(row.leaf_count).index_add_(0, row.leaf_index, log_probabilities).tolist())
            for index in group:
                scores[index] = [next(leaf_scores) for _ in suffixes[index].leaves]
            timer.record_prefill(group)
            timer.report_progress(group)
    return scores


def _score_leaf(module: Any, stem: Tokens, leaf: Tokens) -> float:
    """Score one leaf by an ordinary forward pass."""
    row = pack_row([Branch(stem, (leaf,))], 0)
    with torch.inference_mode():
        return float(log_likelihoods(module, row, masked=False).sum())


def supports_packing(module: Any) -> bool:
    """Say whether a model gives branches that share a row the numbers that they get alone.

    Some cannot: recurrent ones, and those with sliding windows, whose layers bring masks of their own.
    """
    if getattr(module.config, "sliding_window", None) is not None:
        return False
    low = 5
    branches = [Branch([low + n, low + 9 - n, low + 2], ([low + 3 * n, low + 7],)) for n in range(3)]
    try:
        packed_scores = score_branches(module, branches, 64)
    except (TypeError, ValueError, RuntimeError):  # the model takes no 4-D mask or no position ids
        return False
    single_scores = score_branches(module, branches, None)
    # bf16 rounds a log-likelihood of ten nats to a sixteenth in each layer's sums; a wrong mask is off by nats
    return all(abs(a[0] - b[0]) < 0.5 for a, b in zip(packed_scores, single_scores, strict=True))


def prefill(module: Any, tokens: Tokens) -> DynamicCache:
    """Return keys and values of a beginning that several prompts share: batch of one."""
    cache = DynamicCache()
    inner = causal(module).get_decoder()
    inner(input_ids=torch.tensor([tokens], device=module.device), past_key_values=cache, use_cache=True)
    return cache


def expand_cache(cache: DynamicCache | None, rows: int, tokens: int) -> Cache:
    """Return a cache of `rows` rows that starts with `cache`, which stays as it is, and has room for `tokens` more."""
    expanded = preallocated_cache((cache.get_seq_length() if cache else 0) + tokens)
    layers: Any = cache.layers if cache else ()  # of full attention: `packs` has seen to it
    for index, layer in enumerate(layers):
        expanded.update(layer.keys.expand(rows, -1, -1, -1), layer.values.expand(rows, -1, -1, -1), index)
    return expanded


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
        mask = torch.zeros(row.attention_mask.shape, dtype=module.dtype)
        mask.masked_fill_(~row.attention_mask, torch.finfo(module.dtype).min)
        inputs |= {"attention_mask": mask[None, None].to(device), "position_ids": row.positions[None].to(device)}
    logits = logits_at(module, row.sources.to(device), **inputs)[0].float()
    return -torch.nn.functional.cross_entropy(logits, row.targets.to(device), reduction="none")


def logits_at(module: Any, positions: Tensor, **inputs: Any) -> Tensor:
    """Return a causal language model's logits at some places only: [batch, places, vocabulary].

    The model's own head is asked, as some scale or cap what comes out of the matrix product.
    """
    inner = causal(module)
    if "logits_to_keep" in signature(inner.forward).parameters:
        return inner(**inputs, logits_to_keep=positions).logits
    return inner(**inputs).logits[:, positions]


def causal(module: Any) -> Any:
    """Return the causal language model without peft's wrapper; its adapters stay in place."""
    return module.get_base_model() if hasattr(module, "get_base_model") else module
