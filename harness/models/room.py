"""A cache of keys and values with room for what will be written: nothing is moved when a token is added."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer


class RoomyLayer(DynamicLayer):
    """One layer's keys and values, at the beginning of buffers [rows, heads, room, size].

    transformers' own layer puts all of it together anew with each token: that reads and writes the whole cache in every
    step, and leaves gaps in memory that fit no later one.
    """

    def __init__(self, room: int) -> None:
        """Take the number of tokens that there is to be room for."""
        super().__init__()
        self.room = room
        self._buffers: tuple[Tensor, ...] = ()

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write tokens [rows, heads, new, size] behind those that are there; return all of them, as views.

        Raises:
            ValueError: there is no room for so many.
        """
        del args, kwargs  # transformers hands on what other kinds of layers need
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            rows, heads, _, _ = key_states.shape
            sizes = key_states.shape[-1], value_states.shape[-1]
            self._buffers = tuple(key_states.new_empty(rows, heads, self.room, size) for size in sizes)
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if end > self.room:
            raise ValueError(f"there is room for {self.room} tokens, not for {end}")
        rows = len(key_states)
        for buffer, new in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:rows, :, start:end] = new
        return self._show(rows, end)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep some rows in their order; what is moved must come from behind the last that stays."""
        places = torch.arange(len(indices), device=indices.device)
        moved = indices != places
        length = self.get_seq_length()
        for buffer in self._buffers:
            buffer[places[moved], :, :length] = buffer[indices[moved], :, :length]
        self._show(len(indices), length)

    def _show(self, rows: int, tokens: int) -> tuple[Tensor, Tensor]:
        self.keys, self.values = (buffer[:rows, :, :tokens] for buffer in self._buffers)
        return self.keys, self.values


def roomy(tokens: int) -> Cache:
    """Return an empty cache with room for so many tokens a row."""
    return Cache(layer_class_to_replicate=cast("Any", partial(RoomyLayer, tokens)))


def closed_up(keep: list[int]) -> list[int]:
    """Order the rows that go on so that those behind take the places of those that have ended, and few are moved."""
    stay = {index for index in keep if index < len(keep)}
    behind = iter(index for index in keep if index >= len(keep))
    return [place if place in stay else next(behind) for place in range(len(keep))]
