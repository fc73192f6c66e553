"""How long a model read and wrote, as shares of the prompts that were computed together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import torch


class PassTimer:
    """Follows a model's passes: how far they are, and their seconds, shared equally by the prompts they were for.

    So the shares of all prompts add up to the seconds of all passes, as their tokens do. Passes on a GPU go on after
    the call that began them: there a mark waits for them, elsewhere it is a look at the clock.

    Attributes:
        prefill_s: of each prompt, seconds in which it was read: up to its first token, or to the score of its choices.
        decode_s: of each prompt, seconds in which the tokens after the first were written.
        first_token_at: of each prompt, when its first token was known, by `time.perf_counter`; None: it has none.
    """

    def __init__(self, prompts: int, device: Any, progress: Callable[[int, int], None] | None = None) -> None:
        """Begin.

        Args:
            prompts: how many there are.
            device: of torch, on which the model is.
            progress: called with (prompts done, prompts in all).
        """
        self.prefill_s = [0.0] * prompts
        self.decode_s = [0.0] * prompts
        self.first_token_at: list[float | None] = [None] * prompts
        self._on_gpu = getattr(device, "type", "cpu") == "cuda"
        self._last = self._now()
        self._progress, self._done = progress, 0

    def start(self) -> None:
        """Count from now on."""
        self._last = self._now()

    def record_prefill(self, indices: Sequence[int], *, first_tokens: bool = False) -> None:
        """Count what went by since the last mark as reading these prompts.

        Args:
            places: of the prompts, at least one.
            answers: whether the first token of each is known now.
        """
        self._add_shares(self.prefill_s, indices)
        if first_tokens:
            for place in indices:
                self.first_token_at[place] = self._last

    def record_decode(self, indices: Sequence[int]) -> None:
        """Count what went by since the last mark as writing the answers to these prompts."""
        self._add_shares(self.decode_s, indices)

    def report_progress(self, indices: Sequence[int]) -> None:
        """Report that these prompts are answered."""
        self._done += len(indices)
        if self._progress:
            self._progress(self._done, len(self.prefill_s))

    def _add_shares(self, seconds: list[float], indices: Sequence[int]) -> None:
        start, self._last = self._last, self._now()
        for place in indices:
            seconds[place] += (self._last - start) / len(indices)

    def _now(self) -> float:
        if self._on_gpu:
            torch.cuda.synchronize()
        return perf_counter()
