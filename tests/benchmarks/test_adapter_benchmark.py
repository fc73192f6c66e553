"""What an adapter beside the weights costs a model that answers: added up in place, as peft adds it, and without.

The same weights read the same prompts in turn, so that a noisy machine is as noisy for each: pytest --benchmark-only.
"""

import side_by_side
import torch

from harness import allocator
from harness.models import lowrank
from harness.training.adapters import attach_low_rank

ROUNDS, TARGET = 5, 1.15
SHAPES = {"passages": (16, 250), "a short question": (1, 24)}
"""Prompts read together, and their tokens."""


def peft_adds(module):
    for layer in module.modules():
        if isinstance(layer, lowrank._Adding):
            layer.__class__ = type(layer).__mro__[2]


def seconds(module, tokens):
    def read():
        with torch.inference_mode():
            for _ in range(max(1, 400 // tokens.numel())):
                module(tokens, logits_to_keep=1)

    return side_by_side.timed(read)[1]


def test_an_adapter_costs_little_where_it_is_added_in_place(benchmark):
    allocator.settle()  # as in a trial
    plain = side_by_side.fresh_model().module
    adapted = attach_low_rank(
        side_by_side.fresh_model(), rank=16, alpha=32.0, dropout=0.0, targets="all-linear"
    ).module.eval()
    generator, found = torch.Generator().manual_seed(0), {}
    for name, shape in SHAPES.items():
        tokens = torch.randint(5, 40_000, shape, generator=generator)
        without, ours, peft = side_by_side.Pairs(), side_by_side.Pairs(), side_by_side.Pairs()

        def once(tokens=tokens, without=without, ours=ours, peft=peft):
            alone = seconds(plain, tokens)
            lowrank.add_in_place(adapted)
            in_place = seconds(adapted, tokens)
            peft_adds(adapted)
            in_three = seconds(adapted, tokens)
            without.ours_s.append(alone), without.peer_s.append(in_place)
            peft.ours_s.append(alone), peft.peer_s.append(in_three)
            ours.ours_s.append(in_place), ours.peer_s.append(in_three)

        once()
        for pairs in (without, ours, peft):
            pairs.ours_s.clear(), pairs.peer_s.clear()
        if name == "passages":
            benchmark.pedantic(once, rounds=ROUNDS, iterations=1)
        else:
            for _ in range(ROUNDS):
                once()
        found[name] = {
            "prompts": shape[0],
            "tokens": shape[1],
            "times_without_in_place": without.summary()["ratio"],
            "times_without_as_peft": peft.summary()["ratio"],
            "times_as_fast_as_peft": ours.summary(),
        }
    benchmark.extra_info.update(found)
    side_by_side.write("adapter", found, ["peft"])
    assert found["passages"]["times_as_fast_as_peft"]["ratio"] >= TARGET, found
