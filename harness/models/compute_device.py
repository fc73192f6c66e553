"""The device that models are computed on: an NVIDIA GPU or the processor. Others are refused until they are tested."""

from __future__ import annotations

import torch

from harness.errors import HarnessError


def compute_device() -> str:
    """Return ``cuda`` where torch sees an NVIDIA GPU, else ``cpu``.

    Raises:
        HarnessError: torch sees an AMD GPU.
    """
    if not torch.cuda.is_available():
        return "cpu"
    if getattr(torch.version, "hip", None):
        raise HarnessError(
            "AMD GPUs (ROCm) are not tested: set HIP_VISIBLE_DEVICES=-1 to compute on the processor, or use an "
            "NVIDIA GPU."
        )
    return "cuda"


def device_note() -> str | None:
    """Say that a GPU of this machine is left unused because it is not tested; None: there is none such."""
    mps = torch.backends.mps
    return "Apple's GPU (MPS) is not tested and not used: computed on the processor" if mps.is_available() else None


def require_trainable(dtype: torch.dtype) -> None:
    """Refuse to train in float16, in which small gradients become zero and there is no loss scaling.

    Raises:
        HarnessError: what to do.
    """
    if dtype is torch.float16:
        raise HarnessError(
            "this GPU does not compute in bfloat16, and gradients in float16 would be lost: train on an A100, L4, "
            "RTX 30 or later, or on the processor with CUDA_VISIBLE_DEVICES=-1; answering works here."
        )
