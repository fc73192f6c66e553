"""Measured rates of this machine for a model's shape, and the memory of its libraries: the basis of forecasts.

`measure` runs in a separate process: it builds blocks of the model's shape with random weights and times the functions
that trials call. The heavy libraries are loaded before, as in a trial's process.
"""

from __future__ import annotations

import math
from copy import deepcopy
from functools import partial
from importlib import import_module
from statistics import fmean, median
from time import perf_counter
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BertConfig, BertModel

from harness.api import ModelInfo
from harness.decoding.batched_decode import DecodeLimits, decode_batched
from harness.decoding.prefix_sharing import log_likelihoods
from harness.models.compute_device import compute_device
from harness.models.loading import native_dtype
from harness.models.local_model import LocalModel
from harness.training.batches import pack_rows
from harness.training.rates_training import (
    anonymous_bytes,
    build_examples,
    mean_seconds,
    measure_four_bits,
    measure_training,
    reset_peak,
    resident_bytes,
)

SHORT, LONG = 192, 768
"""Tokens of the timed passes; between them, the time per token is interpolated linearly."""
STEPS, ROWS = 8, 32
_SEQUENCES = (("one", 1), ("many", ROWS))
"""Sequences that are decoded together, by the name in the rates."""
UNUSED_LENGTHS = (208, 240, 272, 304, 336, 400, 432, 464)
"""Lengths that no other pass has, so that code for them is generated while it is measured."""
EMBEDDER: dict[str, Any] = {
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
}
"""Sizes of all-MiniLM-L6-v2's blocks; most embedders for search have these, or wider ones."""
_MIN_MODEL_BYTES = 64 * 2**20
"""More than a CPU's cache holds."""


