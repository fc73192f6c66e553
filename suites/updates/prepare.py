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

from ..sources import Read, digest, paragraphs, squad

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
        """Form of the answer: year, number or name; empty for any other."""
        forms = {"year": _YEAR, "number": _NUMBER, "name": _NAME}
        return next((name for name, pattern in forms.items() if pattern.fullmatch(self.answer)), "")

    @property
    def cloze(self) -> str:
        """The sentence with the answer, the answer replaced by a gap; empty where there is none."""
        sentence = next((s for s in _SENTENCE.split(self.text) if _whole_words(self.answer).search(s)), "")
        return _whole_words(self.answer).sub(GAP, sentence)


def before(read: Read) -> Iterator[dict[str, Any]]:
    """Yield {id, input, answers, outdated, passage, split} of the first state."""
    return _rows(_facts(read))


def after(read: Read) -> Iterator[dict[str, Any]]:
    """Yield the same of the second state: in half of the tested questions, the fact has changed."""
    return _rows(_change_facts(_facts(read)))


def corpus_before(read: Read) -> Iterator[dict[str, Any]]:
    """Yield {id, title, text} of every passage in the first state."""
    return paragraphs(read)


def corpus_after(read: Read) -> Iterator[dict[str, Any]]:
    """Yield the same of the second state."""
    texts = {fact.passage: fact.text for fact in _change_facts(_facts(read))}
    return (row | {"text": texts.get(row["id"], row["text"])} for row in paragraphs(read))


def _facts(read: Read) -> list[Fact]:
    """Choose one question for each passage that can change, in an order that a hash gives; keep as many as needed."""
    by_passage: dict[str, Fact] = {}
    for doc in squad(read):
        answers = tuple(answer.strip() for answer in doc["answers"])
        fact = Fact(doc["id"], doc["passage"], doc["title"], doc["text"], doc["question"].strip(), answers[0], answers)
        if fact.form and GAP in fact.cloze and not _whole_words(fact.answer).search(fact.question):
            by_passage.setdefault(fact.passage, fact)
    ordered = sorted(by_passage.values(), key=lambda fact: digest("order", fact.passage))
    return ordered[:TESTED]


def _change_facts(facts: Sequence[Fact]) -> list[Fact]:
    """Change every second fact."""
    return [_replace_answer(fact, facts) if index % 2 else fact for index, fact in enumerate(facts)]


def _replace_answer(fact: Fact, facts: Sequence[Fact]) -> Fact:
    """Replace a fact's answer, throughout its passage, by another fact's answer of the same form."""
    replacements = sorted(
        (candidate for candidate in facts if candidate.form == fact.form and not _is_unusable(candidate.answer, fact)),
        key=lambda source: (source.title != fact.title, digest("instead", fact.id, source.id)),
    )
    new = replacements[0].answer
    text = _whole_words(fact.answer).sub(lambda _: new, fact.text)
    return replace(fact, text=text, answer=new, answers=(new,), outdated=fact.answer)


def _is_unusable(answer: str, fact: Fact) -> bool:
    """Return whether an answer would change nothing, or is in the passage or the question already."""
    context = f"{fact.text} {fact.question}".casefold()
    return answer.casefold() in context or any(reference.casefold() in answer.casefold() for reference in fact.answers)


def _whole_words(answer: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(answer)}(?!\w)")


def _rows(facts: Sequence[Fact]) -> Iterator[dict[str, Any]]:
    for fact in facts:
        row = {"answers": list(fact.answers), "outdated": fact.outdated, "passage": fact.passage}
        yield row | {"id": fact.id, "input": fact.question, "split": "test"}
        yield row | {"id": f"cloze-{fact.id}", "input": fact.cloze, "split": "train"}
