"""The shape of a decoder, and what a step does to it: what forecasts are made of. No library is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)
"""Bits a weight in NF4 with double quantisation: the code, an 8-bit scale for 64 of them, and a 32-bit one for 256 of
those (Dettmers et al. 2023, arXiv:2305.14314, section 3)."""
ALL_LINEAR = "all-linear"
_LENGTHS_COST = 3
"""Work of an update that also learns lengths, in that of a plain one: the weights' norms are made anew each time."""


@dataclass(frozen=True)
class Linear:
    """A weight matrix of a block, by the name that transformers gives it; `bias`: whether it has one."""

    name: str
    inputs: int
    outputs: int
    bias: bool = False

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.inputs * self.outputs + (self.outputs if self.bias else 0)


@dataclass(frozen=True)
class Architecture:
    """A decoder of equal blocks.

    Attributes:
        linears: weight matrices of one block.
        kv_width: features of the keys of one token in one block, and of its values.
        norm_parameters: of all norms in one block; final_norm_parameters: of the one behind the last block.
        positions: learned position embeddings.
        exact_parameters: as counted from the file of weights, where there is one.
        dtype_bytes: of a weight as it is computed with.
    """

    hidden: int
    layers: int
    heads: int
    kv_width: int
    intermediate: int
    vocab: int
    linears: tuple[Linear, ...]
    tied: bool = True
    gated: bool = True
    norm_parameters: int = 0
    final_norm_parameters: int = 0
    positions: int = 0
    exact_parameters: int | None = None
    dtype_bytes: float = 2.0

    @property
    def block_parameters(self) -> int:
        """Of one block."""
        return sum(linear.parameters for linear in self.linears) + self.norm_parameters

    @property
    def linear_parameters(self) -> int:
        """Of all blocks' weight matrices, biases excluded: what 4 bits are for."""
        return self.layers * sum(linear.inputs * linear.outputs for linear in self.linears)

    @property
    def head_parameters(self) -> int:
        """Of an output head of its own; 0 where it shares the embeddings."""
        return 0 if self.tied else self.vocab * self.hidden

    @property
    def parameters(self) -> int:
        """Of the whole model."""
        if self.exact_parameters is not None:
            return self.exact_parameters
        embeddings = (self.vocab + self.positions) * self.hidden
        return embeddings + self.head_parameters + self.layers * self.block_parameters + self.final_norm_parameters

    @property
    def input_values(self) -> int:
        """Values a token that a block's matrices are given, what several share counted once.

        These are kept where a matrix, or an adapter on it, takes a gradient. The attention's result, which its output
        matrix is given, is kept for the attention anyway.
        """
        return 2 * self.hidden + self.linears[-1].inputs

    def chosen(self, targets: str) -> tuple[Linear, ...]:
        """Give the matrices of a block that a text of target names means (peft's ``target_modules``)."""
        if targets == ALL_LINEAR:
            return self.linears
        names = {name.strip() for name in targets.split(",")}
        return tuple(linear for linear in self.linears if names & {linear.name, linear.name.rpartition(".")[2]})

    def all_weights(self) -> Footprint:
        """Say what training every weight comes to."""
        saved = self.input_values + 2 * self.hidden  # of the norms
        return Footprint(trained=self.parameters, reach=1.0, own=1.0, kept_values=saved)

    def upper_blocks(self, frozen: int) -> Footprint:
        """Say what training the blocks above the first so many, and what stands behind them, comes to."""
        blocks = max(0, self.layers - frozen)
        trained = blocks * self.block_parameters + self.final_norm_parameters + self.head_parameters
        saved = self.input_values + 2 * self.hidden
        return Footprint(trained=trained, reach=blocks / self.layers, own=blocks / self.layers, kept_values=saved)

    def low_rank(
        self, rank: int, targets: str = ALL_LINEAR, *, lengths: bool = False, four_bits: bool = False
    ) -> Footprint:
        """Say what a low-rank update of each chosen matrix comes to: rank by (inputs + outputs) weights each.

        Args:
            rank: columns of the update matrices (Hu et al. 2021, arXiv:2106.09685, section 4.1).
            targets: as peft's.
            lengths: whether the length of each column is learned too (Liu et al. 2024, arXiv:2402.09353); then the
                outputs of the matrix and of the update are kept, and the sum of both weights.
            four_bits: whether the matrices are held in 4 bits.
        """
        chosen = self.chosen(targets)
        outputs = sum(linear.outputs for linear in chosen)
        trained = self.layers * sum(
            rank * (one.inputs + one.outputs) + (one.outputs if lengths else 0) for one in chosen
        )
        saved = self.input_values if len(chosen) > 2 else self.hidden * min(1, len(chosen))
        return Footprint(
            trained=trained,
            added=trained,
            modules=len(chosen) * (_LENGTHS_COST if lengths else 1),
            reach=1.0,
            kept_values=saved + rank * len(chosen) + (2 * outputs if lengths else 0),
            kept_weights=sum(one.inputs * one.outputs for one in chosen) if lengths else 0,
            weight_bits=NF4_BITS if four_bits else None,
        )


@dataclass(frozen=True)
class Footprint:
    """What a step makes of a model and of its work, as far as memory and time go; the default is: nothing.

    Attributes:
        trained: parameters that take a gradient.
        added: parameters that are not the model's own.
        modules: small parts added to each block, such as the update of one matrix.
        reach: share of the blocks that the way back passes through.
        own: share of the blocks whose own matrices take a gradient.
        kept_values: values a token and block that are kept for the way back besides those that it needs anyway.
        kept_weights: values a block that are kept whatever the number of tokens.
        weight_bits: bits a weight of the blocks' matrices, while training and after; None: as loaded.
        states: 32-bit numbers that the optimiser holds for each trained parameter, a 32-bit copy not among them.
        epochs: passes over what is learned; 0: nothing is.
        learns: from training items, from pairs of answers, or from answers that it has sampled.
        sampled: answers sampled to learn from; sampled_tokens: of each, at most.
        batch: items of one optimiser step; row_tokens: tokens of one pass.
        checkpointing: whether activations inside a block are computed again on the way back.
        watched: items of either split that are asked after each epoch.
        asked: prompts answered while adapting, besides; labels_only: only where the task's labels are fixed.
        exemplars: worked examples put into each prompt; alike: whether the same ones.
        passages: found texts put into each prompt; indexed: whether the corpus is embedded.
        reranked: found texts that the model reads one by one for each question.
        virtual_tokens: put before each prompt.
        thought_tokens: written before each answer, at most; samples: how often.
    """

    trained: int = 0
    added: int = 0
    modules: int = 0
    reach: float = 0.0
    own: float = 0.0
    kept_values: float = 0.0
    kept_weights: float = 0.0
    weight_bits: float | None = None
    states: int = 2
    epochs: float = 0.0
    learns: Literal["items", "pairs", "samples"] = "items"
    sampled: int = 0
    sampled_tokens: int = 0
    batch: int = 1
    row_tokens: int = 768
    checkpointing: bool = False
    watched: int = 0
    asked: int = 0
    labels_only: bool = False
    exemplars: int = 0
    alike: bool = True
    passages: int = 0
    indexed: bool = False
    reranked: int = 0
    virtual_tokens: int = 0
    thought_tokens: int = 0
    samples: int = 1
