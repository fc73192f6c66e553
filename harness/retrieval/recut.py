"""A corpus cut anew into passages of another length, which go by the suite's passages whose text they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from harness.api import Passage
from harness.data.text_blocks import Block, cut_blocks, join_blocks, markdown_blocks


def recut(corpus: Sequence[Passage], words: int, overlap: float) -> tuple[Passage, ...]:
    """Cut the texts of a corpus into passages of about `words` words.

    Passages of one file are put together first; a passage of a table is a text of its own, and so are those that other
    people may read.

    Args:
        corpus: the suite's passages, in the order of their texts.
        words: about how long the passages are.
        overlap: share of `words` that a passage repeats from the end of the one before, in [0, 1).

    Returns:
        The passages; `Passage.covers` of each has the suite's passages that it holds half of, or that half of it is
        from, the one with most of its words first.
    """
    texts = groupby(corpus, key=lambda passage: (_file(passage), passage.readers))
    return tuple(passage for _, group in texts for passage in _cut_text(list(group), words, round(overlap * words)))


def _file(passage: Passage) -> str:
    """Return the file that a passage is of; of a table, the passage itself."""
    file, mark, _ = passage.id.rpartition("#")
    return file if mark else passage.id


def _cut_text(sources: Sequence[Passage], words: int, overlap: int) -> Iterator[Passage]:
    sizes = [len(passage.text.split()) for passage in sources]
    blocks = (
        replace(block, page=number)  # the number of the suite's passage, where a document has the page
        for number, passage in enumerate(sources)
        for block in markdown_blocks(passage.text)
    )
    pieces = list(cut_blocks(blocks, words))
    if len(pieces) == len(sources) == 1:
        yield sources[0]
        return
    tail = ""
    for index, piece in enumerate(pieces, 1):
        text = join_blocks(piece)
        covers = _covered(piece, sizes)
        first = sources[covers[0]]
        names = tuple(sources[number].id for number in covers)
        yield Passage(f"{first.id}/{index}", f"{tail}\n\n{text}" if tail else text, first.title, first.readers, names)
        tail = " ".join(text.split()[-overlap:]) if overlap else ""


def _covered(piece: Sequence[Block], sizes: Sequence[int]) -> list[int]:
    """Return the numbers of the passages that a piece holds half of, or that half of it is from; at least one."""
    counts = Counter[int]()
    for block in piece:
        counts[block.page or 0] += block.words
    ranked = counts.most_common()
    half = sum(counts.values()) / 2
    return [number for n, (number, count) in enumerate(ranked) if not n or count >= min(half, sizes[number] / 2)]
