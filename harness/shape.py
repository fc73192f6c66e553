"""The shape of a decoder as its configuration tells it, and what a step does to it: what forecasts are made of.

No weights and no library are needed. Counts of a Llama-like decoder are exact; tests compare them with real tensors.
"""

from __future__ import annotations

import re
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
        return sum(one.parameters for one in self.linears) + self.norm_parameters

    @property
    def linear_parameters(self) -> int:
        """Of all blocks' weight matrices, biases excluded: what 4 bits are for."""
        return self.layers * sum(one.inputs * one.outputs for one in self.linears)

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
        return tuple(one for one in self.linears if names & {one.name, one.name.rpartition(".")[2]})

    def all_weights(self) -> Footprint:
        """Say what training every weight comes to."""
        kept = self.input_values + 2 * self.hidden  # of the norms
        return Footprint(trained=self.parameters, reach=1.0, own=1.0, kept_values=kept)

    def upper_blocks(self, frozen: int) -> Footprint:
        """Say what training the blocks above the first so many, and what stands behind them, comes to."""
        blocks = max(0, self.layers - frozen)
        trained = blocks * self.block_parameters + self.final_norm_parameters + self.head_parameters
        kept = self.input_values + 2 * self.hidden
        return Footprint(trained=trained, reach=blocks / self.layers, own=blocks / self.layers, kept_values=kept)

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
        outputs = sum(one.outputs for one in chosen)
        trained = self.layers * sum(
            rank * (one.inputs + one.outputs) + (one.outputs if lengths else 0) for one in chosen
        )
        kept = self.input_values if len(chosen) > 2 else self.hidden * min(1, len(chosen))
        return Footprint(
            trained=trained,
            added=trained,
            modules=len(chosen) * (_LENGTHS_COST if lengths else 1),
            reach=1.0,
            kept_values=kept + rank * len(chosen) + (2 * outputs if lengths else 0),
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


def llama(  # noqa: PLR0913, PLR0917 - the numbers of a model card
    hidden: int, layers: int, heads: int, kv_heads: int, intermediate: int, vocab: int, *, tied: bool = False
) -> Architecture:
    """Describe a Llama-like decoder (Touvron et al. 2023, arXiv:2302.13971) by the numbers of its model card."""
    return decoder(
        {
            "model_type": "llama",
            "hidden_size": hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": kv_heads,
            "intermediate_size": intermediate,
            "vocab_size": vocab,
            "tie_word_embeddings": tied,
        }
    )


def decoder(config: dict[str, object]) -> Architecture:
    """Read a model's ``config.json``.

    Raises:
        KeyError: a size is missing, under whichever of its usual names.
    """
    inner = config.get("text_config")
    config = {**config, **inner} if isinstance(inner, dict) else config
    kind = str(config.get("model_type", "llama"))

    def number(*names: str, default: int | None = None) -> int:
        found = next((value for name in names if isinstance(value := config.get(name), int)), default)
        if found is None:
            raise KeyError(names[0])
        return found

    hidden, heads = number("hidden_size", "n_embd", "d_model"), number("num_attention_heads", "n_head")
    intermediate = number("intermediate_size", "ffn_dim", "n_inner", default=4 * hidden)
    kv_heads = number("num_key_value_heads", default=heads)
    width = number("head_dim", default=hidden // heads)
    fused = kind in _FUSED
    gated = kind not in _PLAIN
    biased = bool(config.get("attention_bias", kind == "qwen2")), bool(config.get("mlp_bias", False))
    linears = (
        _fused(kind, hidden, intermediate)
        if fused
        else _separate(hidden, heads * width, kv_heads * width, intermediate, gated=gated, biased=biased, kind=kind)
    )
    norms = (2 if kind in _LAYER_NORM else 1) * hidden
    extra = 2 * width if kind in ("qwen3", "gemma3", "gemma3_text") else 0
    return Architecture(
        hidden=hidden,
        layers=number("num_hidden_layers", "n_layer"),
        heads=heads,
        kv_width=kv_heads * width,
        intermediate=intermediate,
        vocab=number("vocab_size"),
        linears=linears,
        tied=bool(config.get("tie_word_embeddings", kind in _TIED)),
        gated=gated,
        norm_parameters=norms * (4 if re.match(r"gemma[23]", kind) else 2) + extra,
        final_norm_parameters=norms * (2 if kind == "bloom" else 1),
        positions=_positions(kind, config),
    )


_FUSED = {"gpt2": "attn.c_attn", "bloom": "query_key_value", "gpt_neox": "query_key_value", "falcon": "query_key_value"}
_PLAIN = {*_FUSED, "opt", "phi"}
_LAYER_NORM = {*_FUSED, "opt", "phi"}
_TIED = {"gpt2", "bloom", "opt", "gemma", "gemma2", "gemma3", "gemma3_text", "falcon"}


def _separate(  # noqa: PLR0913 - the sizes of one block
    hidden: int, queries: int, keys: int, inner: int, *, gated: bool, biased: tuple[bool, bool], kind: str
) -> tuple[Linear, ...]:
    attention, feed_forward = (True, True) if kind == "opt" else biased
    behind = attention and kind != "qwen2"
    up = ("gate_proj", "up_proj") if gated else ("fc1",)
    return (
        Linear("q_proj", hidden, queries, attention),
        Linear("k_proj", hidden, keys, attention),
        Linear("v_proj", hidden, keys, attention),
        Linear("o_proj" if gated else "out_proj", queries, hidden, behind),
        *(Linear(name, hidden, inner, feed_forward) for name in up),
        Linear("down_proj" if gated else "fc2", inner, hidden, feed_forward),
    )


def _fused(kind: str, hidden: int, inner: int) -> tuple[Linear, ...]:
    first, last = ("mlp.c_fc", "mlp.c_proj") if kind == "gpt2" else ("mlp.dense_h_to_4h", "mlp.dense_4h_to_h")
    return (
        Linear(_FUSED[kind], hidden, 3 * hidden, bias=True),
        Linear("attn.c_proj" if kind == "gpt2" else "self_attention.dense", hidden, hidden, bias=True),
        Linear(first, hidden, inner, bias=True),
        Linear(last, inner, hidden, bias=True),
    )


def _positions(kind: str, config: dict[str, object]) -> int:
    learned = {"gpt2": ("n_positions", 0), "opt": ("max_position_embeddings", 2)}  # OPT's begin at 2
    if kind not in learned:
        return 0
    name, more = learned[kind]
    count = config.get(name)
    return count + more if isinstance(count, int) else 0
