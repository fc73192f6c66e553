"""Reshapes 20 Newsgroups and Reuters R8 into {text (its first words), topic, split}, on the split they are known by.

Texts that begin alike are left out, all of them.
"""

from collections.abc import Iterator
from typing import Any

from ..sources import Read, first_words, unique_rows

FOLDER = "orangecontrib/text/datasets/"
HEADER_LINES = 3
SHORTEST, LONGEST = 10, 70
"""Texts with fewer words are left out, longer ones cut."""


def newsgroups(read: Read) -> Iterator[dict[str, Any]]:
    """20 Newsgroups, by date."""
    return unique_rows(_rows(read, "20newsgroups"), "text")


def reuters(read: Read) -> Iterator[dict[str, Any]]:
    """Reuters-21578, the ModApte split of the eight commonest classes with one label."""
    return unique_rows(_rows(read, "reuters-r8"), "text")


def _rows(read: Read, name: str) -> Iterator[dict[str, Any]]:
    for split in ("train", "test"):
        lines = read(f"{FOLDER}{name}-{split}.tab").decode().split("\n")[HEADER_LINES:]
        for number, line in enumerate(lines, 1):
            topic, _, text = line.strip().partition("\t")
            if len(text.split()) >= SHORTEST:
                yield {
                    "id": f"{split}-{number}",
                    "text": first_words(text, LONGEST),
                    "topic": topic,
                    "split": split,
                }
