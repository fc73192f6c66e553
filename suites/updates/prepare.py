"""Makes two states of one corpus from SQuAD: facts change in a part of its passages, and so do the answers.

For each passage one question is kept. Where a fact changes, its answer is replaced, everywhere in the passage, by an
answer of the same form (a year, a number, a name) to another question, of the same article if there is one. All
choices go by hashes of ids, so that the two states never change.

A system without the corpus can learn the facts only if they are in its training data. So the training items are the
passages' own sentences with the answer left out; the questions themselves are never trained on. There is no validation
split: facts that are new to a model say nothing of how well it has learned others, and the last epoch is wanted.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from suites.sources import Read, digest, paragraphs, squad

TESTED = 160
"""Questions that are asked."""
GAP = "____"

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")
_YEAR, _NUMBER = re.compile(r"1\d{3}|20\d{2}"), re.compile(r"\d[\d,.]*")
_NAME = re.compile(r"(?:[A-Z][\w.'-]*)(?: (?:of|the|de|[A-Z][\w.'-]*))*")


@dataclass(frozen=True)
class Fact:
    """A passage with one question; `outdated` is the answer before it changed, empty if it did not."""

    id: str
    passage: str
    title: str
    text: str
    question: str
    answer: str
    answers: tuple[str, ...]
    outdated: str = ""

    @property
    def form(self) -> str:
        """What the answer is, as far as its letters tell; empty for anything but a year, a number or a name."""
        forms = {"year": _YEAR, "number": _NUMBER, "name": _NAME}
        return next((name for name, pattern in forms.items() if pattern.fullmatch(self.answer)), "")

    @property
    def cloze(self) -> str:
        """The sentence that holds the answer, with a gap in its place; empty where no sentence does."""
        held = next((s for s in _SENTENCE.split(self.text) if _whole(self.answer).search(s)), "")
        return _whole(self.answer).sub(GAP, held)


def before(read: Read) -> Iterator[dict[str, Any]]:
    """Give {id, input, answers, outdated, passage, split} of the first state."""
    return _rows(_facts(read))


def after(read: Read) -> Iterator[dict[str, Any]]:
    """Give the same of the second state: in half of the tested questions, the fact has changed."""
    return _rows(_changed(_facts(read)))


def corpus_before(read: Read) -> Iterator[dict[str, Any]]:
    """Give {id, title, text} of every passage in the first state."""
    return paragraphs(read)


def corpus_after(read: Read) -> Iterator[dict[str, Any]]:
    """Give the same of the second state."""
    texts = {fact.passage: fact.text for fact in _changed(_facts(read))}
    return (row | {"text": texts.get(row["id"], row["text"])} for row in paragraphs(read))


def _facts(read: Read) -> list[Fact]:
    """Choose one question for each passage that can change, in an order that a hash gives; keep as many as needed."""
    found: dict[str, Fact] = {}
    for doc in squad(read):
        answers = tuple(answer.strip() for answer in doc["answers"])
        fact = Fact(doc["id"], doc["passage"], doc["title"], doc["text"], doc["question"].strip(), answers[0], answers)
        if fact.form and GAP in fact.cloze and not _whole(fact.answer).search(fact.question):
            found.setdefault(fact.passage, fact)
    ordered = sorted(found.values(), key=lambda fact: digest("order", fact.passage))
    return ordered[:TESTED]


def _changed(facts: Sequence[Fact]) -> list[Fact]:
    """Change every second fact."""
    return [_replaced(fact, facts) if place % 2 else fact for place, fact in enumerate(facts)]


def _replaced(fact: Fact, facts: Sequence[Fact]) -> Fact:
    """Put another fact's answer of the same form in place of a fact's own, throughout its passage."""
    others = sorted(
        (other for other in facts if other.form == fact.form and not _alike(other.answer, fact)),
        key=lambda other: (other.title != fact.title, digest("instead", fact.id, other.id)),
    )
    new = others[0].answer
    text = _whole(fact.answer).sub(lambda _: new, fact.text)
    return replace(fact, text=text, answer=new, answers=(new,), outdated=fact.answer)


def _alike(answer: str, fact: Fact) -> bool:
    """Tell whether an answer would change nothing, or already stands in the passage or the question."""
    said = f"{fact.text} {fact.question}".casefold()
    return answer.casefold() in said or any(known.casefold() in answer.casefold() for known in fact.answers)


def _whole(answer: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(answer)}(?!\w)")


def _rows(facts: Sequence[Fact]) -> Iterator[dict[str, Any]]:
    for fact in facts:
        row = {"answers": list(fact.answers), "outdated": fact.outdated, "passage": fact.passage}
        yield row | {"id": fact.id, "input": fact.question, "split": "test"}
        yield row | {"id": f"cloze-{fact.id}", "input": fact.cloze, "split": "train"}
