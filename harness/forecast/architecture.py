"""Reads a model's shape: from its folder, the hub's local cache, or the published numbers of a well-known one."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.shape import Architecture, decoder


def read(folder: Path, dtype_bytes: float | None = None) -> Architecture:
    """Read a model's shape from ``config.json``, and count its parameters in the headers of its weights.

    Args:
        folder: of a model in transformers' form.
        dtype_bytes: of a weight as it is computed with; None: as it is loaded here.

    Raises:
        HarnessError: there is no configuration, or it is not of a decoder that is known.
    """
    file = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        shape = decoder(config)
    except (OSError, ValueError) as error:
        raise HarnessError(f"{file} cannot be read: {error}.") from error
    except KeyError as error:
        raise HarnessError(f"{file} names no {error}: its memory and time cannot be forecast.") from error
    counted = sum(map(_count, sorted(folder.glob("*.safetensors")))) or None
    return replace(shape, exact_parameters=counted, dtype_bytes=dtype_bytes or native_bytes())


def native_bytes() -> float:
    """Give the bytes of a weight as a model is loaded here: 2 where hardware computes in 16 bits, else 4."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 4.0
    on_gpu = Path("/proc/driver/nvidia/version").exists()
    return 2.0 if on_gpu or any(flag in flags for flag in ("avx512_bf16", "amx_bf16")) else 4.0


def _count(file: Path) -> int:
    """Count the parameters of a file by its header: its length in 8 bytes, then JSON (the format's specification)."""
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header: dict[str, Any] = json.loads(stream.read(length))
    return sum(prod(one["shape"]) for name, one in header.items() if name != "__metadata__")
