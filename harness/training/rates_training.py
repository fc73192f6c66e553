"""Measured rates of training on this machine for a model's shape, and its memory: a part of `rates`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any

import psutil
import torch
from torch import nn

from harness.measure import allocator
from harness.models import quantised
from harness.training import adapters
from harness.training.batches import TrainingSample
from harness.training.losses import backward
from harness.training.optimiser import MasterAdamW

TOKENS, ITEMS = 384, 16
"""Of the row on which training is timed."""
_VARIED = (352, 288, 416, 320, 448, 384, 464, 304, 432, 336, 400, 272, 368, 480, 256, 240)
"""Lengths of batches: each fits the memory freed by the last one badly, so memory fragments."""
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def measure_training(model: Any) -> dict[str, float]:
    """Time the forward and backward pass of a row and an optimizer update, and measure the allocator's overhead.

    Returns:
        Seconds per token with only norms trained (``through_s``), with all of the blocks' weights (``weights_s``) and
        with an update of rank 8 on every matrix (``small_s``); seconds per weight of an optimizer update
        (``update_s``); the rise of memory (``risen_bytes``) during training of those rank-8 updates on rows of
        ``risen_lengths`` lengths, with at most ``risen_tokens`` tokens and ``risen_predictions`` predictions.
    """
    module = model.module
    for name, weight in module.named_parameters():
        weight.requires_grad_("norm" in name or "ln_" in name)
    rates = {"through_s": _row_s(module)}
    module.requires_grad_(True)
    module.get_input_embeddings().requires_grad_(False)
    rates["weights_s"] = _row_s(module)
    rates["update_s"] = _update_s(module)
    for weight in module.parameters():
        weight.grad = None
    module.requires_grad_(False)
    tuned = adapters.attach_low_rank(model, rank=8, alpha=16, dropout=0.0, targets="all-linear").module
    reset_peak()
    bytes_before, risen = resident_bytes(), 0
    for length in _VARIED:
        examples = build_examples(length, ITEMS)
        backward(tuned, examples, 10**9)
        risen = max(risen, _peak_bytes())
    rates["small_s"] = _row_s(tuned)
    rise = {"risen_bytes": max(0, risen - bytes_before), "risen_tokens": max(_VARIED), "risen_predictions": 3 * ITEMS}
    return rates | rise | {"risen_lengths": len(_VARIED)}


def _row_s(module: Any) -> float:
    """Return the seconds per token of a row's forward and backward pass."""
    batch = build_examples(TOKENS, ITEMS)
    backward(module, batch, 10**9)
    return mean_seconds(lambda: backward(module, batch, 10**9)) / TOKENS


def _update_s(module: Any) -> float:
    weights = [torch.zeros(2**20, dtype=module.dtype, requires_grad=True, device=module.device) for _ in range(8)]
    optimiser = MasterAdamW(weights, weight_decay=0.0)

    def update() -> None:
        for weight in weights:
            weight.grad = torch.ones_like(weight)
        optimiser.step(1e-4)

    update()
    return mean_seconds(update) / (len(weights) * 2**20)


def measure_four_bits(model: Any) -> dict[str, float]:
    """Return the seconds per weight to quantise to 4 bits, and to dequantise."""
    size = model.module.get_input_embeddings().weight.shape[1]
    layer: Any = nn.Sequential(nn.Linear(size, 4 * size, bias=False, dtype=model.module.dtype))
    layer = layer.to(model.module.device).requires_grad_(False)
    layer.get_output_embeddings = lambda: None
    with torch.inference_mode(mode=False):
        quantise_s = mean_seconds(lambda: quantised.quantise(layer), 1)
    dequantise_s = mean_seconds(lambda: quantised.dequantised_weights(layer[0]), 3)
    return {"quantise_s": quantise_s / (4 * size * size), "whole_s": dequantise_s / (4 * size * size)}


def mean_seconds(call: Callable[[], Any], times: int = 2) -> float:
    """Return the mean seconds of several calls; the mean, as other load slows trials down too."""
    seconds: list[float] = []
    for _ in range(times):
        start = perf_counter()
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(perf_counter() - start)
    return fmean(seconds)


def build_examples(tokens: int, items: int = 8) -> list[Any]:
    """Return samples that fill a row of about `tokens` tokens, each with three to predict."""
    length = tokens // items + 1
    words = [20 + index % 40 for index in range(length - 4)]  # a small vocabulary has these too
    return [TrainingSample([5 + item, *words], [7, 8, 9]) for item in range(items)]


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    return int(psutil.Process().memory_info().rss)


def anonymous_bytes() -> int:
    """Return the resident memory that a forked process inherits: without mapped files, which it maps anew."""
    return _status_bytes("RssAnon")


def _peak_bytes() -> int:
    """Return the peak resident memory since `reset_peak`; the present one where the system keeps no peak."""
    return _status_bytes("VmHWM")


def _status_bytes(field: str) -> int:
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return resident_bytes()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), resident_bytes())


def reset_peak() -> None:
    """Return freed memory to the system, and reset the peak (proc_pid_clear_refs(5))."""
    allocator.trim()
    with suppress(OSError):
        _CLEAR.write_text("5", encoding="ascii")
