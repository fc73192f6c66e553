"""Allocators and code caches of glibc, oneDNN and CUDA, set so that a phase's peak memory and seconds are its own.

Blocks of at least `MAPPED_FROM_BYTES` are mapped one by one and returned when they are freed. Smaller ones come from
the heap, whose pages are reused: with each block mapped anew, the kernel's clearing of pages took a third of the time
of reading long prompts. Passes are cut so that a small model's activations stay below
(`harness.decoding.batched_decode`).
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # mallopt(3)
MAPPED_FROM_BYTES = 8 * 1024**2
_TRIM_THRESHOLD_BYTES = 512 * 1024**2
PRIMITIVE_CACHE_CAPACITY = 96
GPU_SETTINGS = {
    "PYTORCH_ALLOC_CONF": "expandable_segments:True",  # rows of all lengths would leave gaps in what is reserved
    "TORCH_CUDNN_SDPA_DEPRIORITIZED": "1",  # cuDNN plans masked attention anew for each length, in half a second
}
"""Read by torch when CUDA starts; a processor ignores them."""


def configure() -> None:
    """Set glibc's thresholds (mallopt(3)) and the size of oneDNN's code caches; call it before anything is computed.

    oneDNN generates code for each new size of a product and caches 1,024 of them, and torch's bridge to it caches as
    many. With texts of all lengths, that is most of the memory that training would leave behind. Fewer suffice: a
    training pass with low-rank updates on all matrices of a Llama has some 45.

    By default glibc raises its mapping threshold with each large block that is freed, up to 32 MiB. Tensors then share
    a heap whose gaps fit no later tensor of another shape and count into the peak; and the heap's end is returned and
    taken again with each pass.
    """
    capacities = dict.fromkeys(("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"), str(PRIMITIVE_CACHE_CAPACITY))
    for name, setting in (capacities | GPU_SETTINGS).items():
        os.environ.setdefault(name, setting)
    mallopt = _libc("mallopt")
    if mallopt is not None and "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        mallopt(_M_MMAP_THRESHOLD, MAPPED_FROM_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD_BYTES)


def trim() -> None:
    """Return freed memory to the system (malloc_trim(3)), or it would count into the next phase."""
    gc.collect()
    malloc_trim = _libc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _libc(function: str) -> Any:
    return getattr(ctypes.CDLL(None), function, None) if sys.platform == "linux" else None