def measure(folder: str, imported: list[str]) -> dict[str, Any]:
    """Measure in this process, which has run no model yet.

    Args:
        folder: of the model; its configuration and its tokenizer are read.
        imported: modules that a trial's process loads, besides those of the fork server.
    """
    for name in imported:
        import_module(name)
    rates: dict[str, Any] = {"base_bytes": resident_bytes()}
    start = perf_counter()
    AutoTokenizer.from_pretrained(folder)
    config = AutoConfig.from_pretrained(folder)
    rates["open_s"] = perf_counter() - start
    model, depth, size_bytes = _random_model(config)
    rates |= {"layers": depth, "matrix_flops": _matrix_flops(model), "bandwidth": _bandwidth()}
    _time_read(model, LONG)
    rates["first_use_bytes"] = max(0, resident_bytes() - rates["base_bytes"] - size_bytes)
    rates |= _measure_compilation(model)
    shallow, shallow_depth, _ = _random_model(config, max(1, depth // 3))
    first = _measure_answering(model, shallow)
    rates |= measure_training(model)
    rates |= measure_four_bits(model)
    rates["embed_s"] = _embedding_s(model)
    second = _measure_answering(model, shallow)  # some seconds later: a shared machine is slow for a while
    rates |= _split_step_seconds(
        {name: fmean((seconds, second[name])) for name, seconds in first.items()}, depth, shallow_depth
    )
    bytes_before = anonymous_bytes()
    for name in ("faiss", "sentence_transformers"):
        import_module(name)
    rates["retrieval_bytes"] = max(0, anonymous_bytes() - bytes_before)
    return rates


def _random_model(config: Any, blocks: int | None = None) -> tuple[Any, int, int]:
    """Build a model of `blocks` blocks with random weights; None: enough to exceed a CPU's cache."""
    config = deepcopy(config)
    inner = config.get_text_config()
    layers = inner.num_hidden_layers
    device = compute_device()
    block_bytes = 24 * inner.hidden_size**2  # twelve matrices of hidden by hidden in 16 bits, more or less
    inner.num_hidden_layers = blocks or min(layers, max(2, math.ceil(_MIN_MODEL_BYTES / block_bytes)))
    if getattr(inner, "layer_types", None):
        inner.layer_types = inner.layer_types[: inner.num_hidden_layers]
    with torch.device("meta"):
        module: Any = AutoModelForCausalLM.from_config(config, dtype=native_dtype(device))
    rotary = [(part, name) for part in module.modules() for name, _ in part.named_buffers(recurse=False)]
    module = module.to_empty(device=device).eval().requires_grad_(False)
    for weight in module.parameters():
        weight.data.uniform_(-0.02, 0.02) if weight.ndim > 1 else weight.data.fill_(1)
    for part, name in rotary:
        getattr(part, name).uniform_(0, 1)
    size_bytes = sum(p.numel() * p.element_size() for p in module.parameters())
    return LocalModel(ModelInfo(name="random"), module, None), inner.num_hidden_layers, size_bytes


def _build_row(tokens: int, items: int = 8) -> Any:
    return pack_rows(build_examples(tokens, items), 10**9)[0]


def _time_read(model: Any, tokens: int) -> float:
    row = _build_row(tokens, 1)
    with torch.inference_mode():
        log_likelihoods(model.module, row)
        return mean_seconds(lambda: log_likelihoods(model.module, row))


def _measure_compilation(model: Any) -> dict[str, float]:
    """Return what a pass of a new length costs extra: the matrix library generates code for its products and caches it.

    Seconds: the median over passes of the first run minus the second; bytes: the mean.
    """
    reset_peak()
    bytes_before = anonymous_bytes()
    seconds: list[float] = []
    for length in UNUSED_LENGTHS:
        row = _build_row(length, 1)
        with torch.inference_mode():
            first, second = (mean_seconds(partial(log_likelihoods, model.module, row), 1) for _ in range(2))
        seconds.append(first - second)
    reset_peak()
    code_bytes = max(0, anonymous_bytes() - bytes_before) / len(UNUSED_LENGTHS)
    return {"code_bytes": code_bytes, "code_s": max(0.0, median(seconds))}


def _embedding_s(model: Any) -> float:
    """Return the seconds per token and parameter of an embedder with random weights, on batches like an index's."""
    module = model.module
    config = BertConfig(vocab_size=1000, **EMBEDDER)
    embedder = BertModel(config, add_pooling_layer=False).to(module.device, module.dtype).eval()
    size = sum(weight.numel() for weight in embedder.encoder.parameters())
    tokens = torch.ones(32, 160, dtype=torch.long, device=module.device)
    mask = torch.ones_like(tokens)
    mask[1:, -1] = 0  # most are padded

    def embed() -> None:
        with torch.inference_mode():
            embedder(input_ids=tokens, attention_mask=mask)

    embed()
    return mean_seconds(embed) / int(mask.sum()) / size


def _prediction_s(model: Any) -> float:
    """Return the seconds per position with logits: the head's product and the log-probabilities."""
    head, positions = model.module.get_output_embeddings(), 96
    hidden = torch.randn(positions, head.weight.shape[1], dtype=head.weight.dtype, device=head.weight.device)
    targets = torch.zeros(positions, dtype=torch.long, device=hidden.device)

    def predict() -> None:
        with torch.inference_mode():
            cross_entropy(head(hidden).float(), targets, reduction="none")

    predict()
    return mean_seconds(predict) / positions


def _measure_answering(model: Any, shallow: Any) -> dict[str, float]:
    """Return the seconds per token read, per position with logits, and per decoding step at two depths."""
    rates = {"read_short_s": _time_read(model, SHORT) / SHORT, "read_long_s": _time_read(model, LONG) / LONG}
    rates["prediction_s"] = _prediction_s(model)
    for name, count in _SEQUENCES:
        rates |= {f"step_{name}_s": _step_s(model.module, count), f"flat_{name}_s": _step_s(shallow.module, count)}
    return rates


def _split_step_seconds(rates: dict[str, float], depth: int, shallow_depth: int) -> dict[str, float]:
    """Divide a decoding step's seconds into those of the blocks and those that don't depend on their number."""
    for name, _ in _SEQUENCES:
        step, shallow_step = rates[f"step_{name}_s"], rates.pop(f"flat_{name}_s")
        blocks = depth * max(0.0, step - shallow_step) / max(1, depth - shallow_depth)
        rates |= {f"step_{name}_s": min(step, blocks), f"besides_{name}_s": max(0.0, step - blocks)}
    return rates


def _step_s(module: Any, count: int) -> float:
    """Return the seconds of one decoding step with `count` sequences."""
    prompts = [[5 + row, *range(20, 34)] for row in range(count)]
    seconds = [_decode_s(module, prompts, steps) for steps in (1, 1 + STEPS)]
    return max(0.0, seconds[1] - seconds[0]) / STEPS


def _decode_s(module: Any, prompts: list[list[int]], steps: int) -> float:
    limits = DecodeLimits(steps, frozenset(), max_rows=ROWS)
    return mean_seconds(lambda: decode_batched(module, prompts, limits), 3)


def _matrix_flops(model: Any) -> float:
    """Return floating-point operations per second of a large product in the model's dtype."""
    size = 1024
    a, b = (torch.randn(size, size, device=model.module.device).to(model.module.dtype) for _ in range(2))
    with torch.inference_mode():
        torch.mm(a, b)
        return 2 * size**3 / mean_seconds(lambda: torch.mm(a, b), 3)


def _bandwidth() -> float:
    """Return the bytes per second at which memory is copied: each is read once and written once."""
    source = torch.ones(2**25, dtype=torch.uint8, device=compute_device())
    target = torch.empty_like(source)
    return 2 * 2**25 / mean_seconds(lambda: target.copy_(source), 3)
