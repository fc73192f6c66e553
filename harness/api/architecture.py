"""A decoder's shape, and what a step trains of it: the inputs of memory and time forecasts. No library is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)
"""Bits a weight in NF4 with double quantisation: the code, an 8-bit scale for 64 of them, and a 32-bit one for 256 of
those (Dettmers et al. 2023, arXiv:2305.14314, section 3)."""
ALL_LINEAR = "all-linear"
_DORA_COST = 3
"""Cost of a DoRA update relative to a LoRA update: the weights' norms are computed in each pass."""


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
        kv_width: features of one token's keys in one block; as many of its values.
        norm_parameters: of all norms in one block; final_norm_parameters: of the norm after the last block.
        positions: learned position embeddings.
        exact_parameters: counted in the weight files, where there are any.
        dtype_bytes: of a weight in the type that the model computes in.
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
        """Parameters of one block."""
        return sum(linear.parameters for linear in self.linears) + self.norm_parameters

    @property
    def linear_parameters(self) -> int:
        """Parameters of all blocks' weight matrices, biases excluded: those that 4-bit quantisation covers."""
        return self.layers * sum(linear.inputs * linear.outputs for linear in self.linears)

    @property
    def head_parameters(self) -> int:
        """Parameters of the output head; 0 where it shares the embeddings."""
        return 0 if self.tied else self.vocab * self.hidden

    @property
    def parameters(self) -> int:
        """Parameters of the whole model."""
        if self.exact_parameters is not None:
            return self.exact_parameters
        embeddings = (self.vocab + self.positions) * self.hidden
        return embeddings + self.head_parameters + self.layers * self.block_parameters + self.final_norm_parameters

    @property
    def input_activations(self) -> int:
        """Input values per token of a block's matrices, shared inputs counted once.

        Autograd saves them where a matrix, or an adapter on it, takes a gradient. The output projection's input is not
        among them: attention saves it anyway.
        """
        return 2 * self.hidden + self.linears[-1].inputs

    def target_linears(self, targets: str) -> tuple[Linear, ...]:
        """Select the matrices of a block by target names, e.g. ``"q_proj,v_proj"`` (peft's ``target_modules``)."""
        if targets == ALL_LINEAR:
            return self.linears
        names = {name.strip() for name in targets.split(",")}
        return tuple(linear for linear in self.linears if names & {linear.name, linear.name.rpartition(".")[2]})

    def all_weights(self) -> Footprint:
        """Describe training of all weights."""
        saved = self.input_activations + 2 * self.hidden  # inputs of the norms
        return Footprint(
            trained_parameters=self.parameters, backward_share=1.0, trained_block_share=1.0, saved_activations=saved
        )

    def upper_blocks(self, frozen: int) -> Footprint:
        """Describe training of the final norm, the head, and all blocks but the first `frozen`."""
        blocks = max(0, self.layers - frozen)
        trained_parameters = blocks * self.block_parameters + self.final_norm_parameters + self.head_parameters
        saved = self.input_activations + 2 * self.hidden
        return Footprint(
            trained_parameters=trained_parameters,
            backward_share=blocks / self.layers,
            trained_block_share=blocks / self.layers,
            saved_activations=saved,
        )

    def low_rank(
        self, rank: int, targets: str = ALL_LINEAR, *, magnitudes: bool = False, four_bits: bool = False
    ) -> Footprint:
        """Describe a low-rank update of each target matrix: rank x (inputs + outputs) weights each.

        Args:
            rank: columns of the update matrices (Hu et al. 2021, arXiv:2106.09685, section 4.1).
            targets: as peft's.
            magnitudes: whether column magnitudes are trained too (DoRA: Liu et al. 2024, arXiv:2402.09353); autograd
                then also saves the outputs of the matrix and of the update, and the sum of both weights.
            four_bits: whether the matrices are stored in 4 bits.
        """
        matrices = self.target_linears(targets)
        outputs = sum(linear.outputs for linear in matrices)
        trained_parameters = self.layers * sum(
            rank * (linear.inputs + linear.outputs) + (linear.outputs if magnitudes else 0) for linear in matrices
        )
        saved = self.input_activations if len(matrices) > 2 else self.hidden * min(1, len(matrices))
        return Footprint(
            trained_parameters=trained_parameters,
            added_parameters=trained_parameters,
            modules_per_block=len(matrices) * (_DORA_COST if magnitudes else 1),
            backward_share=1.0,
            saved_activations=saved + rank * len(matrices) + (2 * outputs if magnitudes else 0),
            saved_weights=sum(linear.inputs * linear.outputs for linear in matrices) if magnitudes else 0,
            weight_bits=NF4_BITS if four_bits else None,
        )


