"""Peak memory by parts, from a model's shape, what a step trains, and how many tokens are computed at once.

The parts follow Korthikanti et al. 2022 (arXiv:2205.05198, section 4): what is kept for the way back is counted matrix
by matrix. Its constants (34 bytes a token, block and hidden feature) are of GPT's block with dropout. Those here are of
the blocks as transformers writes them: norms keep 32-bit copies, and attention keeps no scores (Dao et al. 2022,
arXiv:2205.14135). Tests compare them with what autograd keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from harness.api.architecture import Architecture, Footprint
from harness.measure.allocator import MAPPED_FROM_BYTES

GIB = 2**30
_LOGITS_TRAINED, _LOGITS_SCORED = 12, 10
"""Bytes for each logit: 32-bit log-probabilities with two gradients of their size; or logits as they come, the same in
32 bits and their log-probabilities."""
_IN_PIECES = 0.65
"""Measured, no formula: 24 batches of 16 items with LoRA on all 30 blocks of SmolLM2-135M, one thread, took 540
MiB besides what stayed, where the formulas say 329 (2026-11-22). A calibration has fewer blocks, and finds some 0.3."""
_READ_IN_PIECES = 4.0
"""Measured, no formula: reading 2,048 tokens of prompts with passages took some 190 MiB besides cache and logits, of
which the formulas say 41 (2026-11-22, SmolLM2-135M)."""


@dataclass(frozen=True)
class PeakMemory:
    """Bytes held at the moment of the peak.

    Attributes:
        base: the process and its libraries, or what a GPU's driver takes.
        weights: of the model, what was added to it included.
        optimizer: its states, and 32-bit copies of what is trained.
        kept: a copy of the best weights so far.
        gradients: of all that is trained.
        activations: kept for the way back, or of the block that is computed just now.
        logits: where there are labels, or choices.
        cache: keys and values.
        slack: freed memory that the allocator holds in pieces too small to use again.
        code: generated for products of sizes that have been there (`harness.forecast.kernels`).
    """

    base: float = 0.0
    weights: float = 0.0
    optimizer: float = 0.0
    kept: float = 0.0
    gradients: float = 0.0
    activations: float = 0.0
    logits: float = 0.0
    cache: float = 0.0
    slack: float = 0.0
    code: float = 0.0

    @property
    def total(self) -> float:
        """All parts, bytes."""
        return sum(self.parts.values())

    @property
    def parts(self) -> dict[str, float]:
        """Each part by its name, bytes."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class BytesPerParameter:
    """How many bytes are held for each trained parameter.

    The defaults are those of this project's AdamW: a 32-bit copy of what is held in fewer bits (Micikevicius et al.
    2018, arXiv:1710.03740, section 3.1), gradients as wide as the weights on the way back and 32 bits wide in the
    update.

    Attributes:
        state_bytes: one state of the optimiser; an Adam has two.
        master_bytes: of the copy.
        step_bytes: of a gradient while the weights are updated; 0: a weight is updated as soon as its gradient is
            there, so that the largest of them stands alone.
        keeps_best: whether the best weights so far are kept beside the present ones.
    """

    state_bytes: float = 4.0
    master_bytes: float = 4.0
    step_bytes: float = 4.0
    keeps_best: bool = True


@dataclass(frozen=True)
class ForwardPass:
    """One forward pass.

    Attributes:
        tokens: computed together.
        predictions: places at which there are logits, at once.
    """

    tokens: int
    predictions: int


def weights_bytes(shape: Architecture, footprint: Footprint) -> float:
    """Give the bytes of the weights: exact for what is held in the model's own type."""
    whole = shape.parameters + footprint.added
    if footprint.weight_bits is None:
        return whole * shape.dtype_bytes
    return (whole - shape.linear_parameters) * shape.dtype_bytes + shape.linear_parameters * footprint.weight_bits / 8


def kept_bytes(shape: Architecture, footprint: Footprint) -> float:
    """Give the bytes a token that one block keeps for the way back.

    Norms keep their input in 32 bits; attention keeps queries, keys and values, each as wide as all heads, its result
    and one 32-bit number a head; a gated feed-forward layer keeps the gate before and after its activation, and what it
    gates. Besides, what the step says (`Footprint.kept_values`).
    """
    queries = shape.linears[-2].inputs if not shape.gated else _named(shape, "o_proj")
    attention = 4 * queries * shape.dtype_bytes + 4 * shape.heads
    feed_forward = (3 if shape.gated else 1) * shape.intermediate * shape.dtype_bytes
    norms = 2 * (4 * shape.hidden + 4)
    return norms + attention + feed_forward + footprint.kept_values * shape.dtype_bytes


