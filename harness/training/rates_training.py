"""How fast this machine trains a model of a given shape, and what that takes of its memory: a part of `rates`."""

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
"""Of the row that training is timed with."""
_VARIED = (352, 288, 416, 320, 448, 384, 464, 304, 432, 336, 400, 272, 368, 480, 256, 240)
"""Of batches: as one of another length fits the holes of the last one badly, freed memory stays in pieces."""
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def training(model: Any) -> dict[str, float]:
    """Time a row on the way forth and back, and one weight's update, and see what the allocator holds besides.

    Returns:
        Seconds a token with nothing but norms trained (``through_s``), with all of the blocks' weights (``weights_s``)
        and with an update of rank 8 on every matrix (``small_s``); seconds a weight of an update (``update_s``);
        by how many bytes memory rose (``risen_bytes``) while rows of ``risen_lengths`` lengths, at most
        ``risen_tokens`` with ``risen_predictions``, were trained on with those updates.
    """
    module = model.module
    for name, weight in module.named_parameters():
        weight.requires_grad_("norm" in name or "ln_" in name)
    found = {"through_s": _row_s(module)}
    module.requires_grad_(True)
    module.get_input_embeddings().requires_grad_(False)
    found["weights_s"] = _row_s(module)
    found["update_s"] = _update_s(module)
    for weight in module.parameters():
        weight.grad = None
    module.requires_grad_(False)
    tuned = adapters.attach_low_rank(model, rank=8, alpha=16, dropout=0.0, targets="all-linear").module
    begin_peak()
    before, risen = resident(), 0
    for length in _VARIED:
        examples = some_examples(length, ITEMS)
        backward(tuned, examples, 10**9)
        risen = max(risen, _peak_bytes())
    found["small_s"] = _row_s(tuned)
    rise = {"risen_bytes": max(0, risen - before), "risen_tokens": max(_VARIED), "risen_predictions": 3 * ITEMS}
    return found | rise | {"risen_lengths": len(_VARIED)}


def _row_s(module: Any) -> float:
    """Give the seconds a token of a row, forth and back."""
    batch = some_examples(TOKENS, ITEMS)
    backward(module, batch, 10**9)
    return usual(lambda: backward(module, batch, 10**9)) / TOKENS


def _update_s(module: Any) -> float:
    weights = [torch.zeros(2**20, dtype=module.dtype, requires_grad=True, device=module.device) for _ in range(8)]
    optimiser = MasterAdamW(weights, weight_decay=0.0)

    def update() -> None:
        for weight in weights:
            weight.grad = torch.ones_like(weight)
        optimiser.step(1e-4)

    update()
    return usual(update) / (len(weights) * 2**20)


def four_bits(model: Any) -> dict[str, float]:
    """Time how long a weight in 4 bits takes to be made, and to become whole again."""
    size = model.module.get_input_embeddings().weight.shape[1]
    layer: Any = nn.Sequential(nn.Linear(size, 4 * size, bias=False, dtype=model.module.dtype))
    layer = layer.to(model.module.device).requires_grad_(False)
    layer.get_output_embeddings = lambda: None
    with torch.inference_mode(mode=False):
        making = usual(lambda: quantised.quantise(layer), 1)
    whole = usual(lambda: quantised.weights_of(layer[0]), 3)
    return {"quantise_s": making / (4 * size * size), "whole_s": whole / (4 * size * size)}


def usual(call: Callable[[], Any], times: int = 2) -> float:
    """Give the mean seconds of some calls: what else the machine does adds to trials as well."""
    seconds: list[float] = []
    for _ in range(times):
        began = perf_counter()
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(perf_counter() - began)
    return fmean(seconds)


def some_examples(tokens: int, items: int = 8) -> list[Any]:
    """Give examples that fill a row of about so many tokens, each with three to predict."""
    length = tokens // items + 1
    words = [20 + place % 40 for place in range(length - 4)]  # a small vocabulary has these too
    return [TrainingSample([5 + item, *words], [7, 8, 9]) for item in range(items)]


def resident() -> int:
    """Give the resident memory of this process, bytes."""
    return int(psutil.Process().memory_info().rss)


def anonymous() -> int:
    """Give the part of it that a forked process begins with, as files are mapped anew where they are used, bytes."""
    return _status_bytes("RssAnon")


def _peak_bytes() -> int:
    """Give the highest resident memory since `_give_back`; the present one where the system keeps no peak."""
    return _status_bytes("VmHWM")


def _status_bytes(field: str) -> int:
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return resident()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), resident())


def begin_peak() -> None:
    """Return freed memory to the system, and begin the peak anew (proc_pid_clear_refs(5))."""
    allocator.give_back()
    with suppress(OSError):
        _CLEAR.write_text("5", encoding="ascii")
