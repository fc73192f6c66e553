"""How fast this machine computes a model of a given shape, and what its libraries hold: what forecasts rest on.

A process of its own calls `measure`, which builds blocks of the model's shape with random weights and times the same
functions that trials call. The heavy libraries are loaded by then, as in a trial's process.
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
from harness.decoding.batched_decode import DecodeLimits, continuations
from harness.decoding.prefix_sharing import log_likelihoods
from harness.models.loading import native_dtype
from harness.models.local_model import LocalModel
from harness.training.batches import rows
from harness.training.rates_training import anonymous, begin_peak, four_bits, resident, some_examples, training, usual

SHORT, LONG = 192, 768
"""Tokens of the passes that are timed; in between, the time a token is taken to change evenly."""
STEPS, ROWS = 8, 32
_BESIDE = (("one", 1), ("many", ROWS))
"""Sequences that are decoded beside each other."""
NEW = (208, 240, 272, 304, 336, 400, 432, 464)
"""Lengths that nothing else has: what is made for them is made while it is looked at."""
EMBEDDER: dict[str, Any] = {
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
}
"""The sizes of all-MiniLM-L6-v2's blocks: those of most embedders for search are of this kind, or wider."""
_ENOUGH_BYTES = 64 * 2**20


def measure(folder: str, imported: list[str]) -> dict[str, Any]:
    """Measure in this process, which has run nothing yet.

    Args:
        folder: of the model; its configuration and its tokenizer are read.
        imported: modules that a trial's process has, besides those that the fork server had.
    """
    for name in imported:
        import_module(name)
    found: dict[str, Any] = {"base_bytes": resident()}
    began = perf_counter()
    AutoTokenizer.from_pretrained(folder)
    config = AutoConfig.from_pretrained(folder)
    found["open_s"] = perf_counter() - began
    model, depth, size_bytes = _model(config)
    found |= {"layers": depth, "matrix_flops": _matrix_flops(model), "bandwidth": _bandwidth()}
    _read(model, LONG)
    found["first_use_bytes"] = max(0, resident() - found["base_bytes"] - size_bytes)
    found |= _codes(model)
    shallow, fewer, _ = _model(config, max(1, depth // 3))
    first = _answering(model, shallow)
    found |= training(model)
    found |= four_bits(model)
    found["embed_s"] = _embedding_s(model)
    again = _answering(model, shallow)  # some seconds later: a machine that others use is slow for a while
    found |= _divided({name: fmean((seconds, again[name])) for name, seconds in first.items()}, depth, fewer)
    before = anonymous()
    for name in ("faiss", "sentence_transformers"):
        import_module(name)
    found["retrieval_bytes"] = max(0, anonymous() - before)
    return found


def _model(config: Any, blocks: int | None = None) -> tuple[Any, int, int]:
    """Make so many blocks with random weights, or as many as no cache of a processor holds."""
    config = deepcopy(config)
    inner = config.get_text_config()
    whole = inner.num_hidden_layers
    device = "cuda" if torch.cuda.is_available() else "cpu"
    block_bytes = 24 * inner.hidden_size**2  # twelve matrices of hidden by hidden in 16 bits, more or less
    inner.num_hidden_layers = blocks or min(whole, max(2, math.ceil(_ENOUGH_BYTES / block_bytes)))
    if getattr(inner, "layer_types", None):
        inner.layer_types = inner.layer_types[: inner.num_hidden_layers]
    with torch.device("meta"):
        module: Any = AutoModelForCausalLM.from_config(config, dtype=native_dtype(device))
    rotary = [(one, name) for one in module.modules() for name, _ in one.named_buffers(recurse=False)]
    module = module.to_empty(device=device).eval().requires_grad_(False)
    for weight in module.parameters():
        weight.data.uniform_(-0.02, 0.02) if weight.ndim > 1 else weight.data.fill_(1)
    for one, name in rotary:
        getattr(one, name).uniform_(0, 1)
    size_bytes = sum(p.numel() * p.element_size() for p in module.parameters())
    return LocalModel(ModelInfo(name="random"), module, None), inner.num_hidden_layers, size_bytes


def _row(tokens: int, items: int = 8) -> Any:
    return rows(some_examples(tokens, items), 10**9)[0]


def _read(model: Any, tokens: int) -> float:
    row = _row(tokens, 1)
    with torch.inference_mode():
        log_likelihoods(model.module, row)
        return usual(lambda: log_likelihoods(model.module, row))


def _codes(model: Any) -> dict[str, float]:
    """Give what a pass of a new length takes besides, as the matrix library makes code for its products and keeps it.

    Of seconds the median over passes, what each takes for the first time less what it takes again; of bytes the mean.
    """
    begin_peak()
    before = anonymous()
    seconds: list[float] = []
    for length in NEW:
        row = _row(length, 1)
        with torch.inference_mode():
            first, again = (usual(partial(log_likelihoods, model.module, row), 1) for _ in range(2))
        seconds.append(first - again)
    begin_peak()
    kept = max(0, anonymous() - before) / len(NEW)
    return {"code_bytes": kept, "code_s": max(0.0, median(seconds))}


def _embedding_s(model: Any) -> float:
    """Give the seconds a token and parameter of an embedder with random weights, on batches as an index is made of."""
    module = model.module
    config = BertConfig(vocab_size=1000, **EMBEDDER)
    embedder = BertModel(config, add_pooling_layer=False).to(module.device, module.dtype).eval()
    size = sum(weight.numel() for weight in embedder.encoder.parameters())
    tokens = torch.ones(32, 160, dtype=torch.long, device=module.device)
    seen = torch.ones_like(tokens)
    seen[1:, -1] = 0  # most are filled up

    def embedded() -> None:
        with torch.inference_mode():
            embedder(input_ids=tokens, attention_mask=seen)

    embedded()
    return usual(embedded) / int(seen.sum()) / size


def _predictions(model: Any) -> float:
    """Give the seconds of a place with logits: the head's product and the log-probabilities."""
    head, places = model.module.get_output_embeddings(), 96
    hidden = torch.randn(places, head.weight.shape[1], dtype=head.weight.dtype, device=head.weight.device)
    targets = torch.zeros(places, dtype=torch.long, device=hidden.device)

    def scored() -> None:
        with torch.inference_mode():
            cross_entropy(head(hidden).float(), targets, reduction="none")

    scored()
    return usual(scored) / places


def _answering(model: Any, shallow: Any) -> dict[str, float]:
    """Give the seconds of a token that is read, of a place with logits, and of a step of decoding at two depths."""
    found = {"read_short_s": _read(model, SHORT) / SHORT, "read_long_s": _read(model, LONG) / LONG}
    found["prediction_s"] = _predictions(model)
    for name, count in _BESIDE:
        found |= {f"step_{name}_s": _step_s(model.module, count), f"flat_{name}_s": _step_s(shallow.module, count)}
    return found


def _divided(found: dict[str, float], depth: int, fewer: int) -> dict[str, float]:
    """Divide what a step takes into what blocks take and what is besides, which no more blocks add to."""
    for name, _ in _BESIDE:
        step, flat = found[f"step_{name}_s"], found.pop(f"flat_{name}_s")
        blocks = depth * max(0.0, step - flat) / max(1, depth - fewer)
        found |= {f"step_{name}_s": min(step, blocks), f"besides_{name}_s": max(0.0, step - blocks)}
    return found


def _step_s(module: Any, count: int) -> float:
    """Give the seconds of one step of decoding with so many sequences."""
    prompts = [[5 + row, *range(20, 34)] for row in range(count)]
    seconds = [_decode_s(module, prompts, steps) for steps in (1, 1 + STEPS)]
    return max(0.0, seconds[1] - seconds[0]) / STEPS


def _decode_s(module: Any, prompts: list[list[int]], steps: int) -> float:
    limits = DecodeLimits(steps, frozenset(), rows=ROWS)
    return usual(lambda: continuations(module, prompts, limits), 3)


def _matrix_flops(model: Any) -> float:
    """Give floating-point operations a second of a large product in the model's type."""
    size = 1024
    a, b = (torch.randn(size, size, device=model.module.device).to(model.module.dtype) for _ in range(2))
    with torch.inference_mode():
        torch.mm(a, b)
        return 2 * size**3 / usual(lambda: torch.mm(a, b), 3)


def _bandwidth() -> float:
    """Give the bytes a second at which memory is copied: each is read once and written once."""
    source = torch.ones(2**25, dtype=torch.uint8, device="cuda" if torch.cuda.is_available() else "cpu")
    target = torch.empty_like(source)
    return 2 * 2**25 / usual(lambda: target.copy_(source), 3)