def training(
    shape: Architecture,
    footprint: Footprint,
    largest: ForwardPass,
    numbers: BytesPerParameter | None = None,
    *,
    slack: float = 0.0,
) -> PeakMemory:
    """Give the peak of a training step: at the end of the forward pass, or while the weights are updated.

    Args:
        shape: of the model.
        footprint: of the step.
        largest: the largest pass.
        numbers: bytes a trained parameter; None: as the training loop here has them.
        slack: share of the tokens' activations that the allocator holds besides, measured.
    """
    own = shape.dtype_bytes >= 4
    numbers = numbers or BytesPerParameter(master_bytes=0.0 if own else 4.0)
    trained = footprint.trained
    reached = footprint.reach * shape.layers
    inside = kept_bytes(shape, footprint)
    a_token = reached * inside
    if footprint.checkpointing:
        a_token = reached * shape.hidden * shape.dtype_bytes + inside
    of_tokens = largest.tokens * (a_token + 4 * shape.hidden)
    activations = of_tokens + reached * footprint.kept_weights * shape.dtype_bytes  # the latter in whole pieces
    logits = _LOGITS_TRAINED * shape.vocab * largest.predictions
    behind = largest.tokens * inside  # gradients of the block that is computed just now: the logits are gone by then
    if behind > logits:
        of_tokens, activations, logits = of_tokens + behind, activations + behind, 0.0
    fixed = PeakMemory(
        weights=weights_bytes(shape, footprint),
        optimizer=trained * (footprint.states * numbers.state_bytes + numbers.master_bytes),
        kept=trained * shape.dtype_bytes if numbers.keeps_best and footprint.epochs > 1 else 0.0,
        slack=slack * of_tokens,
    )
    largest_matrix = max(shape.vocab * shape.hidden, shape.block_parameters)
    gradients = (trained if numbers.step_bytes else min(trained, largest_matrix)) * shape.dtype_bytes
    on_the_way = replace(fixed, gradients=gradients, activations=activations, logits=logits)
    updating = replace(fixed, gradients=trained * numbers.step_bytes)
    return max(on_the_way, updating, key=lambda one: one.total)


def training_slack(shape: Architecture, tokens: int, measured: float) -> float:
    """Give the share of a training pass's activations that freed memory holds besides, in pieces.

    Only pieces that the allocator keeps are left behind: what is larger goes back to the system when it is freed.

    Args:
        shape: of the model.
        tokens: of the pass.
        measured: by the calibration, on some of the blocks.
    """
    in_pieces = tokens * shape.hidden * shape.dtype_bytes < MAPPED_FROM_BYTES
    return max(measured, _IN_PIECES) if in_pieces else measured


def reading_slack(measured: float) -> float:
    """Give the share of what reading computes on the way that freed memory holds besides, in pieces.

    Args:
        measured: by the calibration, in training.
    """
    return max(measured, _READ_IN_PIECES)


def answering(
    shape: Architecture, footprint: Footprint, largest: ForwardPass, cached_tokens: int = 0, *, slack: float = 0.0
) -> PeakMemory:
    """Give the peak of answering: weights, one block's activations, logits and the cache.

    Args:
        shape: of the model.
        footprint: of what was done to it.
        largest: the largest pass.
        cached_tokens: of all sequences that are decoded together, those included that are to be written.
        slack: share of the activations that the allocator holds besides, measured.
    """
    activations = largest.tokens * (kept_bytes(shape, Footprint()) + 4 * shape.hidden)
    logits = _LOGITS_SCORED * shape.vocab * largest.predictions
    cache = cached_tokens * 2 * shape.kv_width * shape.dtype_bytes * shape.layers
    return PeakMemory(
        weights=weights_bytes(shape, footprint),
        activations=activations,
        logits=logits,
        cache=cache,
        slack=slack * activations,
    )


def _named(shape: Architecture, name: str) -> int:
    return next((one.inputs for one in shape.linears if one.name == name), shape.hidden)
