"""Size of an embedder or reranker, and the tokens that it reads of a corpus."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from harness.api import Passage
from harness.api.architecture import Architecture, Footprint
from harness.data.prepare import PreparedTask
from harness.forecast.architecture_lookup import read_architecture
from harness.forecast.memory import ForwardPass, inference_peak
from harness.forecast.token_lengths import sample_passages

Locate = Callable[[str], Path | None]
_MODULES = "modules.json"
"""File of an embedder's folder that a cross-encoder's has not."""
_BATCH = 32
"""Passages in a batch of `harness.retrieval.dense`."""
_PARTS_RATIO = 8 / 7
"""Tokens that are read of a passage longer than the window: each part repeats an eighth of the one before."""
_PRODUCTS = 3
"""Products of different sizes in a block of BERT: attention's four are of one size."""


@dataclass(frozen=True)
class Embedder:
    """A sentence-transformers model, by its folder."""

    folder: Path
    shape: Architecture

    @property
    def size_bytes(self) -> float:
        """Bytes of the weights."""
        return self.shape.parameters * self.shape.dtype_bytes

    @property
    def block_parameters(self) -> float:
        """Parameters that each token is multiplied with; of the embedding table it reads one row only."""
        return self.shape.parameters - self.shape.vocab * self.shape.hidden

    def long_passages(self, corpus: Sequence[Passage], name: str) -> str | None:
        """Say how many passages are longer than what is read at once, and how much lies beyond; None: no passage."""
        window = self._window
        texts = [f"{passage.title}: {passage.text}" if passage.title else passage.text for passage in corpus]
        counts = [len(encoding.ids) for encoding in self._tokenizer().encode_batch(texts)] if window and texts else []
        beyond = [count - window for count in counts if window and count > window]
        if not beyond:
            return None
        return (
            f"{len(beyond):,} of {len(corpus):,} passages are longer than the {window} tokens that the embedder {name} "
            f"reads at once: they are embedded in parts ({sum(beyond) / sum(counts):.0%} of the corpus lies beyond the "
            "first)."
        )

    def passage_lengths(self, task: PreparedTask) -> list[int]:
        """Count the tokens of a sample of a task's passages, special tokens and what parts share included."""
        passages = sample_passages(task)
        if not passages:
            return []
        window = self._window
        counts = [len(encoding.ids) for encoding in self._tokenizer().encode_batch(passages)]
        return [count if not window or count <= window else round(count * _PARTS_RATIO) for count in counts]

    def activation_bytes(self, lengths: list[int]) -> float:
        """Return the bytes of the largest batch's activations."""
        longest = max(lengths, default=0)
        largest_pass = ForwardPass(_BATCH * min(longest, self._window or longest), 0)
        return inference_peak(self.shape, Footprint(), largest_pass).activations

    def count_products(self, texts: int) -> int:
        """Count the products of different sizes: texts of similar length are embedded together, batch by batch."""
        return _PRODUCTS * math.ceil(texts / _BATCH)

    def _tokenizer(self) -> Any:
        tokenizer: Any = import_module("tokenizers").Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @property
    def _window(self) -> int | None:
        """Tokens that are read at once: the folder's setting, else the smaller one of tokenizer and model."""
        window = self._setting("sentence_bert_config.json", "max_seq_length")
        if window:
            return window
        limits = [
            self._setting("tokenizer_config.json", "model_max_length"),
            self._setting("config.json", "max_position_embeddings"),
        ]
        return min((limit for limit in limits if limit), default=None)

    def _setting(self, file: str, key: str) -> int | None:
        path = self.folder / file
        number = json.loads(path.read_text(encoding="utf-8")).get(key) if path.is_file() else None
        return int(number) if number else None


def embedding_notes(sources: Iterable[str], corpus: Sequence[Passage], locate: Locate) -> list[str]:
    """Say of each embedder that is on this machine how much of a corpus it cannot read at once.

    Args:
        sources: embedders, and other models, which are left out.
        corpus: the suite's passages.
        locate: gives a source's folder; None: it is not here.
    """
    folders = {source: locate(source) for source in dict.fromkeys(sources)} if corpus else {}
    embedders = {
        name: open_embedder(folder) for name, folder in folders.items() if folder and (folder / _MODULES).is_file()
    }
    notes = [embedder.long_passages(corpus, name) for name, embedder in embedders.items() if embedder]
    return [note for note in notes if note]


def open_embedder(folder: Path | None) -> Embedder | None:
    """Open an embedder or a reranker; None where it is not on this machine yet, or has no readable tokenizer."""
    if folder is None or not (folder / "tokenizer.json").is_file():
        return None
    return Embedder(folder, read_architecture(folder))