@dataclass(frozen=True)
class Footprint:
    """What a step trains, adds and reads, as far as memory and time depend on it; the default is nothing.

    Attributes:
        trained_parameters: parameters that take a gradient; added_parameters: those that are not the base model's.
        modules_per_block: small modules added to each block, such as the low-rank update of one matrix.
        backward_share: share of the blocks that the backward pass goes through.
        trained_block_share: share of the blocks whose base weights take a gradient.
        saved_activations: values per token and block saved for the backward pass, besides those that any backward
            pass saves; saved_weights: values per block saved for it, whatever the number of tokens.
        weight_bits: bits per weight of the blocks' matrices, during training and after; None: as loaded.
        optimizer_states: 32-bit numbers that the optimizer holds per trained parameter, 32-bit masters not included.
        epochs: passes over the training items, at most; 0: no training.
        min_steps: optimiser steps before patience counts; patience: evaluations that it lasts, 0: always all epochs;
            evaluate_every: steps between them, 0: so that they cost a quarter at most.
        objective: the step learns from training items, from pairs of answers, from sampled answers, or the passages of
            the corpus.
        sampled_answers: answers sampled to learn from; sampled_tokens: tokens of each, at most.
        batch_size: items (passages) of one optimizer step; row_tokens: tokens of one forward pass.
        checkpointing: activations inside a block are recomputed in the backward pass.
        monitored_items: items per split whose metric is computed at each evaluation.
        extra_prompts: further prompts answered while adapting.
        exemplars: few-shot examples in each prompt; shared_exemplars: all prompts have the same ones.
        passages: retrieved passages in each prompt; training_passages: in prompts that are learned from, 0: as many;
            passage_words: of each, 0: as the suite cuts them;
            embeds_corpus: the corpus is embedded for that.
        reranked_passages: passages per question that the model itself reads to rerank them.
        written_questions: training questions that are written, a passage; written_passages: passages for that, None:
            all; written_tokens: of each question, at most; paraphrases: of a passage; demonstrations: passages with
            questions shown for that; replaces_training: whether they are learned in place of the training items.
        whole_corpus: every passage stands in each prompt, in front of the question, and is read once for all.
        virtual_tokens: trained vectors in front of each prompt.
        reasoning_tokens: generated before each answer, at most; samples: reasoning paths per question.
    """

    trained_parameters: int = 0
    added_parameters: int = 0
    modules_per_block: int = 0
    backward_share: float = 0.0
    trained_block_share: float = 0.0
    saved_activations: float = 0.0
    saved_weights: float = 0.0
    weight_bits: float | None = None
    optimizer_states: int = 2
    epochs: float = 0.0
    min_steps: int = 0
    patience: int = 0
    evaluate_every: int = 0
    objective: Literal["items", "pairs", "samples", "corpus"] = "items"
    sampled_answers: int = 0
    sampled_tokens: int = 0
    batch_size: int = 1
    row_tokens: int = 768
    checkpointing: bool = False
    monitored_items: int = 0
    extra_prompts: int = 0
    exemplars: int = 0
    shared_exemplars: bool = True
    passages: int = 0
    passage_words: int = 0
    training_passages: int = 0
    embeds_corpus: bool = False
    reranked_passages: int = 0
    written_questions: int = 0
    written_passages: int | None = None
    written_tokens: int = 0
    paraphrases: int = 0
    demonstrations: int = 0
    replaces_training: bool = False
    whole_corpus: bool = False
    virtual_tokens: int = 0
    reasoning_tokens: int = 0
    samples: int = 1
