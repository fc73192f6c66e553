"""Forward passes over packed rows: a prefix that all prompts share is computed once, its keys and values are reused.

Used for scoring choices and for training batches; `packed_rows` builds the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache

from harness.decoding.attention_masks import row_masks
from harness.decoding.kv_cache import preallocated_cache
from harness.decoding.packed_rows import (
    ANY_END,
    Branch,
    PackedRow,
    Tokens,
    common_prefix_length,
    fill_rows,
    pack_row,
)
from harness.decoding.timing import PassTimer


@dataclass(frozen=True)
class PrefixCache:
    """Tokens that prompts begin with, and their keys and values: batch of one."""

    tokens: Tokens
    cache: DynamicCache

    def first(self, tokens: int) -> DynamicCache:
        """Return the keys and values of the first so many tokens, as views."""
        if tokens == len(self.tokens):
            return self.cache
        cut = DynamicCache()
        layers: Any = self.cache.layers  # each holds all tokens: `packing_probe` has checked
        for index, layer in enumerate(layers):
            cut.update(layer.keys[:, :, :tokens], layer.values[:, :, :tokens], index)
        return cut


def score_branches(  # noqa: PLR0913 - what is scored, how, and behind what
    module: Any,
    branches: Sequence[Branch],
    row_tokens: int | None,
    timer: PassTimer | None = None,
    ends: Sequence[int] = (),
    *,
    prefix_cache: PrefixCache | None = None,
) -> list[list[float]]:
    """Return the log-likelihood of every leaf of every branch, in nats, summed over the leaf's tokens.

    Args:
        module: a transformers causal language model in eval mode.
        branches: prompts and their choices.
        row_tokens: tokens of one forward pass; None: every leaf has a row of its own, with the model's own mask.
        timer: gets progress and prefill seconds; there is no decoding.
        ends: the tokens that `ANY_END` stands for.
        prefix_cache: a prefix that was read before.
    """
    timer = timer or PassTimer(len(branches), module.device)
    scores: list[list[float]] = [[] for _ in branches]
    if row_tokens is None:
        for index, branch in enumerate(branches):
            timer.start()
            scores[index] = [_score_leaf(module, branch.stem, leaf, ends) for leaf in branch.leaves]
            timer.record_prefill([index])
            timer.report_progress([index])
        return scores
    with torch.inference_mode():
        timer.start()
        shared, prefix = shared_prefix(module, [branch.stem for branch in branches], prefix_cache)
        timer.record_prefill(range(len(branches)))
        suffixes = [Branch(branch.stem[shared:], branch.leaves) for branch in branches]
        for group in fill_rows([branch.cost for branch in suffixes], row_tokens):
            timer.start()
            row = pack_row([suffixes[i] for i in group], shared)
            cache = expand_cache(prefix, 1, len(row.tokens)) if prefix else None
            log_probabilities = log_likelihoods(module, row, cache, ends=ends).cpu()
            leaf_scores = iter(torch.zeros(row.leaf_count).index_add_(0, row.leaf_index, log_probabilities).tolist())
            for index in group:
                scores[index] = [next(leaf_scores) for _ in suffixes[index].leaves]
            timer.record_prefill(group)
            timer.report_progress(group)
    return scores


def _score_leaf(module: Any, stem: Tokens, leaf: Tokens, ends: Sequence[int]) -> float:
    """Score one leaf by an ordinary forward pass."""
    row = pack_row([Branch(stem, (leaf,))], 0)
    with torch.inference_mode():
        return float(log_likelihoods(module, row, masked=False, ends=ends).sum())


def shared_prefix(
    module: Any, prompts: Sequence[Tokens], prefix_cache: PrefixCache | None = None, *, batched: bool = True
) -> tuple[int, DynamicCache | None]:
    """Return the number of tokens that prompts are answered behind, and their keys and values.

    Those are the kept prefix as far as all prompts begin with it, or what the prompts have in common, read once:
    whichever leaves fewer tokens to read.

    Args:
        module: a causal language model.
        prompts: tokens of each, at least one each; the last token of none is part of the prefix.
        prefix_cache: a prefix that was read before.
        batched: whether prompts may share what they have in common; one alone shares nothing.
    """
    longest = min(map(len, prompts)) - 1
    common = min(common_prefix_length(prompts), longest) if batched and len(prompts) > 1 else 0
    cached = min(common_prefix_length([prefix_cache.tokens, *prompts]), longest) if prefix_cache else 0
    if prefix_cache and cached and (len(prompts) - 1) * max(0, common - cached) <= cached:
        return cached, prefix_cache.first(cached)
    return common, prefill(module, prompts[0][:common]) if common > 0 else None


def keep_prefix(module: Any, tokens: Tokens) -> PrefixCache:
    """Read tokens and keep their keys and values."""
    with torch.inference_mode():
        return PrefixCache(tokens, prefill(module, tokens))


def prefill(module: Any, tokens: Tokens) -> DynamicCache:
    """Return the keys and values of a prefix that several prompts share: batch of one."""
    cache = DynamicCache()
    decoder = causal_lm(module).get_decoder()
    decoder(input_ids=torch.tensor([tokens], device=module.device), past_key_values=cache, use_cache=True)
    return cache


def expand_cache(cache: DynamicCache | None, rows: int, tokens: int) -> Cache:
    """Return a preallocated cache of `rows` rows that starts with a copy of `cache` and can take `tokens` more."""
    expanded = preallocated_cache((cache.get_seq_length() if cache else 0) + tokens)
    layers: Any = cache.layers if cache else ()  # each holds all tokens: `packing_probe` has checked
    for index, layer in enumerate(layers):
        expanded.update(layer.keys.expand(rows, -1, -1, -1), layer.values.expand(rows, -1, -1, -1), index)
    return expanded


def log_likelihoods(
    module: Any, row: PackedRow, cache: Any = None, *, masked: bool = True, ends: Sequence[int] = ()
) -> Tensor:
    """Run a causal transformer over a row and return log p(target) of every prediction.

    Args:
        module: a transformers causal language model.
        row: from `pack_row`.
        cache: keys and values of the shared prefix, if the row has one.
        masked: False leaves the mask to the model, which is right for a row of one branch with one leaf.
        ends: the tokens that `ANY_END` stands for.

    Returns:
        float32 [predictions], nats; gradients flow.
    """
    logits = row_logits(module, row, cache, masked=masked)
    targets = row.targets.to(logits.device)
    scores = -torch.nn.functional.cross_entropy(logits, targets.clamp(min=0), reduction="none")
    if not ends:
        return scores
    end_scores = logits[:, list(ends)].logsumexp(-1) - logits.logsumexp(-1)
    return torch.where(targets == ANY_END, end_scores, scores)


def row_logits(module: Any, row: PackedRow, cache: Any = None, *, masked: bool = True) -> Tensor:
    """Run a causal transformer over a row, as `log_likelihoods` does; return float32 [predictions, vocabulary]."""
    device = module.device
    inputs: dict[str, Any] = {"input_ids": row.tokens[None].to(device), "use_cache": cache is not None}
    if cache is not None:
        inputs["past_key_values"] = cache
    if masked:
        inputs |= {"attention_mask": row_masks(module, row), "position_ids": row.positions[None].to(device)}
    return logits_at(module, row.sources.to(device), **inputs)[0].float()


def logits_at(module: Any, positions: Tensor, **inputs: Any) -> Tensor:
    """Return a causal language model's logits at some positions only: [batch, positions, vocabulary].

    The model's own head computes them, as some models scale or cap the product with the output embeddings.
    """
    model = causal_lm(module)
    if "logits_to_keep" in signature(model.forward).parameters:
        return model(**inputs, logits_to_keep=positions).logits
    return model(**inputs).logits[:, positions]


def causal_lm(module: Any) -> Any:
    """Return the causal language model without peft's wrapper; its adapters stay in place."""
    return module.get_base_model() if hasattr(module, "get_base_model") else module
