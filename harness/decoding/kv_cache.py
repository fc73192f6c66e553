"""Preallocated KV cache: adding a token copies nothing."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer


class PreallocatedLayer(DynamicLayer):
    """One layer's keys and values, at the beginning of buffers [rows, heads, capacity, size].

    transformers' own layer concatenates with each token: that reads and writes the whole cache in every step, and
    leaves gaps in memory that no later cache fits into.
    """

    def __init__(self, capacity: int) -> None:
        """Create an empty layer for `capacity` tokens a row."""
        super().__init__()
        self.capacity = capacity
        self._buffers: tuple[Tensor, ...] = ()

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append tokens [rows, heads, new, size]; return views of all tokens.

        Beyond the capacity, e.g. behind a trained prefix, the buffers grow once.
        """
        del args, kwargs  # transformers passes what other kinds of layers need
        new_states = key_states, value_states
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._buffers = self._allocate(new_states)
        start = self.get_seq_length()
        end, rows = start + key_states.shape[-2], len(key_states)
        if end > self.capacity:
            self.capacity += end
            larger = self._allocate(new_states)
            for buffer, old in zip(larger, self._buffers, strict=True):
                buffer[:, :, :start] = old[:rows, :, :start]
            self._buffers = larger
        for buffer, states in zip(self._buffers, new_states, strict=True):
            buffer[:rows, :, start:end] = states
        return self._set_views(rows, end)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep some rows, in the order of `indices`; a row that stays where it is is not copied."""
        rows = torch.arange(len(indices), device=indices.device)
        moved = indices != rows
        length = self.get_seq_length()
        for buffer in self._buffers:
            buffer[rows[moved], :, :length] = buffer[indices[moved], :, :length]
        self._set_views(len(indices), length)

    def _allocate(self, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(tensor.new_empty(*tensor.shape[:2], self.capacity, tensor.shape[-1]) for tensor in states)

    def _set_views(self, rows: int, tokens: int) -> tuple[Tensor, Tensor]:
        self.keys, self.values = (buffer[:rows, :, :tokens] for buffer in self._buffers)
        return self.keys, self.values


def preallocated_cache(tokens: int) -> Cache:
    """Return an empty cache with a capacity of `tokens` a row."""
    return Cache(layer_class_to_replicate=cast("Any", partial(PreallocatedLayer, tokens)))


def compact_rows(remaining: list[int]) -> list[int]:
    """Order the remaining rows so that the last ones fill the gaps of the finished ones, and few are copied."""
    unmoved = {index for index in remaining if index < len(remaining)}
    moved = iter(index for index in remaining if index >= len(remaining))
    return [row if row in unmoved else next(moved) for row in range(len(remaining))]
