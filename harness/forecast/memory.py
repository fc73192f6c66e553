"""Peak memory by parts, from a model's shape, what a step trains, and the tokens of one forward pass.

The parts follow Korthikanti et al. 2022 (arXiv:2205.05198, section 4): activations saved for the backward pass are
counted matrix by matrix. Its constants (34 bytes a token, block and hidden feature) are of GPT's block with dropout.
Those here are of the blocks as transformers writes them: norms keep 32-bit copies, and attention keeps no scores (Dao
et al. 2022, arXiv:2205.14135). Tests compare them with what autograd saves.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from harness.api.architecture import Architecture, Footprint
from harness.measure.allocator import MAPPED_FROM_BYTES

_LOGITS_TRAINED, _LOGITS_SCORED = 12, 10
"""Bytes per logit: 32-bit log-probabilities with two gradients of their size; or logits as they come, the same in 32
bits and their log-probabilities."""
_TRAINING_SLACK = 0.65
"""Measured, no formula: 24 batches of 16 items with LoRA on all 30 blocks of SmolLM2-135M, one thread, took 540
MiB besides what stayed, where the formulas say 329 (2026-11-22). A calibration has fewer blocks, and measures some
0.3."""
_INFERENCE_SLACK = 4.0
"""Measured, no formula: reading 2,048 tokens of prompts with passages took some 190 MiB besides cache and logits, of
which the formulas say 41 (2026-11-22, SmolLM2-135M)."""


@dataclass(frozen=True)
class PeakMemory:
    """Bytes allocated at the moment of the peak.

    Attributes:
        base: the process and its libraries, or what a GPU's driver takes.
        weights: of the model, added parameters included.
        optimizer: its states, and 32-bit masters of trained weights.
        best_weights: a copy of the best weights so far.
        gradients: of all trained parameters.
        activations: saved for the backward pass, or of the current block.
        logits: where there are labels, or choices.
        cache: keys and values.
        slack: freed memory that the allocator holds in fragments.
        code: generated for matrix products (`harness.forecast.kernels`).
    """

    base: float = 0.0
    weights: float = 0.0
    optimizer: float = 0.0
    best_weights: float = 0.0
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
    """Bytes allocated per trained parameter.

    The defaults are those of this project's AdamW: a 32-bit master of weights with fewer bits (Micikevicius et al.
    2018, arXiv:1710.03740, section 3.1), gradients as wide as the weights in the backward pass and 32 bits wide in the
    update.

    Attributes:
        state_bytes: one state of the optimizer; an Adam has two.
        master_bytes: of the 32-bit master.
        step_bytes: of a gradient during the update; 0: each weight is updated as soon as its gradient is computed, so
            that only the largest gradient is in memory.
        keeps_best: whether a copy of the best weights so far is kept.
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
        logit_positions: positions whose logits are computed at once.
    """

    tokens: int
    logit_positions: int


def weights_bytes(shape: Architecture, footprint: Footprint) -> float:
    """Return the bytes of the weights: exact for those in the model's own type."""
    parameters = shape.parameters + footprint.added_parameters
    if footprint.weight_bits is None:
        return parameters * shape.dtype_bytes
    four_bit_bytes = shape.linear_parameters * footprint.weight_bits / 8
    return (parameters - shape.linear_parameters) * shape.dtype_bytes + four_bit_bytes


def saved_token_bytes(shape: Architecture, footprint: Footprint) -> float:
    """Return the bytes per token that one block saves for the backward pass.

    Norms keep their input in 32 bits; attention keeps queries, keys and values, each as wide as all heads, its result
    and one 32-bit number a head; a gated feed-forward layer keeps the gate before and after its activation, and the
    values that it gates. A step adds its own (`Footprint.saved_activations`).
    """
    queries = shape.linears[-2].inputs if not shape.gated else _linear_inputs(shape, "o_proj")
    attention = 4 * queries * shape.dtype_bytes + 4 * shape.heads
    feed_forward = (3 if shape.gated else 1) * shape.intermediate * shape.dtype_bytes
    norms = 2 * (4 * shape.hidden + 4)
    return norms + attention + feed_forward + footprint.saved_activations * shape.dtype_bytes


