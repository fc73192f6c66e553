"""Finds items that are in another split, or earlier in the same one: word for word or nearly."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.api import Example
from harness.data.examples import content_key
from harness.data.similarity import THRESHOLD, closest, shingles


@dataclass(frozen=True)
class Leak:
    """A test item and the training item most like it.

    Attributes:
        similarity: Jaccard similarity of their shingles, in [0, 1].
        exact: whether they are the same but for case, punctuation and spacing.
    """

    test_id: str
    train_id: str
    similarity: float
    exact: bool


@dataclass(frozen=True)
class Repeats:
    """Ids of the items of one split that repeat an earlier item.

    Attributes:
        exact: with the question and the answer of an earlier one, but for case, punctuation and spacing.
        near: not among those, but with a question nearly like an earlier one's.
    """

    exact: tuple[str, ...] = ()
    near: tuple[str, ...] = ()


def find_leaks(train: Sequence[Example], test: Sequence[Example], threshold: float = THRESHOLD) -> tuple[Leak, ...]:
    """Find the test items that are like a training item, each with its closest one, most similar first.

    Args:
        train: training and validation items.
        test: test items.
        threshold: the lowest similarity that counts, in (0, 1].
    """
    if not train or not test:
        return ()
    texts = [content_key(example) for example in (*train, *test)]
    matrix = shingles(texts)
    leaks: list[Leak] = []
    for i, j, similarity in closest(matrix[: len(train)], matrix[len(train) :], threshold):
        exact = texts[i] == texts[len(train) + j]
        leaks.append(Leak(test[j].query.id, train[i].query.id, round(similarity, 4), exact))
    return tuple(sorted(leaks, key=lambda leak: (not leak.exact, -leak.similarity, leak.test_id)))


def find_repeats(examples: Sequence[Example], threshold: float = THRESHOLD) -> Repeats:
    """Find the items of a split that repeat an earlier one.

    Args:
        examples: of one split.
        threshold: the lowest similarity that counts as near, in (0, 1].
    """
    if not examples:
        return Repeats()
    texts = [content_key(example) for example in examples]
    keys: set[tuple[object, ...]] = set()
    exact: dict[int, None] = {}
    for index, (text, example) in enumerate(zip(texts, examples, strict=True)):
        key = (text, example.references, example.rejected)
        if key in keys:
            exact[index] = None
        keys.add(key)
    matrix = shingles(texts)
    near = sorted(later for _, later, _ in closest(matrix, matrix, threshold, earlier=True) if later not in exact)
    ids = [example.query.id for example in examples]
    return Repeats(tuple(ids[i] for i in exact), tuple(ids[i] for i in near))


def find_conflicts(examples: Sequence[Example]) -> tuple[str, ...]:
    """Return the ids of items with the question of an earlier one, but another answer."""
    answers: dict[str, tuple[str, ...]] = {}
    return tuple(
        example.query.id
        for example in examples
        if answers.setdefault(content_key(example), example.references) != example.references
    )
