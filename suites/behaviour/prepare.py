"""Makes two tasks from SQuAD: a short answer where the passage, or the library, has one, or a refusal."""

from collections.abc import Iterator
from typing import Any

from ..sources import Read, digest, paragraphs, squad

REFUSAL = "unanswerable"
LONGEST = 120
"""Passages with more words are left out: cut, they might lack the answer."""


def questions(read: Read) -> Iterator[dict[str, Any]]:
    """Yield {id, input (passage and question), answers, rejected, passage}.

    The questions of every second passage, by a hash, are asked on a passage of another article, which must not hold
    any of their answers. What is rejected is the other behaviour: a refusal where the passage tells, and where it does
    not, the answer that could only come from memory.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for doc in squad(read):
        if len(doc["text"].split()) <= LONGEST:
            groups.setdefault(doc["passage"], []).append(doc)
    ordered = sorted(groups.values(), key=lambda group: digest("told", group[0]["passage"]))
    instead = _other_passages(ordered[1::2])
    for doc in (doc for group in ordered for doc in group):
        answers = [answer.strip() for answer in doc["answers"]]
        answerable = doc["passage"] not in instead
        passage = doc["text"] if answerable else instead[doc["passage"]]
        yield {
            "id": doc["id"],
            "input": f"{' '.join(passage.split())}\nQuestion: {doc['question'].strip()}",
            "answers": answers if answerable else [REFUSAL],
            "rejected": REFUSAL if answerable else answers[0],
            "passage": doc["passage"],
        }


def library(read: Read) -> Iterator[dict[str, Any]]:
    """Yield {id, title, text} of every second paragraph, by a hash: all that can be found."""
    return (paragraph for paragraph in paragraphs(read) if _in_library(paragraph["id"]))


def requests(read: Read) -> Iterator[dict[str, Any]]:
    """Yield {id, question, answers, rejected, passage, evidence}; what the library does not hold is to be refused.

    A question on a paragraph that it lacks is left out where another paragraph of the same article holds an answer.
    What is rejected is the other behaviour, as in `questions`.
    """
    texts_by_title: dict[str, list[str]] = {}
    for doc in library(read):
        texts_by_title.setdefault(doc["title"], []).append(doc["text"].casefold())
    for doc in squad(read):
        answers = [answer.strip() for answer in doc["answers"]]
        answerable = _in_library(doc["passage"])
        texts = texts_by_title.get(doc["title"].replace("_", " "), [])
        if not answerable and any(answer.casefold() in text for answer in answers for text in texts):
            continue
        yield {
            "id": doc["id"],
            "question": doc["question"].strip(),
            "answers": answers if answerable else [REFUSAL],
            "rejected": REFUSAL if answerable else answers[0],
            "passage": doc["passage"],
            "evidence": [doc["passage"]] if answerable else [],
        }


def _in_library(passage: str) -> bool:
    return digest("library", passage) % 2 == 0


def _other_passages(groups: list[list[dict[str, Any]]]) -> dict[str, str]:
    """Map each passage to another one of the same list, each used once, so that no text is in two splits.

    The other passage is of another article and holds no answer; a passage for which none remains is left out.
    """
    candidates = [group[0] for group in groups]
    replacements: dict[str, str] = {}
    for group in groups:
        answers = {answer.strip().casefold() for doc in group for answer in doc["answers"]}
        for index, candidate in enumerate(candidates):
            text = candidate["text"].casefold()
            if candidate["title"] != group[0]["title"] and not any(answer in text for answer in answers):
                replacements[group[0]["passage"]] = candidates.pop(index)["text"]
                break
    return replacements
