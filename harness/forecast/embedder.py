"""What an embedder reads of a corpus, and how large it is."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from harness.api.architecture import Architecture, Footprint
from harness.data.prepare import PreparedTask
from harness.forecast.architecture_lookup import read
from harness.forecast.memory import ForwardPass, answering
from harness.forecast.token_lengths import some_passages

_BATCH = 32
"""Passages that `harness.retrieval.dense` embeds together."""
_PRODUCTS = 3
"""Products of different sizes in a block of BERT's: attention's four are of one size."""


@dataclass(frozen=True)
class Embedder:
    """A sentence-transformers model, by its folder."""

    folder: Path
    shape: Architecture

    @property
    def size_bytes(self) -> float:
        """Of the weights."""
        return self.shape.parameters * self.shape.dtype_bytes

    @property
    def block_parameters(self) -> float:
        """Count the parameters that every token meets: of the vocabulary, it looks one row up only."""
        return self.shape.parameters - self.shape.vocab * self.shape.hidden

    def lengths(self, task: PreparedTask) -> list[int]:
        """Count the tokens of some passages of a task's corpus as they are read: cut at the window, marks included."""
        passages = some_passages(task)
        if not passages:
            return []
        tokenizer: Any = import_module("tokenizers").Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        window = self._window
        counts = [len(one.ids) for one in tokenizer.encode_batch(passages)]
        return [min(count, window) for count in counts] if window else counts

    def held_bytes(self, lengths: list[int]) -> float:
        """Give the bytes of the activations of the largest batch."""
        largest = ForwardPass(_BATCH * max(lengths, default=0), 0)
        return answering(self.shape, Footprint(), largest).activations

    def products(self, texts: int) -> int:
        """Count the products of different sizes: texts of similar length are embedded together, batch by batch."""
        return _PRODUCTS * math.ceil(texts / _BATCH)

    @property
    def _window(self) -> int | None:
        file = self.folder / "sentence_bert_config.json"
        return json.loads(file.read_text(encoding="utf-8")).get("max_seq_length") if file.is_file() else None


def find(folder: Path | None) -> Embedder | None:
    """Open an embedder or a reranker; None where it is not here yet, or has no tokenizer that can be read."""
    if folder is None or not (folder / "tokenizer.json").is_file():
        return None
    return Embedder(folder, read(folder))
