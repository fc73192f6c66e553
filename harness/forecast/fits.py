"""GPU memory of a model and a strategy: peak by parts from published sizes, and which GPUs it fits."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from harness.api.architecture import Architecture, Footprint
from harness.errors import HarnessError, unknown
from harness.forecast import memory
from harness.forecast.architecture_lookup import LARGEST_SIZE, llama, read_architecture
from harness.forecast.memory import ForwardPass, PeakMemory
from harness.measure.units import GIB
from harness.models.registry import present
from harness.plan import chain
from harness.plan.discover import find_step

CONTEXT_BYTES = 0.6 * GIB
"""CUDA's context, its kernels and the libraries' workspaces: 0.4 to 0.8 GiB by kind of GPU, not measurable without
one."""
_BITS_16 = 2.0
_FIELDS = ("hidden", "layers", "heads", "kv_heads", "intermediate", "vocab")

KNOWN_ARCHITECTURES: dict[str, Architecture] = {
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
"""Models whose sizes are in their model cards and papers: none of their files is needed."""


@dataclass(frozen=True)
class Gpu:
    """One kind of GPU, with its usable memory by the driver, GiB; the source of that, and the day it was read."""

    name: str
    title: str
    memory_gib: float
    source: str
    read: date


@dataclass(frozen=True)
class MemoryNeed:
    """GPU memory of training, or of inference where nothing is trained.

    Attributes:
        parameters: of the model; trained_parameters: added ones included.
        peak: by parts, bytes; of the step of the chain that needs most.
    """

    parameters: int
    trained_parameters: int
    peak: PeakMemory

    def headroom(self, gpu: Gpu) -> float:
        """Return the bytes left on a GPU; below 0: it does not fit."""
        return gpu.memory_gib * GIB - self.peak.total


def load_gpus() -> tuple[Gpu, ...]:
    """Read the table of GPUs, largest memory first."""
    table = tomllib.loads((Path(__file__).parent / "gpus.toml").read_text(encoding="utf-8"))
    return tuple(sorted((Gpu(**entry) for entry in table["gpu"]), key=lambda gpu: -gpu.memory_gib))


def find_gpu(name: str) -> Gpu:
    """Find a GPU by its name.

    Raises:
        HarnessError: the table has none of this name.
    """
    table = {gpu.name: gpu for gpu in load_gpus()}
    if name.lower() not in table:
        raise unknown("GPU", name, table)
    return table[name.lower()]


def find_architecture(model: str, cache: Path) -> Architecture:
    """Find a model's shape; weights are assumed to be in 16 bits.

    Args:
        model: a pinned name, a folder, a hub id that is in the local cache, a well-known model, or sizes as in
            ``hidden=4096,layers=32,heads=32,kv_heads=8,intermediate=14336,vocab=128256``.
        cache: of converted models.

    Raises:
        HarnessError: it is none of these, or its configuration cannot be read.
    """
    if "=" in model:
        return _parse_sizes(model)
    if model.lower() in KNOWN_ARCHITECTURES:
        return KNOWN_ARCHITECTURES[model.lower()]
    folder = present(model, cache)
    if folder is None:
        hint = "A pinned model, a folder, a hub id in the local cache, or sizes as in 'hidden=4096,layers=32,...' work."
        raise unknown("model", model, KNOWN_ARCHITECTURES, hint=hint)
    return read_architecture(folder, _BITS_16)


def memory_need(shape: Architecture, strategy: str, tokens: int, batch: int, labels: int | None = None) -> MemoryNeed:
    """Predict the peak GPU memory of a strategy.

    Args:
        shape: of the model.
        strategy: a chain, e.g. ``qlora(rank=16)``.
        tokens: of one example, or prompt.
        batch: examples in one pass.
        labels: positions of an example with a label; None: all of them.

    Raises:
        HarnessError: the strategy is unknown.
    """
    footprints = [link.step.footprint(shape) for link in chain.build(strategy, find_step)]
    labels = tokens if labels is None else min(labels, tokens)
    forward_pass = ForwardPass(tokens * batch, labels * batch)
    peaks = [_peak(shape, footprint, forward_pass, tokens * batch) for footprint in footprints]
    highest = max(peaks, key=lambda peak: peak.total)
    trained = max((footprint.trained_parameters for footprint in footprints), default=0)
    return MemoryNeed(shape.parameters, trained, replace(highest, base=CONTEXT_BYTES))


def fitting_gpus(need: MemoryNeed, gpus: Sequence[Gpu]) -> list[Gpu]:
    """Return the GPUs with enough memory, smallest first."""
    return sorted((gpu for gpu in gpus if need.headroom(gpu) >= 0), key=lambda gpu: gpu.memory_gib)


def _peak(shape: Architecture, footprint: Footprint, forward_pass: ForwardPass, cached_tokens: int) -> PeakMemory:
    if footprint.epochs:
        return memory.training_peak(shape, footprint, forward_pass)
    sequences = max(1, cached_tokens // max(forward_pass.tokens, 1))
    return memory.inference_peak(shape, footprint, ForwardPass(forward_pass.tokens, sequences), cached_tokens)


def _parse_sizes(text: str) -> Architecture:
    """Read the sizes of a Llama-like model."""
    sizes: dict[str, int] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name.strip() not in _FIELDS:
            raise unknown("size", name.strip(), _FIELDS, where=repr(text))
        digits = value.strip()
        if not (digits.isdecimal() and len(digits) <= len(str(LARGEST_SIZE)) and 1 <= int(digits) <= LARGEST_SIZE):
            raise HarnessError(
                f"{part.strip()[:60]!r} is no size: write a whole number above 0, as in 'layers=32', of up to "
                f"{LARGEST_SIZE:,}."
            )
        sizes[name.strip()] = int(value)
    missing = [name for name in _FIELDS if name not in sizes]
    if missing:
        raise HarnessError(f"{text!r} names no {', '.join(missing)}: all of {', '.join(_FIELDS)} are needed.")
    return llama(*(sizes[name] for name in _FIELDS))
