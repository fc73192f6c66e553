"""Changes a training split as its suite asks: cleaning, anonymising, reducing, augmenting."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from harness.api import Example
from harness.data.examples import content_key
from harness.data.leaks import find_leaks, find_repeats
from harness.data.options import Preparation
from harness.data.personal import KINDS, anonymise
from harness.data.splits import stratified_order
from harness.errors import HarnessError
from harness.metrics.words import count_words

ALPHA = 0.1
"""Share of a text's words that a copy leaves out or exchanges: recommended by Wei & Zou 2019 (section 3.3)."""

Examples = tuple[Example, ...]
ChangedTraining = tuple[Examples, str]
"""The items that remain, and a sentence on the change."""


def change_training(
    train: Examples, held_out: Sequence[Example], options: Preparation, *, labelled: bool
) -> tuple[Examples, tuple[str, ...]]:
    """Change a training split in the order of the options.

    Args:
        train: the items of the split.
        held_out: validation and test items, for `drop_leaks`; they are not changed.
        options: the suite's.
        labelled: whether references are labels of a classification, which are not changed.

    Returns:
        The training items, and a sentence for each option that is set.

    Raises:
        HarnessError: no item would remain, or there are fewer items than are to be kept.
    """
    steps: tuple[tuple[object, Callable[[Examples], ChangedTraining]], ...] = (
        (options.drop_leaks, lambda items: _drop_leaks(items, held_out)),
        (
            options.drop_duplicates,
            lambda items: _drop(items, find_repeats(items).exact, "the same as an earlier one"),
        ),
        (
            options.drop_near_duplicates,
            lambda items: _drop(items, find_repeats(items).near, "nearly the same as an earlier one"),
        ),
        (options.max_words, lambda items: _drop_long(items, options.max_words or 0)),
        (options.anonymise, lambda items: _anonymise(items, labelled=labelled)),
        (options.reduce, lambda items: _reduce(items, options, labelled=labelled)),
        (options.augment, lambda items: _augment(items, options)),
    )
    sentences: list[str] = []
    for option, step in steps:
        if option:
            train, sentence = step(train)
            sentences.append(sentence)
            if not train:
                raise HarnessError(f"'preparation' leaves no training item ({sentence}): ask for less.")
    return train, tuple(sentences)


def _drop(items: Examples, ids: Sequence[str], why: str) -> ChangedTraining:
    remaining = tuple(item for item in items if item.query.id not in set(ids))
    return remaining, f"{len(ids)} of {len(items)} training items left out: {why}"


def _drop_leaks(items: Examples, held_out: Sequence[Example]) -> ChangedTraining:
    alike = [leak.test_id for leak in find_leaks(held_out, items)]
    return _drop(items, alike, "like a validation or test item")


def _drop_long(items: Examples, words: int) -> ChangedTraining:
    long = [e.query.id for e in items if count_words(f"{e.query.text} {e.references[0]}") > words]
    return _drop(items, long, f"longer than {words} words")


def _anonymise(items: Examples, *, labelled: bool) -> ChangedTraining:
    """Replace personal data in questions and answers; drop an item whose choices become equal."""
    counts: Counter[str] = Counter()

    def clean(text: str) -> str:
        anonymised_text, kinds = anonymise(text)
        counts.update(kinds)
        return anonymised_text

    remaining: list[Example] = []
    for item in items:
        choices = tuple(map(clean, item.query.choices))
        if len(set(choices)) == len(choices):
            query = replace(
                item.query,
                input=clean(item.query.input),
                choices=choices,
                history=tuple((role, clean(text)) for role, text in item.query.history),
            )
            references = item.references if labelled else tuple(dict.fromkeys(map(clean, item.references)))
            rejected = item.rejected and clean(item.rejected)
            remaining.append(replace(item, query=query, references=references, rejected=rejected))
    by_kind = ", ".join(f"{counts[kind]} <{kind}>" for kind in KINDS if counts[kind]) or "none found"
    dropped = len(items) - len(remaining)
    suffix = f"; {dropped} items left out, whose choices became the same" if dropped else ""
    return tuple(remaining), f"personal data of {len(items)} training items replaced: {by_kind}{suffix}"


