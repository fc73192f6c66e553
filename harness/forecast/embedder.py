"""Size of an embedder or reranker, and the tokens that it reads of a corpus."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from harness.api.architecture import Architecture, Footprint
from harness.data.prepare import PreparedTask
from harness.forecast.architecture_lookup import read_architecture
from harness.forecast.memory import ForwardPass, inference_peak
from harness.forecast.token_lengths import sample_passages

_BATCH = 32
"""Passages in a batch of `harness.retrieval.dense`."""
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

    def passage_lengths(self, task: PreparedTask) -> list[int]:
        """Count the tokens of a sample of a task's passages: truncated to the window, special tokens included."""
        passages = sample_passages(task)
        if not passages:
            return []
        tokenizer: Any = import_module("tokenizers").Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        window = self._window
        counts = [len(encoding.ids) for encoding in tokenizer.encode_batch(passages)]
        return [min(count, window) for count in counts] if window else counts

    def activation_bytes(self, lengths: list[int]) -> float:
        """Return the bytes of the largest batch's activations."""
        largest_pass = ForwardPass(_BATCH * max(lengths, default=0), 0)
        return inference_peak(self.shape, Footprint(), largest_pass).activations

    def count_products(self, texts: int) -> int:
        """Count the products of different sizes: texts of similar length are embedded together, batch by batch."""
        return _PRODUCTS * math.ceil(texts / _BATCH)

    @property
    def _window(self) -> int | None:
        file = self.folder / "sentence_bert_config.json"
        return json.loads(file.read_text(encoding="utf-8")).get("max_seq_length") if file.is_file() else None


def open_embedder(folder: Path | None) -> Embedder | None:
    """Open an embedder or a reranker; None where it is not on this machine yet, or has no readable tokenizer."""
    if folder is None or not (folder / "tokenizer.json").is_file():
        return None
    return Embedder(folder, read_architecture(folder))