def training_peak(
    shape: Architecture,
    footprint: Footprint,
    largest_pass: ForwardPass,
    per_parameter: BytesPerParameter | None = None,
    *,
    slack: float = 0.0,
) -> PeakMemory:
    """Return the peak of a training step: at the end of the forward pass, or during the update.

    Args:
        shape: of the model.
        footprint: of the step.
        largest_pass: the largest forward pass.
        per_parameter: bytes per trained parameter; None: as the training loop here has them.
        slack: share of the tokens' activations that the allocator holds besides, measured.
    """
    full_precision = shape.dtype_bytes >= 4
    per_parameter = per_parameter or BytesPerParameter(master_bytes=0.0 if full_precision else 4.0)
    trained = footprint.trained_parameters
    backward_blocks = footprint.backward_share * shape.layers
    block_bytes = saved_token_bytes(shape, footprint)
    token_bytes = backward_blocks * block_bytes
    if footprint.checkpointing:
        token_bytes = backward_blocks * shape.hidden * shape.dtype_bytes + block_bytes
    token_activations = largest_pass.tokens * (token_bytes + 4 * shape.hidden)
    saved_weights = backward_blocks * footprint.saved_weights * shape.dtype_bytes  # large tensors leave no slack
    activations = token_activations + saved_weights
    logits = _LOGITS_TRAINED * shape.vocab * largest_pass.logit_positions
    block_gradients = largest_pass.tokens * block_bytes  # of the current block: the logits are freed by then
    if block_gradients > logits:
        token_activations, activations = token_activations + block_gradients, activations + block_gradients
        logits = 0.0
    common = PeakMemory(
        weights=weights_bytes(shape, footprint),
        optimizer=trained * (footprint.optimizer_states * per_parameter.state_bytes + per_parameter.master_bytes),
        best_weights=trained * shape.dtype_bytes if per_parameter.keeps_best else 0.0,
        slack=slack * token_activations,
    )
    largest_matrix = max(shape.vocab * shape.hidden, shape.block_parameters)
    gradients = (trained if per_parameter.step_bytes else min(trained, largest_matrix)) * shape.dtype_bytes
    backward = replace(common, gradients=gradients, activations=activations, logits=logits)
    update = replace(common, gradients=trained * per_parameter.step_bytes)
    return max(backward, update, key=lambda peak: peak.total)


def training_slack(shape: Architecture, tokens: int, measured: float) -> float:
    """Return the allocator's slack in training: freed fragments, as a share of a pass's activations.

    Only blocks below the allocator's threshold stay: larger ones go back to the system when they are freed.

    Args:
        shape: of the model.
        tokens: of the pass.
        measured: by the calibration, on some of the blocks.
    """
    fragmented = tokens * shape.hidden * shape.dtype_bytes < MAPPED_FROM_BYTES
    return max(measured, _TRAINING_SLACK) if fragmented else measured


def inference_slack(measured: float) -> float:
    """Return the allocator's slack in inference: freed fragments, as a share of a pass's activations.

    Args:
        measured: by the calibration, in training.
    """
    return max(measured, _INFERENCE_SLACK)


def inference_peak(
    shape: Architecture, footprint: Footprint, largest_pass: ForwardPass, cached_tokens: int = 0, *, slack: float = 0.0
) -> PeakMemory:
    """Return the peak of inference: weights, one block's activations, logits and the KV cache.

    Args:
        shape: of the model.
        footprint: of what was done to it.
        largest_pass: the largest forward pass.
        cached_tokens: of all sequences decoded together, tokens yet to be generated included.
        slack: share of the activations that the allocator holds besides, measured.
    """
    activations = largest_pass.tokens * (saved_token_bytes(shape, Footprint()) + 4 * shape.hidden)
    logits = _LOGITS_SCORED * shape.vocab * largest_pass.logit_positions
    return PeakMemory(
        weights=weights_bytes(shape, footprint),
        activations=activations,
        logits=logits,
        cache=cache_bytes(shape, cached_tokens),
        slack=slack * activations,
    )


def cache_bytes(shape: Architecture, tokens: float) -> float:
    """Return the bytes of the keys and values of so many tokens."""
    return tokens * 2 * shape.kv_width * shape.dtype_bytes * shape.layers


def _linear_inputs(shape: Architecture, name: str) -> int:
    return next((linear.inputs for linear in shape.linears if linear.name == name), shape.hidden)
