"""Forecasts of memory against figures that others have measured and published.

- peft: README.md, "Use Cases" (github.com/huggingface/peft at 0032f32a82fcec45748606a1b9dcc52986cef168): one A100,
  32-bit weights (its numbers are four bytes a parameter and more), the script's batch of 8 tweets, taken as 64 tokens
  each, LoRA of rank 8 on queries and values. T5's true number of parameters is given, its cross-attention keeps nothing
  in the formulas. Rows with CPU offloading are left out: nothing is offloaded here.
- torchtune: README.md, "Memory and training speed" (github.com/pytorch/torchtune at
  0031bfb080bd35ec533c412df883cf2bf7bf7fe4): batches of 2 rows of 2,048 tokens, bfloat16, the loss in 8 chunks, under
  torch.compile, which fuses norms and activations and so keeps less than the formulas say.
- QLoRA: Dettmers et al. 2023, arXiv:2305.14314, abstract and section 1: a model of 65 B parameters in less than 48 GB,
  where 16 bits take more than 780 GB; of 33 B in 24 GB.

No constant was fitted to a row; `off` is by how much a forecast is too high, measured once and held to two points.
"""

from dataclasses import replace
from datetime import date

import pytest

from harness.forecast.architecture_lookup import decoder, llama
from harness.forecast.fits import KNOWN, fitting, gpu, gpus, need
from harness.forecast.memory import GIB, BytesPerParameter, ForwardPass, training

FP32 = {"dtype_bytes": 4.0}
T0_3B = replace(llama(2048, 48, 32, 32, 5120, 32128), exact_parameters=2_849_757_184, **FP32)
MT0_XXL = replace(llama(4096, 48, 64, 64, 10240, 250112), exact_parameters=12_921_057_280, **FP32)
BLOOMZ = replace(
    decoder({"model_type": "bloom", "hidden_size": 4096, "n_layer": 30, "n_head": 32, "vocab_size": 250880}), **FP32
)
LLAMA = KNOWN["llama-3.1-8b"]
TWEETS, PACKED = ForwardPass(8 * 64, 8 * 8), ForwardPass(2 * 2048, 2 * 2048 // 8)
ADAM_32 = BytesPerParameter(state_bytes=4, master_bytes=0, step_bytes=4, keeps_best=False)
ADAM_16 = BytesPerParameter(state_bytes=2, master_bytes=0, step_bytes=2, keeps_best=False)
AT_ONCE = BytesPerParameter(state_bytes=1, master_bytes=0, step_bytes=0, keeps_best=False)
"""Eight-bit states, and each weight updated as soon as its gradient is there."""


def checkpointed(footprint, **changes):
    return replace(footprint, checkpointing=True, **changes)


ATTENTION = LLAMA.low_rank(8, "q_proj,v_proj,o_proj")
PUBLISHED = {
    "peft T0_3B full": (T0_3B, T0_3B.all_weights(), TWEETS, ADAM_32, 47.14, -0.02),
    "peft T0_3B LoRA": (T0_3B, T0_3B.low_rank(8, "q_proj,v_proj"), TWEETS, ADAM_32, 14.4, -0.06),
    "peft mt0-xxl LoRA": (MT0_XXL, MT0_XXL.low_rank(8, "q_proj,v_proj"), TWEETS, ADAM_32, 56, -0.04),
    "peft bloomz-7b1 LoRA": (BLOOMZ, BLOOMZ.low_rank(8, "query_key_value"), ForwardPass(512, 512), ADAM_32, 32, -0.05),
    "torchtune full, paged": (LLAMA, checkpointed(LLAMA.all_weights(), states=0), PACKED, AT_ONCE, 18.9, -0.01),
    "torchtune full": (LLAMA, checkpointed(LLAMA.all_weights()), PACKED, AT_ONCE, 37.4, -0.10),
    "torchtune LoRA": (LLAMA, checkpointed(ATTENTION), PACKED, ADAM_16, 16.2, 0.08),
    "torchtune LoRA, nothing computed again": (LLAMA, ATTENTION, PACKED, ADAM_16, 30.3, 0.31),
    "torchtune QLoRA": (LLAMA, checkpointed(LLAMA.low_rank(8, four_bits=True)), PACKED, ADAM_16, 7.4, 0.09),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_forecast_is_as_far_off_a_published_figure_as_is_said(name):
    shape, footprint, largest, numbers, published_gib, off = PUBLISHED[name]
    said = training(shape, footprint, largest, numbers).total / GIB
    assert said / published_gib - 1 == pytest.approx(off, abs=0.02)


def test_the_parameters_of_well_known_models_are_those_of_their_cards():
    billions = {
        "llama-3.1-8b": 8.03,
        "llama-2-7b": 6.74,
        "llama-65b": 65.29,
        "llama-3.1-70b": 70.55,
        "mistral-7b": 7.24,
    }
    assert {name: round(KNOWN[name].parameters / 1e9, 2) for name in billions} == billions
    assert round(BLOOMZ.parameters / 1e9, 2) == 7.07


def test_65_billion_parameters_fit_48_gb_in_four_bits_and_take_780_gb_in_sixteen():
    shape = KNOWN["llama-65b"]
    kept_small = BytesPerParameter(master_bytes=0, keeps_best=False)
    four_bits = training(shape, checkpointed(shape.low_rank(64, four_bits=True)), ForwardPass(512, 512), kept_small)
    assert 40e9 < four_bits.total < 48e9
    whole = training(shape, checkpointed(shape.all_weights()), ForwardPass(512, 512), replace(kept_small, step_bytes=2))
    assert whole.total == pytest.approx(780e9, rel=0.03)


def test_33_billion_parameters_in_four_bits_fit_24_gb():
    shape = KNOWN["llama-33b"]
    kept_small = BytesPerParameter(master_bytes=0, keeps_best=False)
    said = training(shape, checkpointed(shape.low_rank(16, four_bits=True)), ForwardPass(512, 512), kept_small)
    assert said.total < 24 * GIB


def test_more_bits_need_a_larger_gpu():
    small, large = (need(LLAMA, name, 1024, 1) for name in ("qlora", "lora"))
    assert fitting(small, gpus())[0].memory_gib < fitting(large, gpus())[0].memory_gib
    assert (
        need(LLAMA, "qlora", 1024, 1).headroom(gpu("rtx4090")) > 0 > need(LLAMA, "full", 1024, 1).headroom(gpu("h100"))
    )


def test_every_gpu_has_a_source_that_was_read_and_no_more_memory_than_its_name_says():
    for one in gpus():
        assert one.source.startswith("https://")
        assert one.read >= date(2026, 11, 22)
        assert 0.93 * float(one.title.split()[-2]) < one.memory_gib <= float(one.title.split()[-2])
