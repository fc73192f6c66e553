"""Takes the passages of the SQuAD sample that hold most questions for their length, as many as fit into a prompt.

The corpus is a small one of which much is asked, as a handbook is: all of it fits into the window of a small model.
"""

from collections.abc import Iterator
from typing import Any

from ..sources import Read, paragraphs, squad

WORDS = 4_100
"""Words of all passages, titles included, at most: some 5,700 tokens of SmolLM2's tokenizer."""


def questions(read: Read) -> Iterator[dict[str, Any]]:
    """Yield {id, question, answers, passage} of each question on a passage of the corpus."""
    ids = {row["id"] for row in corpus(read)}
    return (row for row in squad(read) if row["passage"] in ids)


def corpus(read: Read) -> Iterator[dict[str, Any]]:
    """Yield {id, title, text} of the passages with the fewest words a question, in the order of the sample."""
    rows = list(paragraphs(read))
    asked: dict[str, int] = {}
    for row in squad(read):
        asked[row["passage"]] = asked.get(row["passage"], 0) + 1
    words = {row["id"]: len(f"{row['title']} {row['text']}".split()) for row in rows}
    chosen: set[str] = set()
    total = 0
    for name in sorted(words, key=lambda name: (words[name] / asked[name], name)):
        total += words[name]
        if total > WORDS:
            break
        chosen.add(name)
    return (row for row in rows if row["id"] in chosen)
