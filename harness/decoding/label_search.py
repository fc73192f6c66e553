"""Best-first reading of many labels: of their trie only those branches are read that can still hold the best one.

A label's log-likelihood is a sum of log-probabilities, none above 0, so what was read of a label bounds all labels that
go on from there. The label with the highest score is the one that reading everything would find; this is best-first
branch and bound (Lawler & Wood 1966, Branch-and-bound methods: a survey, Operations Research 14(4)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from harness.decoding.packed_rows import ANY_END, Branch, PackedRow, Tokens, fill_rows, pack_row
from harness.decoding.prefix_sharing import PrefixCache, expand_cache, row_logits, shared_prefix
from harness.decoding.timing import PassTimer

_TRIED = 2
"""Labels whose rest is read in one pass, for each prompt."""


class LabelTrie:
    """The beginnings of all labels; the root, number 0, is the empty one.

    Attributes:
        parents: of each beginning, the one with a token less; the root is its own.
        tokens: of each beginning, its last token; of the root, none of the vocabulary.
        paths: of each label, its beginnings from the shortest to the whole of it.
        children: of each beginning, those with a token more.
        labels: the label that a beginning is the whole of.
    """

    def __init__(self, labels: Sequence[Tokens]) -> None:
        """Lay out labels, each without its end."""
        self.parents: list[int] = [0]
        self.tokens: list[int] = [ANY_END]
        self.children: list[list[int]] = [[]]
        self.paths: list[list[int]] = []
        known: dict[tuple[int, int], int] = {}
        for label in labels:
            node, path = 0, []
            for token in label:
                if (node, token) not in known:
                    known[node, token] = len(self.tokens)
                    self.children[node].append(len(self.tokens))
                    self.parents.append(node)
                    self.tokens.append(token)
                    self.children.append([])
                node = known[node, token]
                path.append(node)
            self.paths.append(path)
        self.labels = {path[-1]: label for label, path in enumerate(self.paths)}


@dataclass
class _Search:
    """What is known of the labels behind one prompt.

    Attributes:
        trie: of the labels.
        stem: places of the prompt's tokens in the row.
        likelihoods: log-probability of each beginning, nats; those of the children of what was read are known.
        positions: of what was read, its place in the row; the root's is that of the prompt's last token.
        scores: of each label that was read to its end, nats.
    """

    trie: LabelTrie
    stem: range
    likelihoods: dict[int, float] = field(default_factory=lambda: {0: 0.0})
    positions: dict[int, int] = field(default_factory=dict[int, int])
    scores: dict[int, float] = field(default_factory=dict[int, float])

    def note(self, node: int, position: int, log_probabilities: Tensor) -> None:
        """Note what was read of a beginning: its place, and the log-probability of each next token, nats."""
        self.positions[node] = position
        children = self.trie.children[node]
        if children:
            steps = log_probabilities[[self.trie.tokens[child] for child in children]].tolist()
            for child, step in zip(children, steps, strict=True):
                self.likelihoods[child] = self.likelihoods[node] + step

    def bound(self, label: int) -> float:
        """Return the log-probability of the longest known beginning of a label, nats."""
        known = 0.0
        for node in self.trie.paths[label]:
            if node not in self.likelihoods:
                break
            known = self.likelihoods[node]
        return known

    def wanted(self, shift: Sequence[float]) -> list[int]:
        """Return the beginnings to read next, parents first; none: the best label is known."""
        best = max((score - shift[label] for label, score in self.scores.items()), default=-math.inf)
        bounds = {
            label: self.bound(label) - shift[label] for label in range(len(self.trie.paths)) if label not in self.scores
        }
        candidates = sorted((label for label, bound in bounds.items() if bound >= best), key=lambda n: -bounds[n])
        paths = (self.trie.paths[label] for label in candidates[:_TRIED])
        return list(dict.fromkeys(node for path in paths for node in path if node not in self.positions))


@dataclass(frozen=True)
class LabelScores:
    """What was read of a prompt's labels.

    Attributes:
        scores: log-likelihood of each label, nats; -inf: not read, as another one's score less its shift is no lower.
        tokens: read of the labels.
    """

    scores: tuple[float, ...]
    tokens: int


def search_labels(  # noqa: PLR0913 - what is scored, how, and behind what
    module: Any,
    branches: Sequence[Branch],
    shift: Sequence[float],
    row_tokens: int,
    *,
    ends: Sequence[int],
    timer: PassTimer | None = None,
    prefix_cache: PrefixCache | None = None,
) -> list[LabelScores]:
    """Find the log-likelihood of each prompt's best label, and of those that were read on the way.

    Args:
        module: a transformers causal language model that shares rows and has no windows, in eval mode.
        branches: prompts, and labels that end with `ANY_END`.
        shift: what is taken off each label's log-likelihood before they are compared, nats.
        row_tokens: tokens of one forward pass that reads prompts.
        ends: the tokens that `ANY_END` stands for.
        timer: gets progress and prefill seconds.
        prefix_cache: a prefix that was read before.
    """
    timer = timer or PassTimer(len(branches), module.device)
    scores: dict[int, LabelScores] = {}
    tries: dict[tuple[tuple[int, ...], ...], LabelTrie] = {}
    with torch.inference_mode():
        timer.start()
        shared, prefix = shared_prefix(module, [branch.stem for branch in branches], prefix_cache)
        timer.record_prefill(range(len(branches)))
        stems = [branch.stem[shared:] for branch in branches]
        for group in fill_rows([len(stem) for stem in stems], row_tokens):
            timer.start()
            row = _Row(module, shared, expand_cache(prefix, 1, 2 * sum(len(stems[index]) for index in group)), ends)
            row.read_prompts([stems[index] for index in group], [_trie(branches[index], tries) for index in group])
            while wanted := [(search, node) for search in row.searches for node in search.wanted(shift)]:
                row.read(wanted)
            for index, search in zip(group, row.searches, strict=True):
                unread = -math.inf if search.scores else math.nan  # nothing is above another where there are no numbers
                found = tuple(search.scores.get(label, unread) for label in range(len(branches[index].leaves)))
                scores[index] = LabelScores(found, len(search.positions) - 1)
            timer.record_prefill(group)
            timer.report_progress(group)
    return [scores[index] for index in range(len(branches))]


def _trie(branch: Branch, tries: dict[tuple[tuple[int, ...], ...], LabelTrie]) -> LabelTrie:
    """Return the trie of a prompt's labels; prompts with the same ones share it."""
    labels = tuple(tuple(leaf[:-1]) for leaf in branch.leaves)
    if labels not in tries:
        tries[labels] = LabelTrie([list(label) for label in labels])
    return tries[labels]