def _reduce(items: Examples, options: Preparation, *, labelled: bool) -> ChangedTraining:
    keep = options.reduce or 0
    if keep > len(items):
        raise HarnessError(f"'preparation' asks to keep {keep} training items, but there are {len(items)}: lower it.")
    if options.reduce_by == "diverse":
        subset = tuple(items[index] for index in _k_center(items, keep))
        return subset, f"{keep} of {len(items)} training items kept: those that cover the others best (k-center)"
    subset = stratified_order(items, seed=options.seed, stratify=labelled)[:keep]
    return (
        subset,
        f"{keep} of {len(items)} training items kept: at random{', each label in its share' if labelled else ''}",
    )


def _k_center(items: Examples, keep: int) -> Iterator[int]:
    """Select items so that the farthest of the others is near one of them.

    Greedy k-center, at most twice the best radius (Gonzalez 1985; for training data Sener & Savarese 2018,
    arXiv:1708.00489), by cosine distance of TF-IDF. It begins with the item nearest to the mean.
    """
    import numpy as np  # noqa: PLC0415 - with scikit-learn a second, which only this option is worth
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415

    vectorizer = TfidfVectorizer(token_pattern=r"\S+")  # noqa: S106 - tokens of a text; words of one letter too
    vectors = vectorizer.fit_transform([content_key(item) for item in items])
    index = int(np.argmax(np.asarray(vectors @ np.asarray(vectors.mean(axis=0)).ravel())))
    farthest = np.full(len(items), np.inf)
    for _ in range(keep):
        yield index
        similarity = (vectors @ vectors[index].T).toarray().ravel()
        farthest = np.minimum(farthest, 1 - similarity)
        farthest[index] = -1  # never selected twice, even where another item is the same
        index = int(np.argmax(farthest))


def _augment(items: Examples, options: Preparation) -> ChangedTraining:
    """Add copies with words left out or exchanged, label kept: random deletion and swap of EDA.

    Wei & Zou 2019, "EDA: Easy data augmentation techniques for boosting performance on text classification tasks"
    (arXiv:1901.11196), section 2. A text of one word has no copy, and neither has one that came out unchanged.
    """
    change = _delete_words if options.augment == "delete" else _swap_words
    added: list[Example] = []
    for item in items:
        words = item.query.input.split()
        for number in range(options.augment_copies if len(words) > 1 else 0):
            digest = hashlib.sha256(f"{options.seed} {item.query.id} {number}".encode()).digest()
            changed = change(words, random.Random(digest))
            if changed != words:
                name = f"{item.query.id}~{options.augment}{number + 1}"
                added.append(replace(item, query=replace(item.query, id=name, input=" ".join(changed))))
    how = "words left out" if options.augment == "delete" else "words exchanged"
    return (*items, *added), f"{len(added)} copies added to {len(items)} training items, with {ALPHA:.0%} of the {how}"


def _delete_words(words: Sequence[str], draw: random.Random) -> list[str]:
    """Leave each word out with probability `ALPHA`: at least one, and never all."""
    remaining = [word for word in words if draw.random() >= ALPHA]
    if 0 < len(remaining) < len(words):
        return remaining
    out = draw.randrange(len(words))
    return [word for position, word in enumerate(words) if position != out]


def _swap_words(words: Sequence[str], draw: random.Random) -> list[str]:
    """Exchange two words, as often as `ALPHA` of their number, at least once."""
    mixed = list(words)
    for _ in range(max(1, round(ALPHA * len(words)))):
        first, second = draw.sample(range(len(mixed)), 2)
        mixed[first], mixed[second] = mixed[second], mixed[first]
    return mixed
