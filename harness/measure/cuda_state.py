"""What torch can do with a GPU in this process; torch is not imported for it."""

from __future__ import annotations

import sys


def torch_cannot_use_cuda() -> bool:
    """Tell whether CUDA was initialised before this process was forked: it cannot be used here then."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.cuda._is_in_bad_fork())  # noqa: SLF001 - torch has no public question for it
