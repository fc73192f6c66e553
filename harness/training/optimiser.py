"""AdamW that keeps 32-bit master weights for parameters held in fewer bits.

A bf16 weight near 0.06 has steps of 2.4e-4, so an update of 3e-5 would round to nothing; the update is therefore
made on a 32-bit copy, and the result rounded into the model (Micikevicius et al. 2018, arXiv:1710.03740, section 3.1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from harness.models.compute_device import require_trainable
from harness.models.footprint import storage_bytes


class MasterAdamW:
    """AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) over 32-bit masters of the parameters.

    Gradients are clipped to a global L2 norm of `max_norm` (Pascanu et al. 2013, arXiv:1211.5063, section 3.2).
    `record_memory` gets the bytes of all gradients and of the optimizer's state once, after the first update and before
    the gradients are cleared (`harness.api.Context`).
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        *,
        weight_decay: float,
        max_norm: float = 1.0,
        record_memory: Callable[[int, int], None] | None = None,
    ) -> None:
        self.parameters = list(parameters)
        for parameter in self.parameters:
            require_trainable(parameter.dtype)
        self.masters = [p.detach().float() if p.dtype != torch.float32 else p for p in self.parameters]
        self.max_norm, self._record_memory = max_norm, record_memory
        decayed = [m for m in self.masters if m.ndim > 1]
        undecayed = [m for m in self.masters if m.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": undecayed, "weight_decay": 0.0}]
        self.inner = torch.optim.AdamW([g for g in groups if g["params"]], lr=0.0, fused=True)

    def step(self, learning_rate: float) -> float:
        """Update from the parameters' gradients and clear them.

        Returns:
            The global norm of the gradients before clipping, L2.
        """
        for parameter, master in zip(self.parameters, self.masters, strict=True):
            if master is not parameter:
                master.grad = None if parameter.grad is None else parameter.grad.float()
                parameter.grad = None
        norm = torch.nn.utils.clip_grad_norm_(self.masters, self.max_norm, foreach=True)
        for group in self.inner.param_groups:
            group["lr"] = learning_rate
        self.inner.step()
        self._report_memory()
        self.inner.zero_grad(set_to_none=True)
        with torch.no_grad():
            for parameter, master in zip(self.parameters, self.masters, strict=True):
                if master is not parameter:
                    parameter.copy_(master)
        return float(norm)

    def _report_memory(self) -> None:
        """Report gradient and optimizer memory while the gradients exist; later steps need the same."""
        if self._record_memory is None:
            return
        record_memory, self._record_memory = self._record_memory, None
        gradients = [tensor.grad for tensor in (*self.masters, *self.parameters) if tensor.grad is not None]
        moments = [
            tensor for state in self.inner.state.values() for tensor in state.values() if torch.is_tensor(tensor)
        ]
        pairs = zip(self.parameters, self.masters, strict=True)
        masters = [master for parameter, master in pairs if master is not parameter]
        record_memory(storage_bytes(gradients), storage_bytes([*moments, *masters]))
