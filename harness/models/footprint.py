"""Bytes that tensors hold: each storage counted once, quantised weights by their codes and scales."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a model that is elsewhere has no tensors, and its trial loads no torch
    from torch import Tensor


def storage_bytes(tensors: Iterable[Tensor]) -> int:
    """Return the bytes of the storages of some tensors; one that tied weights or views share counts once."""
    storages = (tensor.untyped_storage() for tensor in tensors)
    return sum({(storage.device, storage.data_ptr()): storage.nbytes() for storage in storages}.values())


def weights_bytes(model: Any) -> int | None:
    """Return the bytes of a model's parameters and buffers, adapters included; None if its weights are not here.

    Args:
        model: a `harness.models.local_model.LocalModel`, or any other model.
    """
    module = getattr(model, "module", None)
    return None if module is None else storage_bytes(_tensors(module))


def _tensors(module: Any) -> Iterator[Tensor]:
    for parameter in module.parameters():
        yield parameter
        yield from _quantisation_scales(getattr(parameter, "quant_state", None))
    yield from module.buffers()


def _quantisation_scales(state: Any) -> Iterator[Tensor]:
    """Yield the scales of 4-bit codes; scales may be quantised themselves (double quantisation)."""
    from torch import Tensor  # noqa: PLC0415 - see above

    for value in vars(state).values() if state is not None else ():
        if isinstance(value, Tensor):
            yield value
        elif hasattr(value, "absmax"):
            yield from _quantisation_scales(value)
