"""Token sequences with shared beginnings packed into one row, with the attention mask of a tree; no model is needed.

Each branch follows the one before it in the row. The mask lets a token attend to its own ancestors only, and position
ids count from the root, so every branch gets the numbers that it would get alone. This is tree attention as in
speculative decoding (Miao et al. 2024, SpecInfer, arXiv:2305.09781, section 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

Tokens = list[int]

ANY_END = -1
"""Stands at the end of a leaf for any of the tokens that end an answer."""


@dataclass(frozen=True)
class Branch:
    """One prompt and its continuations.

    Attributes:
        stem: tokens of the prompt.
        leaves: continuations; each is scored given the stem. The last token may be `ANY_END`.
    """

    stem: Tokens
    leaves: tuple[Tokens, ...]

    @property
    def cost(self) -> int:
        """Tokens that the branch occupies in a row: a leaf's last token is predicted, never read."""
        return len(self.stem) + sum(len(leaf) - 1 for leaf in self.leaves)


def common_prefix_length(sequences: Sequence[Tokens]) -> int:
    """Return the length of the longest prefix that all sequences share."""
    if not sequences:
        return 0
    low, high = min(sequences), max(sequences)
    for position, (a, b) in enumerate(zip(low, high, strict=False)):
        if a != b:
            return position
    return min(len(low), len(high))


@dataclass(frozen=True)
class PackedRow:
    """Branches packed into one row, behind a prefix that all of them share and that may be elsewhere, e.g. in a cache.

    Attributes:
        tokens: int64 [length].
        positions: int64 [length]: distance from the root.
        attention_mask: bool [length, prefix + length]: True where the token of the row attends to the column's.
        sources: int64 [predictions]: the position in the row whose output predicts each target.
        targets: int64 [predictions].
        leaf_index: int64 [predictions]: running number of the leaf that each target belongs to.
        leaf_count: how many leaves the row holds.
    """

    tokens: Tensor
    positions: Tensor
    attention_mask: Tensor
    sources: Tensor
    targets: Tensor
    leaf_index: Tensor
    leaf_count: int

    def with_prefix(self, prefix: Tokens) -> PackedRow:
        """Return the row with the tokens of the shared prefix at its beginning.

        Raises:
            ValueError: the row was packed behind a prefix of another length.
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
            attention_mask=torch.cat([prefix_mask, self.attention_mask]),
            sources=self.sources + prefix_length,
        )


def pack_row(branches: Sequence[Branch], prefix_length: int) -> PackedRow:
    """Pack branches into a row behind a shared prefix of `prefix_length` tokens, which is not part of the row.

    Raises:
        ValueError: a stem is empty: nothing would predict its leaves' first tokens.
    """
    tokens: Tokens = []
    positions: list[int] = []
    spans: list[tuple[int, int, int, int]] = []  # start, end, and the stem that the tokens also attend to
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
            leaf_start = len(tokens)
            tokens += continuation[:-1]
            depth = prefix_length + len(branch.stem)
            positions += range(depth, depth + len(continuation) - 1)
            spans.append((leaf_start, len(tokens), start, stem_end))
            sources += [stem_end - 1, *range(leaf_start, len(tokens))]
            targets += continuation
            leaf_index += [leaf] * len(continuation)
            leaf += 1
    attention_mask = torch.zeros(len(tokens), prefix_length + len(tokens), dtype=torch.bool)
    attention_mask[:, :prefix_length] = True
    for start, end, stem_start, stem_end in spans:
        attention_mask[start:end, prefix_length + stem_start : prefix_length + stem_end] = True
        causal = torch.ones(end - start, end - start, dtype=torch.bool).tril()
        attention_mask[start:end, prefix_length + start : prefix_length + end] = causal
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
    """Group sequences, longest first, into rows of at most `budget` tokens; a longer one has a row of its own.

    Returns:
        Indices of the sequences in each row. First-fit decreasing (Johnson 1973).
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
