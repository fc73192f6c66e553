"""Seconds of a workload, from a machine's calibration: rates are measured, only the amounts are predicted."""

from __future__ import annotations

from dataclasses import dataclass

from harness.api.architecture import Architecture, Footprint
from harness.forecast.calibration import MachineCalibration
from harness.forecast.workload import Workload

_SHORT, _TRAINED, _LONG, _BATCH = 192, 384, 768, 32
"""Tokens of the rows, and sequences of the batch, that `harness.training.rates` times."""
_LABELS = 48
"""Positions with logits in the row that training is timed with; their backward pass takes two more products."""
_TIMED_MODULES = 7
"""Updates a block in the model that `small_s` was timed with, where attention and feed-forward are seven matrices."""
_FIRST_PASSES = 4
"""Short passes that are made when a model is opened."""


@dataclass(frozen=True)
class RuntimeEstimator:
    """Seconds of one model's work on one machine, scaled from the timed blocks to all of them."""

    calibration: MachineCalibration
    shape: Architecture

    def forward_s(self, work: Workload) -> float:
        """Return the seconds of forward passes and their logits."""
        return work.tokens * self._token_s(work.row_tokens) + work.logit_positions * self.calibration.prediction_s

    def decoding_s(self, work: Workload) -> float:
        """Return the seconds of decoding step by step."""
        calibration = self.calibration
        single_s = calibration.besides_one_s + calibration.step_one_s * self._depth_ratio
        batch_s = max(single_s, calibration.besides_many_s + calibration.step_many_s * self._depth_ratio)
        step_s = single_s + (batch_s - single_s) * (min(work.decode_sequences, _BATCH) - 1) / (_BATCH - 1)
        return work.decode_steps * (step_s + self._cache_read_s(work.mean_cache_tokens))

    def _cache_read_s(self, tokens: float) -> float:
        """Return the seconds in which a step reads the KV cache."""
        shape = self.shape
        return tokens * 2 * shape.kv_width * shape.dtype_bytes * shape.layers / self.calibration.bandwidth

    def code_generation_s(self, products: float) -> float:
        """Return the seconds of generating code for products of new sizes."""
        return products * self.calibration.code_s

    def answering_s(self, work: Workload) -> float:
        """Return the seconds of reading prompts and generating or scoring answers."""
        return self.forward_s(work) + self.decoding_s(work)

    def training_s(self, work: Workload, footprint: Footprint) -> float:
        """Return the seconds of one training pass, optimizer steps excluded.

        Forward through all blocks, backward through those that it reaches; gradients of weights where they take one,
        the added modules of each block, dequantised copies of 4-bit weights in both directions.
        """
        calibration, depth_ratio = self.calibration, self._depth_ratio
        labels = 3 * _LABELS * calibration.prediction_s / _TRAINED
        forward = self._token_s(_TRAINED)
        backward = max(forward, (calibration.through_s - labels) * depth_ratio - forward)
        growth = self._token_s(work.row_tokens) / forward
        recompute = footprint.backward_share * forward if footprint.checkpointing else 0.0
        token_s = growth * (forward + recompute + footprint.backward_share * backward)
        weights_s = max(0.0, calibration.weights_s - calibration.through_s)
        token_s += footprint.trained_block_share * weights_s * depth_ratio
        modules_s = max(0.0, calibration.small_s - calibration.through_s)
        token_s += footprint.modules_per_block / _TIMED_MODULES * modules_s * depth_ratio
        passes = work.tokens / max(work.largest_pass.tokens, 1)
        logits_s = 3 * work.logit_positions * calibration.prediction_s
        return work.tokens * token_s + logits_s + 2 * passes * self.dequantisation_s(footprint)

    def optimizer_s(self, footprint: Footprint, items: int) -> float:
        """Return the seconds of the optimizer steps in one pass over `items` items."""
        batch_size = max(1, min(footprint.batch_size, items or 1))
        return footprint.trained_parameters * self.calibration.update_s * items / batch_size

    def dequantisation_s(self, footprint: Footprint) -> float:
        """Return the seconds in which one pass dequantises 4-bit weights."""
        return 0.0 if footprint.weight_bits is None else self.shape.linear_parameters * self.calibration.whole_s

    def quantisation_s(self, footprint: Footprint) -> float:
        """Return the seconds of quantising the matrices to 4 bits."""
        return 0.0 if footprint.weight_bits is None else self.shape.linear_parameters * self.calibration.quantise_s

    def loading_s(self) -> float:
        """Return the seconds of opening the model."""
        size_bytes = self.shape.parameters * self.shape.dtype_bytes
        first_passes = _FIRST_PASSES * 8 * self._token_s(_SHORT)
        return self.calibration.open_s + size_bytes / self.calibration.bandwidth + first_passes

    def embedding_s(self, tokens: float, parameters: float) -> float:
        """Return the seconds in which an embedder reads tokens, scaled by parameters from those of a small one."""
        return parameters * tokens * self.calibration.embed_s

    @property
    def _depth_ratio(self) -> float:
        return self.shape.layers / self.calibration.layers

    def _token_s(self, row_tokens: float) -> float:
        """Return the seconds per token in a pass of so many: linear between the timed lengths and a little beyond."""
        short_s, long_s = self.calibration.read_short_s, self.calibration.read_long_s
        length = min(max(row_tokens, 64.0), 2.0 * _LONG)
        token_s = short_s + (long_s - short_s) * (length - _SHORT) / (_LONG - _SHORT)
        return max(token_s, 0.5 * min(short_s, long_s)) * self._depth_ratio
