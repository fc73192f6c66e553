"""Sizes of the acceptance checks: those of one GPU, and tiny ones that exercise the same code on a processor."""

from dataclasses import dataclass, replace

import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from harness.api import ModelInfo
from harness.forecast.architecture_lookup import parse_config
from harness.models.local_model import LocalModel

_LLAMA_1B = {
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "vocab_size": 128_256,
    "tie_word_embeddings": True,
    "max_position_embeddings": 131_072,
}
_LLAMA_8B = {
    **_LLAMA_1B,
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_hidden_layers": 32,
    "head_dim": 128,
    "tie_word_embeddings": False,
}
_TINY = {
    **_LLAMA_1B,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 512,
}


@dataclass(frozen=True)
class Scale:
    """Where the checks run, and how large they are.

    Attributes:
        tiny: sizes that a processor computes in a second.
        measures: whether bytes and rates mean anything here; else the code is only run.
    """

    device: str
    dtype: torch.dtype
    tiny: bool
    measures: bool

    def pick(self, full, tiny):
        """Return the size for this scale."""
        return tiny if self.tiny else full

    def config(self, name, **changes):
        """Return the configuration of ``1B`` or ``8B``: Llama-3.2-1B's or Llama-3.1-8B's."""
        sizes = _TINY if self.tiny else {"1B": _LLAMA_1B, "8B": _LLAMA_8B}[name]
        return LlamaConfig(**{**sizes, **changes})

    def model(self, name, *, dtype=None, **changes):
        """Build a model with random weights on the device, all frozen, and its shape."""
        config = self.config(name, **changes)
        with torch.device(self.device):
            module = AutoModelForCausalLM.from_config(config, dtype=dtype or self.dtype)
        for weight in module.parameters():
            weight.data.uniform_(-0.02, 0.02) if weight.ndim > 1 else weight.data.fill_(1)
        module = module.eval().requires_grad_(False)
        shape = replace(parse_config(config.to_dict()), dtype_bytes=float(module.dtype.itemsize))
        return LocalModel(ModelInfo(name=f"random {name}"), module, None), shape

    def synchronize(self):
        """Wait for the GPU."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def reset_peak(self):
        """Return what is cached, and begin a new peak; return the bytes allocated now."""
        if self.device != "cuda":
            return 0
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()

    def peak_bytes(self):
        """Return the peak of the bytes that torch had allocated; None on a processor."""
        return torch.cuda.max_memory_allocated() if self.device == "cuda" else None


GPU = Scale("cuda", torch.bfloat16, tiny=False, measures=True)
PROCESSOR = Scale("cpu", torch.float32, tiny=True, measures=False)
