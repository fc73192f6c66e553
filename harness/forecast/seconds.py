"""Seconds of what is computed, from a machine's calibration: rates are measured, only the amounts are predicted."""

from __future__ import annotations

from dataclasses import dataclass

from harness.api.architecture import Architecture, Footprint
from harness.forecast.calibration import Calibration
from harness.forecast.workload import Workload

_SHORT, _TRAINED, _LONG, _MANY = 192, 384, 768, 32
"""Tokens of the rows, and sequences of the batch, that `harness.training.rates` times."""
_LABELS = 48
"""Places with logits in the row that training is timed with; their way back takes two more products."""
_SMALL_PARTS = 7
"""Updates a block in the model that `small_s` was timed with, where attention and feed-forward are seven matrices."""
_FIRST_PASSES = 6
"""Short passes that tell whether a model can share rows when it is opened."""


@dataclass(frozen=True)
class Rates:
    """What one machine takes for one model; the blocks that were timed stand for all of them."""

    machine: Calibration
    shape: Architecture

    def reading(self, work: Workload) -> float:
        """Give the seconds of forward passes and of the logits in them."""
        return work.tokens * self._read_s(work.row) + work.predictions * self.machine.prediction_s

    def writing(self, work: Workload) -> float:
        """Give the seconds of decoding step by step."""
        one = self.machine.besides_one_s + self.machine.step_one_s * self._whole
        many = max(one, self.machine.besides_many_s + self.machine.step_many_s * self._whole)
        step = one + (many - one) * (min(work.sequences, _MANY) - 1) / (_MANY - 1)
        return work.steps * (step + self._cached(work.held))

    def _cached(self, tokens: float) -> float:
        """Give the seconds in which a step reads the cache."""
        shape = self.shape
        return tokens * 2 * shape.kv_width * shape.dtype_bytes * shape.layers / self.machine.bandwidth

    def code(self, products: float) -> float:
        """Give the seconds in which code is made for products of new sizes."""
        return products * self.machine.code_s

    def answering(self, work: Workload) -> float:
        """Give the seconds of reading prompts and writing what follows."""
        return self.reading(work) + self.writing(work)

    def learning(self, work: Workload, footprint: Footprint) -> float:
        """Give the seconds of one pass over what is learned, its updates left out.

        Forward through all blocks, back through those that are reached; gradients of weights where they take one, the
        small parts of each block, whole copies of 4-bit weights made on either way.
        """
        m, whole = self.machine, self._whole
        labels = 3 * _LABELS * m.prediction_s / _TRAINED
        forward = self._read_s(_TRAINED)
        back = max(forward, (m.through_s - labels) * whole - forward)
        growth = self._read_s(work.row) / forward
        again = footprint.reach * forward if footprint.checkpointing else 0.0
        a_token = growth * (forward + again + footprint.reach * back)
        a_token += footprint.own * max(0.0, m.weights_s - m.through_s) * whole
        a_token += footprint.modules / _SMALL_PARTS * max(0.0, m.small_s - m.through_s) * whole
        passes = work.tokens / max(work.largest.tokens, 1)
        return work.tokens * a_token + 3 * work.predictions * m.prediction_s + 2 * passes * self.made_whole(footprint)

    def updates(self, footprint: Footprint, items: int) -> float:
        """Give the seconds of the optimiser's steps in one pass over so many items."""
        return footprint.trained * self.machine.update_s * items / max(1, min(footprint.batch, items or 1))

    def made_whole(self, footprint: Footprint) -> float:
        """Give the seconds in which a pass makes whole what is held in 4 bits."""
        return 0.0 if footprint.weight_bits is None else self.shape.linear_parameters * self.machine.whole_s

    def quantising(self, footprint: Footprint) -> float:
        """Give the seconds in which the matrices are put into 4 bits."""
        return 0.0 if footprint.weight_bits is None else self.shape.linear_parameters * self.machine.quantise_s

    def loading(self) -> float:
        """Give the seconds in which a model is opened."""
        size = self.shape.parameters * self.shape.dtype_bytes
        return self.machine.open_s + size / self.machine.bandwidth + _FIRST_PASSES * 8 * self._read_s(_SHORT)

    def embedding(self, tokens: float, parameters: float) -> float:
        """Give the seconds in which an embedder reads tokens, by the time a parameter and token of a small one."""
        return parameters * tokens * self.machine.embed_s

    @property
    def _whole(self) -> float:
        return self.shape.layers / self.machine.layers

    def _read_s(self, row: float) -> float:
        """Give the seconds a token in a pass of so many, between those that were timed and a little beyond."""
        low, high = self.machine.read_short_s, self.machine.read_long_s
        place = min(max(row, 64.0), 2.0 * _LONG)
        found = low + (high - low) * (place - _SHORT) / (_LONG - _SHORT)
        return max(found, 0.5 * min(low, high)) * self._whole
