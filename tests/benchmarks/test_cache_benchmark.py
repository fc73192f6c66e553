"""Decoding with a preallocated KV cache against transformers' own cache: pytest --benchmark-only.

The same weights write the same answers in turn, so that a noisy machine is as noisy for each.
"""

import random

import side_by_side
from transformers import DynamicCache

from harness.decoding import batched_decode
from harness.decoding.batched_decode import DecodeLimits, decode_batched
from harness.measure import allocator

ROUNDS, TARGET = 5, 1.05
SHAPES = {
    "examples": (64, 220, (10, 30), 16),
    "passages": (30, 12, (120, 320), 16),
    "reasoning": (64, 60, (20, 60), 64),
}
"""Prompts, tokens that they begin with alike, least and most of the rest, and tokens written."""


def expand_dynamic_cache(cache, rows, tokens):
    """Do what `expand_cache` does with the library's own cache, which is not preallocated."""
    del tokens
    expanded = DynamicCache()
    for index, layer in enumerate(cache.layers if cache else ()):
        expanded.update(layer.keys.expand(rows, -1, -1, -1), layer.values.expand(rows, -1, -1, -1), index)
    return expanded


def draw_prompts(count, shared, between):
    rng = random.Random(0)
    begin = [rng.randint(100, 40_000) for _ in range(shared)]
    return [begin + [rng.randint(100, 40_000) for _ in range(rng.randint(*between))] for _ in range(count)]


def test_decoding_is_faster_with_a_preallocated_cache(benchmark, monkeypatch):
    allocator.configure()  # as in a trial
    module, figures = side_by_side.fresh_model().module, {}
    for name, (count, shared, between, written) in SHAPES.items():
        prompts, pairs = draw_prompts(count, shared, between), side_by_side.Pairs()
        limits = DecodeLimits(written, frozenset())

        def once(prompts=prompts, limits=limits, pairs=pairs):
            ours, ours_s = side_by_side.timed(lambda: decode_batched(module, prompts, limits))
            with monkeypatch.context() as patched:
                patched.setattr(batched_decode, "expand_cache", expand_dynamic_cache)
                theirs, theirs_s = side_by_side.timed(lambda: decode_batched(module, prompts, limits))
            assert ours == theirs
            pairs.ours_s.append(ours_s)
            pairs.peer_s.append(theirs_s)

        once()
        pairs.ours_s.clear(), pairs.peer_s.clear()
        if name == "examples":
            benchmark.pedantic(once, rounds=ROUNDS, iterations=1)
        else:
            for _ in range(ROUNDS):
                once()
        figures[name] = {"prompts": count, "written": written, "times_as_fast": pairs.summary()}
    benchmark.extra_info.update(figures)
    side_by_side.write("cache", figures, ["transformers"])
    assert figures["examples"]["times_as_fast"]["ratio"] >= TARGET, figures
