"""Load a causal language model from a folder: weights, tokenizer and model info; a GGUF is converted once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from peft import PeftConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from harness.api import ModelInfo
from harness.data import manifest
from harness.data.content_hash import file_hash
from harness.errors import HarnessError
from harness.models import gguf_conversion, packing_memory, saved_weights, size_check
from harness.models.compute_device import compute_device, device_note
from harness.models.loaded_weights import check_embedding, check_loading, one_line_errors
from harness.models.local_model import LocalModel
from harness.models.row_budget import answering_sizes
from harness.models.tokenizer import context_window
from harness.prompts import chat_template


def open_model(
    folder: Path,
    info: ModelInfo,
    cache: Path,
    *,
    adapter: Path | None = None,
    dtype: torch.dtype | None = None,
) -> LocalModel:
    """Load a causal language model for inference, all weights frozen; a step unfreezes what it trains.

    Code that comes with a model is never run.

    Args:
        folder: weights as safetensors, or one GGUF file, with the tokenizer's files.
        info: name, revision, licence and note; the rest is filled in.
        cache: folder of converted models.
        adapter: folder of a peft adapter, which is merged into the weights; its tokenizer, if it has one, is used.
        dtype: None: `native_dtype`.

    Raises:
        HarnessError: transformers cannot read the folder, weights are missing, or weights, configuration and tokenizer
            do not belong together.
    """
    weights = prepare_weights(folder, cache)
    device = compute_device()
    tokenizer_folder = adapter if adapter and (adapter / "tokenizer_config.json").is_file() else weights
    with one_line_errors(f"the model in {weights}"):
        tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder, trust_remote_code=False)
        module = _load_module(weights, dtype or native_dtype(device))
        if adapter:
            module = _merge_adapter(module, adapter)
        check_embedding(tokenizer_folder, module, tokenizer)
    module = module.to(device).eval().requires_grad_(False)
    loaded_info = info.model_copy(
        update={
            "parameters": sum(p.numel() for p in module.parameters()),
            "hash": weights_hash(weights, *([adapter] if adapter else [])),
            "tokenizer_hash": tokenizer_hash(tokenizer),
            "chat_template_hash": _text_hash(tokenizer.chat_template) if tokenizer.chat_template else None,
            "context_tokens": context_window(module.config, tokenizer),
            "dtype": str(module.dtype).removeprefix("torch."),
            "note": "; ".join(filter(None, [info.note, *chat_template.notes(tokenizer), device_note()])) or None,
        }
    )
    try:
        supports_packing = packing_memory.supports_packing(module, loaded_info.hash or "", cache)
    except HarnessError as error:
        raise HarnessError(f"the model in {weights} cannot be used: {error}") from error
    model = LocalModel(loaded_info, module, tokenizer, supports_packing=supports_packing)
    model = model.with_sizes(answering_sizes(module))
    if not model.eos_ids:
        raise HarnessError(
            f"the model in {weights} has no token that ends a text: set eos_token in its tokenizer_config.json, or "
            "eos_token_id in its generation_config.json."
        )
    return model


def prepare_weights(folder: Path, cache: Path) -> Path:
    """Return the folder to load a model from; a GGUF is converted to safetensors first, once."""
    weights = gguf_conversion.weights_folder(folder, cache)
    if not gguf_conversion.is_loadable(folder, cache):
        _convert(folder, weights)
    return weights


def native_dtype(device: str) -> torch.dtype:
    """Return bfloat16 where hardware computes in it (GPU, AVX-512 BF16, AMX); else float16 (GPU) or float32 (CPU).

    GPUs before the A100, such as a T4 or a V100, emulate bfloat16 slowly.
    """
    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    has_onednn = torch.backends.mkldnn.is_available()
    return torch.bfloat16 if has_onednn and torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32  # noqa: SLF001 - torch has no public function for it


def weights_hash(*folders: Path) -> str:
    """Return one sha256 over the names and contents of the folders' safetensors."""
    digest = hashlib.sha256()
    for file in (file for folder in folders for file in sorted(folder.glob("*.safetensors"))):
        digest.update(file.name.encode())
        digest.update(bytes.fromhex(file_hash(file)))
    return digest.hexdigest()


def tokenizer_hash(tokenizer: Any) -> str:
    """Return the sha256 of what decides how a tokenizer cuts a text: its model, its rules and its special tokens."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    rules = backend.to_str() if backend else sorted(tokenizer.get_vocab().items())
    return _text_hash([rules, {name: str(token) for name, token in tokenizer.special_tokens_map.items()}])


def _text_hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _load_module(weights: Path, dtype: torch.dtype) -> Any:
    """Load a causal language model all of whose weights are in its files."""
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        weights,
        dtype=dtype,
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
    )
    module, loading = loaded
    check_loading(f"the model in {weights}", module, loading)
    return module


def _merge_adapter(module: Any, folder: Path) -> Any:
    """Merge a peft adapter into the weights that it was trained for."""
    settings = PeftConfig.from_pretrained(str(folder))
    if settings.is_prompt_learning:
        raise HarnessError(
            f"the adapter in {folder} ({settings.peft_type}) cannot be merged into its base model: give a LoRA adapter,"
            " or the base model."
        )
    merged: Any = saved_weights.attach_adapter(module, folder)
    return merged.merge_and_unload(safe_merge=True)


def _convert(folder: Path, target: Path) -> None:
    """Write a GGUF's weights as safetensors in bfloat16, atomically.

    Without `dequantize`, transformers would keep the weights in GGUF's blocks: slow, and not trainable. A damaged
    conversion is replaced.
    """
    gguf_file = gguf_conversion.gguf_file(folder)
    assert gguf_file is not None  # noqa: S101 - `prepare_weights` has looked
    target.parent.mkdir(parents=True, exist_ok=True)
    _check_size(gguf_file)
    with TemporaryDirectory(dir=target.parent) as scratch:
        model_folder = Path(scratch) / "model"
        tokenizer = AutoTokenizer.from_pretrained(gguf_file.parent, gguf_file=gguf_file.name)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            gguf_file.parent,
            gguf_file=gguf_file.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.bfloat16,
            output_loading_info=True,
        )
        module, loading = loaded
        check_loading(f"the model in {gguf_file}", module, loading)
        if hasattr(module.config, "quantization_config"):
            del module.config.quantization_config
        module.save_pretrained(model_folder)
        tokenizer.save_pretrained(model_folder)
        shutil.rmtree(target, ignore_errors=True)
        try:
            os.rename(model_folder, target)  # noqa: PTH104 - Path.rename replaces nothing either; both are atomic
        except OSError:
            if not target.is_dir():  # else another process was first
                raise
    manifest.write(target)


def _check_size(file: Path) -> None:
    """Refuse a GGUF whose weights, in bfloat16, are larger than the memory."""
    from gguf import GGUFReader  # noqa: PLC0415 - half a second, for a conversion only

    elements = sum(int(tensor.n_elements) for tensor in GGUFReader(file).tensors)
    size_check.require_memory(str(file), elements * torch.bfloat16.itemsize)


if __name__ == "__main__":
    prepare_weights(Path(sys.argv[1]), Path(sys.argv[2]))
