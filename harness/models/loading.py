"""Load a causal language model from a folder: weights, tokenizer and model info; a GGUF is converted once."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from harness.api import ModelInfo
from harness.decoding import packing_probe
from harness.errors import HarnessError
from harness.models import gguf_conversion
from harness.models.local_model import LocalModel
from harness.models.tokenizer import context_window
from harness.prompts import chat_template


def open_model(
    folder: Path, info: ModelInfo, cache: Path, *, dtype: torch.dtype | None = None, trust_remote_code: bool = False
) -> LocalModel:
    """Load a causal language model for inference, all weights frozen; a step unfreezes what it trains.

    Args:
        folder: weights as safetensors, or one GGUF file, with the tokenizer's files.
        info: name, revision, licence and note; the rest is filled in.
        cache: folder of converted models and file hashes.
        dtype: None: `native_dtype`.
        trust_remote_code: whether code that comes with the model may run.

    Raises:
        HarnessError: transformers cannot read the folder.
    """
    weights = prepare_weights(folder, cache)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        tokenizer = AutoTokenizer.from_pretrained(weights, trust_remote_code=trust_remote_code)
        module: Any = AutoModelForCausalLM.from_pretrained(
            weights,
            dtype=dtype or native_dtype(device),
            use_safetensors=True,
            trust_remote_code=trust_remote_code,
        )
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        raise HarnessError(f"the model in {weights} cannot be loaded: {str(error).splitlines()[0]}") from error
    module = module.to(device).eval().requires_grad_(False)
    loaded_info = info.model_copy(
        update={
            "parameters": sum(p.numel() for p in module.parameters()),
            "hash": weights_hash(weights, cache),
            "context_tokens": context_window(module.config, tokenizer),
            "dtype": str(module.dtype).removeprefix("torch."),
            "note": "; ".join(filter(None, [info.note, *chat_template.notes(tokenizer)])) or None,
        }
    )
    try:
        supports_packing = packing_probe.supports_packing(module)
    except HarnessError as error:
        raise HarnessError(f"the model in {weights} cannot be used: {error}") from error
    return LocalModel(loaded_info, module, tokenizer, supports_packing=supports_packing)


def prepare_weights(folder: Path, cache: Path) -> Path:
    """Return the folder to load a model from; a GGUF is converted to safetensors first, once."""
    weights = gguf_conversion.weights_folder(folder, cache)
    if not weights.is_dir():
        _convert(folder, weights)
        weights_hash(weights, cache)  # so that no trial's loading includes it
    return weights


def native_dtype(device: str) -> torch.dtype:
    """Return bfloat16 where hardware computes in it (GPU, AVX-512 BF16, AMX); else float16 (GPU) or float32 (CPU)."""
    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32  # noqa: SLF001 - torch has no public function for it


def weights_hash(folder: Path, cache: Path) -> str:
    """Return one sha256 over the names and contents of a folder's safetensors, cached by path, size and mtime."""
    files = sorted(folder.glob("*.safetensors"))
    stamps = [f"{f.resolve()} {f.stat().st_size} {f.stat().st_mtime_ns}" for f in files]
    hash_file = cache / "hashes" / f"{hashlib.sha256(json.dumps(stamps).encode()).hexdigest()}.txt"
    cached = hash_file.read_text(encoding="ascii") if hash_file.is_file() else ""
    if len(cached) == hashlib.sha256().digest_size * 2:  # a shorter one was cut off when its process was killed
        return cached
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    hash_file.parent.mkdir(parents=True, exist_ok=True)
    hash_file.write_text(digest.hexdigest(), encoding="ascii")
    return digest.hexdigest()


def _convert(folder: Path, target: Path) -> None:
    """Write a GGUF's weights as safetensors in bfloat16, atomically.

    Without `dequantize`, transformers would keep the weights in GGUF's blocks: slow, and not trainable.
    """
    gguf_file = next(folder.glob("*.gguf"))
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent) as scratch:
        model_folder = Path(scratch) / "model"
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=gguf_file.name)
        module: Any = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=gguf_file.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
        )
        if hasattr(module.config, "quantization_config"):
            del module.config.quantization_config
        module.save_pretrained(model_folder)
        tokenizer.save_pretrained(model_folder)
        try:
            os.rename(model_folder, target)  # noqa: PTH104 - Path.rename replaces nothing either; both are atomic
        except OSError:
            if not target.is_dir():  # else another process was first
                raise


if __name__ == "__main__":
    prepare_weights(Path(sys.argv[1]), Path(sys.argv[2]))
