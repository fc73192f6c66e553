"""Whether a model, a strategy and a GPU go together: peak memory by parts, from published sizes alone."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from harness.api.architecture import Architecture, Footprint
from harness.errors import HarnessError, unknown
from harness.forecast import memory
from harness.forecast.architecture_lookup import llama, read
from harness.forecast.memory import GIB, ForwardPass, PeakMemory
from harness.models.registry import present
from harness.plan import chain
from harness.plan.discover import find_step

CONTEXT_BYTES = 0.6 * GIB
"""What CUDA's context, its kernels and the libraries' workspaces hold: 0.4 to 0.8 GiB by kind of GPU; nothing tells it
without one."""
_BITS_16 = 2.0
_FIELDS = ("hidden", "layers", "heads", "kv_heads", "intermediate", "vocab")

KNOWN: dict[str, Architecture] = {
    "llama-3.2-1b": llama(2048, 16, 32, 8, 8192, 128256, tied=True),
    "llama-3.2-3b": llama(3072, 28, 24, 8, 8192, 128256, tied=True),
    "llama-2-7b": llama(4096, 32, 32, 32, 11008, 32000),
    "mistral-7b": llama(4096, 32, 32, 8, 14336, 32000),
    "llama-3.1-8b": llama(4096, 32, 32, 8, 14336, 128256),
    "llama-2-13b": llama(5120, 40, 40, 40, 13824, 32000),
    "llama-33b": llama(6656, 60, 52, 52, 17920, 32000),
    "llama-65b": llama(8192, 80, 64, 64, 22016, 32000),
    "llama-3.1-70b": llama(8192, 80, 64, 8, 28672, 128256),
}
"""Models whose numbers are in their model cards and papers: no file of theirs is needed."""


@dataclass(frozen=True)
class Gpu:
    """One kind of GPU, with the memory that its driver gives at most, GiB; where that stands, and when it was read."""

    name: str
    title: str
    memory_gib: float
    source: str
    read: date


@dataclass(frozen=True)
class MemoryNeed:
    """What a training, or answering where nothing is trained, needs of a GPU.

    Attributes:
        parameters: of the model; trained: of them and what is added.
        peak: by parts, bytes; of the step of the chain that needs most.
    """

    parameters: int
    trained: int
    peak: PeakMemory

    def headroom(self, gpu: Gpu) -> float:
        """Give the bytes that are left; below 0: it does not fit."""
        return gpu.memory_gib * GIB - self.peak.total


def gpus() -> tuple[Gpu, ...]:
    """Return the table of GPUs, largest memory first."""
    table = tomllib.loads((Path(__file__).parent / "gpus.toml").read_text(encoding="utf-8"))
    return tuple(sorted((Gpu(**entry) for entry in table["gpu"]), key=lambda one: -one.memory_gib))


def gpu(name: str) -> Gpu:
    """Find a GPU by its name.

    Raises:
        HarnessError: the table has none of this name.
    """
    table = {one.name: one for one in gpus()}
    if name.lower() not in table:
        raise unknown("GPU", name, table)
    return table[name.lower()]


def architecture(model: str, cache: Path) -> Architecture:
    """Find a model's shape; weights are taken to be in 16 bits.

    Args:
        model: a pinned name, a folder, a hub id that is in the local cache, a well-known model, or sizes as in
            ``hidden=4096,layers=32,heads=32,kv_heads=8,intermediate=14336,vocab=128256``.
        cache: where converted models are.

    Raises:
        HarnessError: it is none of these, or its configuration cannot be read.
    """
    if "=" in model:
        return _given(model)
    if model.lower() in KNOWN:
        return KNOWN[model.lower()]
    folder = present(model, cache)
    if folder is None:
        hint = "A pinned model, a folder, a hub id in the local cache, or sizes as in 'hidden=4096,layers=32,...' work."
        raise unknown("model", model, KNOWN, hint=hint)
    return read(folder, _BITS_16)


def need(shape: Architecture, strategy: str, tokens: int, batch: int, labels: int | None = None) -> MemoryNeed:
    """Say what a strategy needs on a GPU, at most.

    Args:
        shape: of the model.
        strategy: a chain, e.g. ``qlora(rank=16)``.
        tokens: of one example, or prompt.
        batch: examples in one pass.
        labels: places of an example that are predicted; None: all of them.

    Raises:
        HarnessError: the strategy is unknown.
    """
    footprints = [link.step.footprint(shape) for link in chain.build(strategy, find_step)]
    one = ForwardPass(tokens * batch, (tokens if labels is None else min(labels, tokens)) * batch)
    peaks = [_peak(shape, footprint, one, tokens * batch) for footprint in footprints]
    highest = max(peaks, key=lambda found: found.total)
    trained = max((footprint.trained for footprint in footprints), default=0)
    return MemoryNeed(shape.parameters, trained, replace(highest, base=CONTEXT_BYTES))


def fitting(needed: MemoryNeed, table: Sequence[Gpu]) -> list[Gpu]:
    """Return the GPUs that hold it, smallest first."""
    return sorted((one for one in table if needed.headroom(one) >= 0), key=lambda one: one.memory_gib)


def _peak(shape: Architecture, footprint: Footprint, one: ForwardPass, cached: int) -> PeakMemory:
    if footprint.epochs:
        return memory.training(shape, footprint, one)
    sequences = max(1, cached // max(one.tokens, 1))
    return memory.answering(shape, footprint, ForwardPass(one.tokens, sequences), cached)


def _given(text: str) -> Architecture:
    """Read the sizes of a Llama-like model."""
    sizes: dict[str, int] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name.strip() not in _FIELDS:
            raise unknown("size", name.strip(), _FIELDS, where=repr(text))
        if not value.strip().isdecimal() or not int(value):
            raise HarnessError(f"{part.strip()!r} is no size: write a whole number above 0, as in 'layers=32'.")
        sizes[name.strip()] = int(value)
    missing = [name for name in _FIELDS if name not in sizes]
    if missing:
        raise HarnessError(f"{text!r} names no {', '.join(missing)}: all of {', '.join(_FIELDS)} are needed.")
    return llama(*(sizes[name] for name in _FIELDS))
