"""Devices that are not tested are refused or left unused in one line; old GPUs compute in float16."""

import pytest
import torch

from harness.errors import HarnessError
from harness.models.compute_device import compute_device, device_note, require_trainable
from harness.models.loading import native_dtype
from harness.training.optimiser import MasterAdamW


def test_an_amd_gpu_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert compute_device() == "cuda"
    monkeypatch.setattr(torch.version, "hip", "6.4")
    with pytest.raises(HarnessError, match="HIP_VISIBLE_DEVICES=-1") as error:
        compute_device()
    assert "\n" not in str(error.value)


def test_an_apple_gpu_is_left_unused_and_that_is_noted(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert device_note() is None
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert "not used" in device_note()
    if not torch.cuda.is_available():
        assert compute_device() == "cpu"


@pytest.mark.parametrize(("native", "dtype"), [(True, torch.bfloat16), (False, torch.float16)])
def test_a_gpu_that_only_emulates_bfloat16_computes_in_float16(monkeypatch, native, dtype):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native or including_emulation)
    assert native_dtype("cuda") is dtype


def test_without_onednn_a_processor_computes_in_float32(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert native_dtype("cpu") is torch.float32


def test_float16_is_not_trained():
    require_trainable(torch.bfloat16)
    with pytest.raises(HarnessError, match="answering works here"):
        MasterAdamW([torch.zeros(2, 2, dtype=torch.float16, requires_grad=True)], weight_decay=0.0)
