"""Whether a model's weights fit into memory, by the headers of its files: known before anything is read."""

from __future__ import annotations

from math import prod
from pathlib import Path

from harness.errors import HarnessError
from harness.measure import gpu
from harness.measure.environment import memory_bytes
from harness.measure.units import gib
from harness.models.folder_check import read_header

_LEAST_ITEM_BYTES = 2
"""Of a weight as it is loaded, in the smallest of the number formats; one that is stored in fewer stays so."""


def check_size(folder: Path) -> None:
    """Refuse a folder of safetensors that is larger than the memory, whatever else is in it.

    Raises:
        HarnessError: how much it needs, and how much there is.
    """
    tensors = [tensor for file in folder.glob("*.safetensors") for tensor in read_header(file).values()]
    sizes = [(tensor.data_offsets[1] - tensor.data_offsets[0], prod(tensor.shape)) for tensor in tensors]
    require_memory(str(folder), sum(min(stored, _LEAST_ITEM_BYTES * items) for stored, items in sizes))


def require_memory(subject: str, weights_bytes: int) -> None:
    """Refuse weights that memory cannot hold; those of a GPU are not counted, as they pass through memory in parts.

    Raises:
        HarnessError: how much they need, and how much there is.
    """
    if gpu.open_device() is None and weights_bytes > memory_bytes():
        raise HarnessError(
            f"the weights of {subject} take {gib(weights_bytes)} at least, and this machine has {gib(memory_bytes())} "
            "of memory: choose a smaller model, or serve it and name its address."
        )