@dataclass
class _Row:
    """Prompts behind a shared prefix of `shared` tokens, and what was read of their labels, in one cache."""

    module: Any
    shared: int
    cache: Any
    ends: Sequence[int]
    searches: list[_Search] = field(default_factory=list[_Search])
    length: int = 0

    def read_prompts(self, stems: Sequence[Tokens], tries: Sequence[LabelTrie]) -> None:
        """Read the prompts; the first tokens of all labels are known then."""
        row = pack_row([Branch(stem, ([ANY_END],)) for stem in stems], self.shared)
        for stem, trie, log_probabilities in zip(stems, tries, self._log_probabilities(row), strict=True):
            search = _Search(trie, range(self.length, self.length + len(stem)))
            search.note(0, search.stem[-1], log_probabilities)
            self.searches.append(search)
            self.length += len(stem)

    def read(self, wanted: Sequence[tuple[_Search, int]]) -> None:
        """Read beginnings of labels; a parent stands before its children."""
        new = torch.arange(len(wanted))
        places = {(id(search), node): self.length + index for index, (search, node) in enumerate(wanted)}
        mask = torch.zeros(len(wanted), self.shared + self.length + len(wanted), dtype=torch.bool)
        mask[:, : self.shared] = True
        depths: list[int] = []
        for index, (search, node) in enumerate(wanted):
            mask[index, self.shared + search.stem.start : self.shared + search.stem.stop] = True
            depth = self.shared + len(search.stem) - 1
            while node:
                place = search.positions[node] if node in search.positions else places[id(search), node]
                mask[index, self.shared + place] = True
                node, depth = search.trie.parents[node], depth + 1  # noqa: PLW2901 - up to the root
            depths.append(depth)
        tokens = torch.tensor([search.trie.tokens[node] for search, node in wanted])
        row = PackedRow(tokens, torch.tensor(depths), mask, new, torch.full_like(new, ANY_END), new, len(wanted))
        log_probabilities = self._log_probabilities(row)
        end_scores = log_probabilities[:, list(self.ends)].logsumexp(-1).tolist()
        for (search, node), scored, end_score in zip(wanted, log_probabilities, end_scores, strict=True):
            search.note(node, places[id(search), node], scored)
            label = search.trie.labels.get(node)
            if label is not None:
                search.scores[label] = search.likelihoods[node] + end_score
        self.length += len(wanted)

    def _log_probabilities(self, row: PackedRow) -> Tensor:
        """Return the log-probability of each token behind what is scored: float32 [predictions, vocabulary]."""
        return torch.log_softmax(row_logits(self.module, row, self.cache), dim=-1)
