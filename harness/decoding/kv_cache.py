"""A cache of keys and values with room for what will be written: nothing is moved when a token is added."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer


class PreallocatedLayer(DynamicLayer):
    """One layer's keys and values, at the beginning of buffers [rows, heads, room, size].

    transformers' own layer puts all of it together anew with each token: that reads and writes the whole cache in every
    step, and leaves gaps in memory that fit no later one.
    """

    def __init__(self, capacity: int) -> None:
        """Take the number of tokens that there is to be room for."""
        super().__init__()
        self.room = capacity
        self._buffers: tuple[Tensor, ...] = ()

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write tokens [rows, heads, new, size] behind those that are there; return all of them, as views.

        Where there is no room for them, e.g. as a trained prefix came first, more is made once.
        """
        del args, kwargs  # transformers hands on what other kinds of layers need
        new_states = key_states, value_states
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._buffers = tuple(one.new_empty(*one.shape[:2], self.room, one.shape[-1]) for one in new_states)
        start = self.get_seq_length()
        end, rows = start + key_states.shape[-2], len(key_states)
        if end > self.room:
            self.room += end
            wider = tuple(one.new_empty(*one.shape[:2], self.room, one.shape[-1]) for one in new_states)
            for buffer, old in zip(wider, self._buffers, strict=True):
                buffer[:, :, :start] = old[:rows, :, :start]
            self._buffers = wider
        for buffer, one in zip(self._buffers, new_states, strict=True):
            buffer[:rows, :, start:end] = one
        return self._set_views(rows, end)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep some rows, in the order that is given; those that keep their places are not moved."""
        rows = torch.arange(len(indices), device=indices.device)
        moved = indices != rows
        length = self.get_seq_length()
        for buffer in self._buffers:
            buffer[rows[moved], :, :length] = buffer[indices[moved], :, :length]
        self._set_views(len(indices), length)

    def _set_views(self, rows: int, tokens: int) -> tuple[Tensor, Tensor]:
        self.keys, self.values = (buffer[:rows, :, :tokens] for buffer in self._buffers)
        return self.keys, self.values


def preallocated_cache(tokens: int) -> Cache:
    """Return an empty cache with room for so many tokens a row."""
    return Cache(layer_class_to_replicate=cast("Any", partial(PreallocatedLayer, tokens)))


def compact_rows(remaining: list[int]) -> list[int]:
    """Order the rows that go on so that those behind take the places of those that have ended, and few are moved."""
    unmoved = {index for index in remaining if index < len(remaining)}
    moved = iter(index for index in remaining if index >= len(remaining))
    return [row if row in unmoved else next(moved) for row in range(len(remaining))]
