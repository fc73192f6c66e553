"""Passages longer than the embedder reads are embedded in parts, and the nearest part counts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.api import Passage, Query
from harness.forecast.embedder import embedding_notes, open_embedder
from harness.retrieval import dense
from harness.retrieval.ranking import PassageRetriever
from tests.tiny import SENTENCES

FILLER = " ".join(SENTENCES[:3]) + " "


@pytest.fixture(scope="module")
def embedder(tiny_embedder):
    return dense.open_embedder(tiny_embedder, torch.float32)


def tokens(embedder, text):
    return embedder.tokenizer(text)["input_ids"]


def test_a_fact_behind_the_window_is_found(embedder):
    window = embedder.max_seq_length
    filler = FILLER * (3 * window // len(tokens(embedder, FILLER)) + 1)
    fact = "The vault code is seven."
    passages = (*(Passage(str(n), filler, "Log") for n in range(5)), Passage("fact", f"{filler}{fact}", "Log"))
    retriever = PassageRetriever((dense.build(embedder, passages),), passages, 2)
    (nearest,) = retriever.find([Query("q", f"Log: {fact}")])
    assert nearest[0].id == "fact"
    assert len({passage.id for passage in nearest}) == 2


def test_every_token_of_a_passage_is_in_a_part_that_fits(embedder):
    text = " ".join(f"word{n}" for n in range(400))
    lines, owners = dense.part_lines(embedder, (Passage("short", "ships", "Log"), Passage("long", text, "Log")))
    assert owners.tolist() == [0] + [1] * (len(lines) - 1)
    assert len(lines) > 2
    assert lines[0] == "Log: ships"
    assert all(line.startswith("Log: ") for line in lines)
    assert max(len(tokens(embedder, line)) for line in lines) <= embedder.max_seq_length + 2
    parts = [line.removeprefix("Log: ") for line in lines[1:]]
    assert parts[0] == text[: len(parts[0])]
    assert text.endswith(parts[-1])
    for n in range(400):
        assert any(f"word{n}" in part.split() for part in parts), n


@settings(max_examples=25, deadline=None)
@given(st.text(alphabet="ab .é日本\n|", min_size=1, max_size=3000), st.integers(0, 400))
def test_parts_of_any_text_cover_it_in_order(embedder, text, title_words):
    if not tokens(embedder, text)[2:]:
        return
    passage = Passage("p", text, "t " * title_words)
    lines, _ = dense.part_lines(embedder, (passage,))
    position = 0
    for line in lines if len(lines) > 1 else []:
        part = line.removeprefix(f"{passage.title}: ")
        start = text.find(part, max(0, position - len(part)))
        assert start >= 0
        assert not text[position:start].strip()
        position = start + len(part)
    assert len(lines) == 1 or not text[position:].strip()


def test_an_index_with_parts_comes_back_as_it_was(embedder, tmp_path):
    passages = tuple(Passage(str(n), f"{sentence} {FILLER * 40}") for n, sentence in enumerate(SENTENCES))
    searcher = dense.build(embedder, passages)
    assert searcher.owners is not None
    searcher.save(tmp_path)
    restored = dense.load(embedder, tmp_path)
    for allowed in (None, np.arange(len(passages)) % 2 == 1):
        expected = searcher.search(SENTENCES, allowed, 3)
        assert restored.search(SENTENCES, allowed, 3) == expected
        assert all(len(row) == 3 for row in expected)
        assert allowed is None or all(allowed[position] for row in expected for position in row)


def test_short_passages_have_one_vector_each(embedder):
    passages = tuple(Passage(str(n), text) for n, text in enumerate(SENTENCES))
    assert dense.build(embedder, passages).owners is None


def test_how_much_lies_beyond_is_counted(tiny_embedder, embedder):
    forecast = open_embedder(tiny_embedder)
    window = embedder.max_seq_length
    long = FILLER * (2 * window // len(tokens(embedder, FILLER)) + 1)
    corpus = (Passage("a", "ships"), Passage("b", long))
    counts = [len(tokens(embedder, text)) for text in ("ships", long)]
    share = (counts[1] - window) / sum(counts)
    sentence = (
        f"1 of 2 passages are longer than the {window} tokens that the embedder tiny reads at once: "
        f"they are embedded in parts ({share:.0%} of the corpus lies beyond the first)."
    )
    assert forecast.long_passages(corpus, "tiny") == sentence
    assert embedding_notes(["tiny", "absent"], corpus, {"tiny": tiny_embedder}.get) == [sentence]
    assert forecast.long_passages(tuple(replace(passage, text="ships") for passage in corpus), "tiny") is None
