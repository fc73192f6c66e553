"""Forecasts of memory against figures that others have measured and published.

- peft: README.md, "Use Cases" (github.com/huggingface/peft at 0032f32a82fcec45748606a1b9dcc52986cef168): one A100,
  32-bit weights (its numbers are four bytes a parameter and more), the script's batch of 8 tweets, assumed to be 64
  tokens each, LoRA of rank 8 on queries and values. T5's true number of parameters is used, its cross-attention saves
  nothing in the formulas. Rows with CPU offloading are left out: nothing is offloaded here.
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

from harness.forecast.architecture_lookup import llama, parse_config
from harness.forecast.fits import KNOWN_ARCHITECTURES, find_gpu, fitting_gpus, load_gpus, memory_need
from harness.forecast.memory import BytesPerParameter, ForwardPass, training_peak
from harness.measure.units import GIB

FP32 = {"dtype_bytes": 4.0}
T0_3B = replace(llama(2048, 48, 32, 32, 5120, 32128), exact_parameters=2_849_757_184, **FP32)
MT0_XXL = replace(llama(4096, 48, 64, 64, 10240, 250112), exact_parameters=12_921_057_280, **FP32)
BLOOMZ = replace(
    parse_config({"model_type": "bloom", "hidden_size": 4096, "n_layer": 30, "n_head": 32, "vocab_size": 250880}),
    **FP32,
)
LLAMA = KNOWN_ARCHITECTURES["llama-3.1-8b"]
TWEETS, PACKED = ForwardPass(8 * 64, 8 * 8), ForwardPass(2 * 2048, 2 * 2048 // 8)
ADAM_32 = BytesPerParameter(state_bytes=4, master_bytes=0, step_bytes=4, keeps_best=False)
ADAM_16 = BytesPerParameter(state_bytes=2, master_bytes=0, step_bytes=2, keeps_best=False)
FUSED = BytesPerParameter(state_bytes=1, master_bytes=0, step_bytes=0, keeps_best=False)
"""Eight-bit states, and each weight updated as soon as its gradient is computed (optimizer in backward)."""


def checkpoint(footprint, **changes):
    return replace(footprint, checkpointing=True, **changes)


ATTENTION = LLAMA.low_rank(8, "q_proj,v_proj,o_proj")
PUBLISHED = {
    "peft T0_3B full": (T0_3B, T0_3B.all_weights(), TWEETS, ADAM_32, 47.14, -0.02),
    "peft T0_3B LoRA": (T0_3B, T0_3B.low_rank(8, "q_proj,v_proj"), TWEETS, ADAM_32, 14.4, -0.06),
    "peft mt0-xxl LoRA": (MT0_XXL, MT0_XXL.low_rank(8, "q_proj,v_proj"), TWEETS, ADAM_32, 56, -0.04),
    "peft bloomz-7b1 LoRA": (BLOOMZ, BLOOMZ.low_rank(8, "query_key_value"), ForwardPass(512, 512), ADAM_32, 32, -0.05),
    "torchtune full, paged": (LLAMA, checkpoint(LLAMA.all_weights(), optimizer_states=0), PACKED, FUSED, 18.9, -0.01),
    "torchtune full": (LLAMA, checkpoint(LLAMA.all_weights()), PACKED, FUSED, 37.4, -0.10),
    "torchtune LoRA": (LLAMA, checkpoint(ATTENTION), PACKED, ADAM_16, 16.2, 0.08),
    "torchtune LoRA, no checkpointing": (LLAMA, ATTENTION, PACKED, ADAM_16, 30.3, 0.31),
    "torchtune QLoRA": (LLAMA, checkpoint(LLAMA.low_rank(8, four_bits=True)), PACKED, ADAM_16, 7.4, 0.09),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_forecast_is_as_far_off_a_published_figure_as_is_said(name):
    shape, footprint, largest_pass, per_parameter, published_gib, off = PUBLISHED[name]
    forecast_gib = training_peak(shape, footprint, largest_pass, per_parameter).total / GIB
    assert forecast_gib / published_gib - 1 == pytest.approx(off, abs=0.02)


def test_the_parameters_of_well_known_models_are_those_of_their_cards():
    billions = {
        "llama-3.1-8b": 8.03,
        "llama-2-7b": 6.74,
        "llama-65b": 65.29,
        "llama-3.1-70b": 70.55,
        "mistral-7b": 7.24,
    }
    assert {name: round(KNOWN_ARCHITECTURES[name].parameters / 1e9, 2) for name in billions} == billions
    assert round(BLOOMZ.parameters / 1e9, 2) == 7.07


def test_65_billion_parameters_fit_48_gb_in_four_bits_and_take_780_gb_in_sixteen():
    shape = KNOWN_ARCHITECTURES["llama-65b"]
    per_parameter = BytesPerParameter(master_bytes=0, keeps_best=False)
    four_bits = training_peak(
        shape, checkpoint(shape.low_rank(64, four_bits=True)), ForwardPass(512, 512), per_parameter
    )
    assert 40e9 < four_bits.total < 48e9
    sixteen_bits = replace(per_parameter, step_bytes=2)
    full = training_peak(shape, checkpoint(shape.all_weights()), ForwardPass(512, 512), sixteen_bits)
    assert full.total == pytest.approx(780e9, rel=0.03)


def test_33_billion_parameters_in_four_bits_fit_24_gb():
    shape = KNOWN_ARCHITECTURES["llama-33b"]
    per_parameter = BytesPerParameter(master_bytes=0, keeps_best=False)
    peak = training_peak(shape, checkpoint(shape.low_rank(16, four_bits=True)), ForwardPass(512, 512), per_parameter)
    assert peak.total < 24 * GIB


def test_more_bits_need_a_larger_gpu():
    small, large = (memory_need(LLAMA, name, 1024, 1) for name in ("qlora", "lora"))
    assert fitting_gpus(small, load_gpus())[0].memory_gib < fitting_gpus(large, load_gpus())[0].memory_gib
    assert small.headroom(find_gpu("rtx4090")) > 0
    assert memory_need(LLAMA, "full", 1024, 1).headroom(find_gpu("h100")) < 0


def test_every_gpu_has_a_source_that_was_read_and_no_more_memory_than_its_name_says():
    for gpu in load_gpus():
        assert gpu.source.startswith("https://")
        assert gpu.read >= date(2026, 11, 22)
        nominal_gib = float(gpu.title.split()[-2])
        assert 0.93 * nominal_gib < gpu.memory_gib <= nominal_gib
