"""Test questions that stand in the corpus together with their answers, told apart from passages with an answer alone.

A passage that holds an answer is what retrieval is for. One that holds the question too, as a list of frequent
questions does, lets a system look the item up: then its score says nothing of questions that nobody wrote down.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.api import Example, Passage
from harness.data.normalised_text import comparison_key
from harness.data.similarity import BATCH_PAIRS, THRESHOLD, Shingles, shingles

SHORTEST_WORDS = 4
"""Questions of fewer words stand in texts by chance."""


@dataclass(frozen=True)
class CorpusLeaks:
    """What of the test items stands in the corpus.

    Attributes:
        together: (item, passage) with the question and an answer, by the item's id.
        answers: items of which some passage has an answer, but none has the question with it.
    """

    together: tuple[tuple[str, str], ...] = ()
    answers: int = 0


def find_corpus_leaks(test: Sequence[Example], corpus: Sequence[Passage], threshold: float = THRESHOLD) -> CorpusLeaks:
    """Look each test question up in the corpus.

    A question stands in a passage that has `threshold` of its shingles (containment, Broder 1997); an answer, where it
    stands in title or text as a run of whole words. Labels and choices are no answers that a passage could give away.

    Args:
        test: test items.
        corpus: passages.
        threshold: share of the question's shingles, in (0, 1].
    """
    items = [example for example in test if example.references and not example.query.choices]
    if not items or not corpus:
        return CorpusLeaks()
    passages = [f" {comparison_key(f'{passage.title} {passage.text}')} " for passage in corpus]
    questions = [comparison_key(example.query.input) for example in items]
    matrix = shingles([*questions, *(passage.strip() for passage in passages)])
    answers = [[f" {key} " for key in map(comparison_key, example.references) if key] for example in items]
    together: dict[int, int] = {}
    for item, passage in _containing(matrix[: len(items)], matrix[len(items) :], threshold):
        is_long = questions[item].count(" ") >= SHORTEST_WORDS - 1
        if is_long and item not in together and any(answer in passages[passage] for answer in answers[item]):
            together[item] = passage
    whole_corpus = "\x1f".join(passages)
    alone = sum(any(a in whole_corpus for a in answers[n]) for n in range(len(items)) if n not in together)
    pairs = tuple((items[n].query.id, corpus[passage].id) for n, passage in sorted(together.items()))
    return CorpusLeaks(pairs, alone)


def corpus_leak_notes(leaks: CorpusLeaks, tests: int) -> Iterator[str]:
    """Count the test questions that stand in the corpus with their answers."""
    if not leaks.together:
        return
    item, passage = leaks.together[0]
    count = len(leaks.together)
    subject = "1 test question stands" if count == 1 else f"{count} test questions stand"
    yield (
        f"{subject} in the corpus with the answer ({count / tests:.1%} of {tests}: for example {item} in {passage}), "
        f"so retrieval only has to look them up; of {leaks.answers} others, a passage holds the answer alone."
    )


def _containing(questions: Shingles, passages: Shingles, threshold: float) -> Iterator[tuple[int, int]]:
    """Yield (question, passage) where the passage has enough of the question's shingles, in order."""
    sizes = np.diff(questions.indptr)
    transposed = passages.T.tocsr()
    step = max(1, BATCH_PAIRS // max(1, len(passages.indptr) - 1))
    for start in range(0, len(sizes), step):
        shared = questions[start : start + step] @ transposed
        rows = np.repeat(np.arange(len(shared.indptr) - 1) + start, np.diff(shared.indptr))
        enough = shared.data >= threshold * sizes[rows]
        yield from sorted(zip(rows[enough].tolist(), shared.indices[enough].tolist(), strict=True))
