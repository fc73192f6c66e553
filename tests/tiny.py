"""Tiny real models, made from a configuration and a seed: no download, and quick on one core."""

from pathlib import Path

import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from harness.api import ModelInfo
from harness.models.loading import open_model

WINDOW = 512
SENTENCES = (
    "The film was good, and the music was a delight.",
    "The film was bad; nobody in the room stayed awake.",
    "Question: Which river runs through the city?\nAnswer: the Amber river",
    "Classify the sentiment of the review as positive or negative.",
    "A harbour is a place where ships are safe from the storm.",
    "Answer the question with a short phrase.\n\n",
)
CHAT = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    "{# roles: system, user, assistant #}"
)
NO_SYSTEM = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
_ENDS = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
_SIZES = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": WINDOW}
_GROUPED = {**_SIZES, "intermediate_size": 128, "num_key_value_heads": 2}
_CONFIGS = {
    "llama": (transformers.LlamaConfig, _GROUPED),
    "tied": (transformers.LlamaConfig, {**_GROUPED, "tie_word_embeddings": True}),
    "gpt2": (transformers.GPT2Config, _SIZES),
    "capped": (  # its output is more than the product with the output embeddings
        transformers.GraniteConfig,
        {**_GROUPED, "logits_scaling": 4.0},
    ),
    "sliding": (transformers.MistralConfig, {**_GROUPED, "sliding_window": 6}),
    "recurrent": (transformers.MambaConfig, {"hidden_size": 64, "num_hidden_layers": 2, "state_size": 8}),
}


def make_tokenizer(template: str | None = CHAT, *, adds_bos: bool = False) -> transformers.PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer on a handful of sentences."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = [*_ENDS.values(), "<|system|>", "<|user|>", "<|assistant|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=384,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(SENTENCES, trainer)
    if adds_bos:
        inner.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, model_max_length=WINDOW, **_ENDS)
    tokenizer.chat_template = template
    return tokenizer


def make_spaced_tokenizer(template: str | None = None) -> transformers.PreTrainedTokenizerFast:
    """Train a tokenizer that puts a space before every text, as Llama 2's does (SentencePiece's dummy prefix)."""
    inner = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True))
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    inner.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    inner.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    special = [*_ENDS.values(), *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=special, max_token_length=8, show_progress=False)
    inner.train_from_iterator(SENTENCES, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, model_max_length=WINDOW, **_ENDS)
    tokenizer.chat_template = template
    return tokenizer


def save_model(
    folder: Path,
    kind: str = "llama",
    *,
    template: str | None = CHAT,
    adds_bos: bool = False,
    spaced: bool = False,
    seed: int = 0,
    window: int = WINDOW,
) -> Path:
    """Write a causal language model with random weights as safetensors; return its folder."""
    tokenizer = make_spaced_tokenizer(template) if spaced else make_tokenizer(template, adds_bos=adds_bos)
    build, sizes = _CONFIGS[kind]
    if window != WINDOW:
        tokenizer.model_max_length, sizes = window, {**sizes, "max_position_embeddings": window}
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = build(vocab_size=len(tokenizer), initializer_range=0.15, **sizes, **ids)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    module.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_embedder(folder: Path, prompts: dict[str, str] | None = None) -> Path:
    """Write a sentence-transformers model with random weights and its prompts by use; return its folder."""
    inner = folder.with_name(f"{folder.name}-transformer")
    tokenizer = make_tokenizer(None)
    sizes = {**_SIZES, "hidden_size": 32, "intermediate_size": 64}
    config = transformers.BertConfig(vocab_size=len(tokenizer), initializer_range=0.3, **sizes)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.BertModel(config).save_pretrained(inner)
    tokenizer.save_pretrained(inner)
    transformer = Transformer(str(inner))
    SentenceTransformer(modules=[transformer, Pooling(32)], device="cpu", prompts=prompts).save(str(folder))
    return folder


def save_cross_encoder(folder: Path, *, scores: int = 1) -> Path:
    """Write a cross-encoder with random weights that gives so many scores a pair; return its folder."""
    tokenizer = make_tokenizer(None)
    sizes = {**_SIZES, "hidden_size": 32, "intermediate_size": 64}
    config = transformers.BertConfig(vocab_size=len(tokenizer), num_labels=scores, initializer_range=0.5, **sizes)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def open_tiny(folder: Path, cache: Path):
    """Load a saved model in float32."""
    return open_model(folder, ModelInfo(name="tiny"), cache, dtype=torch.float32)
