"""Makes two tasks from SQuAD: a short answer where the passage, or the library, has one, or a refusal."""

from collections.abc import Iterator
from typing import Any

from suites.sources import Read, digest, paragraphs, squad

REFUSAL = "unanswerable"
LONGEST = 120
"""Passages with more words are left out: cut, they might lack the answer."""


def questions(read: Read) -> Iterator[dict[str, Any]]:
    """Give {id, input (passage and question), answers, rejected, passage}.

    The questions of every second passage, by a hash, are asked on a passage of another article, which must not hold
    any of their answers. What is rejected is the other behaviour: a refusal where the passage tells, and where it does
    not, the answer that could only come from memory.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for doc in squad(read):
        if len(doc["text"].split()) <= LONGEST:
            groups.setdefault(doc["passage"], []).append(doc)
    ordered = sorted(groups.values(), key=lambda group: digest("told", group[0]["passage"]))
    instead = _elsewhere(ordered[1::2])
    for doc in (doc for group in ordered for doc in group):
        answers = [answer.strip() for answer in doc["answers"]]
        told = doc["passage"] not in instead
        passage = doc["text"] if told else instead[doc["passage"]]
        yield {
            "id": doc["id"],
            "input": f"{' '.join(passage.split())}\nQuestion: {doc['question'].strip()}",
            "answers": answers if told else [REFUSAL],
            "rejected": REFUSAL if told else answers[0],
            "passage": doc["passage"],
        }


def library(read: Read) -> Iterator[dict[str, Any]]:
    """Give {id, title, text} of every second paragraph, by a hash: all that can be found."""
    return (one for one in paragraphs(read) if _in_library(one["id"]))


def requests(read: Read) -> Iterator[dict[str, Any]]:
    """Give {id, question, answers, rejected, passage, evidence}; what the library does not hold is to be refused.

    A question on a paragraph that it lacks is left out where another paragraph of the same article holds an answer.
    What is rejected is the other behaviour, as in `questions`.
    """
    held: dict[str, list[str]] = {}
    for doc in library(read):
        held.setdefault(doc["title"], []).append(doc["text"].casefold())
    for doc in squad(read):
        answers = [answer.strip() for answer in doc["answers"]]
        there = _in_library(doc["passage"])
        texts = held.get(doc["title"].replace("_", " "), [])
        if not there and any(answer.casefold() in text for answer in answers for text in texts):
            continue
        yield {
            "id": doc["id"],
            "question": doc["question"].strip(),
            "answers": answers if there else [REFUSAL],
            "rejected": REFUSAL if there else answers[0],
            "passage": doc["passage"],
            "evidence": [doc["passage"]] if there else [],
        }


def _in_library(passage: str) -> bool:
    return digest("library", passage) % 2 == 0


def _elsewhere(groups: list[list[dict[str, Any]]]) -> dict[str, str]:
    """Give each of some passages another one of them, each once, so that no text is met in two splits.

    The other one is of another article and holds no answer; a passage that none is left for keeps out.
    """
    left = [group[0] for group in groups]
    found: dict[str, str] = {}
    for group in groups:
        answers = {answer.strip().casefold() for doc in group for answer in doc["answers"]}
        for place, other in enumerate(left):
            held = other["text"].casefold()
            if other["title"] != group[0]["title"] and not any(answer in held for answer in answers):
                found[group[0]["passage"]] = left.pop(place)["text"]
                break
    return found
