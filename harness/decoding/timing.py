"""Prefill and decode seconds, shared equally by the prompts that were computed together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import torch


class PassTimer:
    """Progress and seconds of a model's passes, shared equally by the prompts of each pass.

    The shares of all prompts add up to the seconds of all passes. On a GPU, each mark synchronises first, as passes
    run on after the call that launched them.

    Attributes:
        prefill_s: of each prompt, seconds up to its first token, or to the score of its choices.
        decode_s: of each prompt, seconds of the tokens after the first.
        first_token_at: of each prompt, when its first token was known, by `time.perf_counter`; None: it has none.
    """

    def __init__(self, prompts: int, device: Any, progress: Callable[[int, int], None] | None = None) -> None:
        """Start timing.

        Args:
            prompts: number of prompts.
            device: torch device of the model.
            progress: called with (prompts finished, prompts in all).
        """
        self.prefill_s = [0.0] * prompts
        self.decode_s = [0.0] * prompts
        self.first_token_at: list[float | None] = [None] * prompts
        self._on_gpu = getattr(device, "type", "cpu") == "cuda"
        self._last = self._now()
        self._progress, self._finished = progress, 0

    def start(self) -> None:
        """Set the mark that the next interval is measured from."""
        self._last = self._now()

    def record_prefill(self, indices: Sequence[int], *, first_tokens: bool = False) -> None:
        """Charge the seconds since the last mark to these prompts as prefill.

        Args:
            indices: of the prompts, at least one.
            first_tokens: whether the first token of each is known now.
        """
        self._add_shares(self.prefill_s, indices)
        if first_tokens:
            for index in indices:
                self.first_token_at[index] = self._last

    def record_decode(self, indices: Sequence[int]) -> None:
        """Charge the seconds since the last mark to these prompts as decoding."""
        self._add_shares(self.decode_s, indices)

    def report_progress(self, indices: Sequence[int]) -> None:
        """Report that these prompts are finished."""
        self._finished += len(indices)
        if self._progress:
            self._progress(self._finished, len(self.prefill_s))

    def _add_shares(self, seconds: list[float], indices: Sequence[int]) -> None:
        start, self._last = self._last, self._now()
        for index in indices:
            seconds[index] += (self._last - start) / len(indices)

    def _now(self) -> float:
        if self._on_gpu:
            torch.cuda.synchronize()
        return perf_counter()
