"""How this process takes memory and gives it back, so that a phase's peak is its own; with glibc, else nothing is done.

A block from `MAPPED_FROM_BYTES` on is mapped by itself and returned when it is freed. Smaller ones come from a heap,
whose pages are used again: with each block mapped anew, the kernel's clearing of pages took a third of the time in
which long prompts were read. Passes are cut so that what a small model computes on the way stays below
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
_FREE_KEPT_BYTES = 512 * 1024**2
CODES_KEPT = 96


def settle() -> None:
    """Choose once, before anything is computed, how large blocks are taken (mallopt(3)), and how much code is kept.

    A processor's matrix library generates code for each new size of a product and keeps 1,024 of them, and so does what
    stands between it and torch; with texts of all lengths, that is most of what training would leave behind. Fewer do:
    a pass of training with low-rank updates on all matrices of a Llama has some 45.

    By itself glibc raises its threshold with each large block that is freed, up to 32 MiB. Tensors then share a heap
    whose gaps fit no later tensor of another shape, and a peak counts them; and it gives the heap's end back and takes
    it again with each pass.
    """
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(name, str(CODES_KEPT))
    mallopt = _libc("mallopt")
    if mallopt is not None and "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        mallopt(_M_MMAP_THRESHOLD, MAPPED_FROM_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _FREE_KEPT_BYTES)


def give_back() -> None:
    """Return what was freed to the system, or it would count as the next phase's (malloc_trim(3))."""
    gc.collect()
    trim = _libc("malloc_trim")
    if trim is not None:
        trim(0)


def _libc(function: str) -> Any:
    return getattr(ctypes.CDLL(None), function, None) if sys.platform == "linux" else None
