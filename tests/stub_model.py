"""Folders that pass for a model's until one is loaded: planning reads no more of them."""

import json


def save_stub(folder, content=b"weights"):
    """Write a configuration, a tokenizer and one tensor of bytes; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}))
    (folder / "tokenizer.json").write_text("{}")
    save_bytes(folder / "model.safetensors", content)
    return folder


def save_bytes(file, content):
    """Write a safetensors file with one tensor."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [len(content)], "data_offsets": [0, len(content)]}}).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header + content)
