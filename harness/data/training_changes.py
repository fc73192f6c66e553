"""Changes a training split as its suite asks: cleaning, anonymising, reducing, augmenting; says what was done."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from harness.api import Example
from harness.data.examples import content_key
from harness.data.leaks import find_leaks, find_repeats
from harness.data.options import Preparation
from harness.data.personal import KINDS, anonymised
from harness.data.splits import ordered
from harness.errors import HarnessError

ALPHA = 0.1
"""Share of a text's words that a copy leaves out or exchanges: recommended by Wei & Zou 2019 (section 3.3)."""

Examples = tuple[Example, ...]
Done = tuple[Examples, str]
"""The items that are left, and a sentence that says what became of the others; empty if nothing."""


def prepared_training(
    train: Examples, held_out: Sequence[Example], wanted: Preparation, *, labelled: bool
) -> tuple[Examples, tuple[str, ...]]:
    """Change a training split in the order of the options.

    Args:
        train: as it was split.
        held_out: validation and test items, for `drop_leaks`; none of them is changed.
        wanted: the suite's options.
        labelled: whether references are labels of a classification, which are kept as they are.

    Returns:
        The training items, and a sentence for each option that was asked for.

    Raises:
        HarnessError: nothing would be left, or fewer items are there than are to be kept.
    """
    steps: tuple[tuple[object, Callable[[Examples], Done]], ...] = (
        (wanted.drop_leaks, lambda items: _without_leaks(items, held_out)),
        (
            wanted.drop_duplicates,
            lambda items: _without(items, find_repeats(items).exact, "the same as an earlier one"),
        ),
        (
            wanted.drop_near_duplicates,
            lambda items: _without(items, find_repeats(items).near, "nearly the same as an earlier one"),
        ),
        (wanted.max_words, lambda items: _short_enough(items, wanted.max_words or 0)),
        (wanted.anonymise, lambda items: _without_personal(items, labelled=labelled)),
        (wanted.reduce, lambda items: _reduced(items, wanted, labelled=labelled)),
        (wanted.augment, lambda items: _augmented(items, wanted)),
    )
    said: list[str] = []
    for asked, step in steps:
        if asked:
            train, sentence = step(train)
            said.append(sentence)
            if not train:
                raise HarnessError(f"'preparation' leaves no training item ({sentence}): ask for less.")
    return train, tuple(said)


def _without(items: Examples, ids: Sequence[str], why: str) -> Done:
    left = tuple(item for item in items if item.query.id not in set(ids))
    return left, f"{len(ids)} of {len(items)} training items left out: {why}"


def _without_leaks(items: Examples, held_out: Sequence[Example]) -> Done:
    alike = [leak.test_id for leak in find_leaks(held_out, items)]
    return _without(items, alike, "like a validation or test item")


def _short_enough(items: Examples, words: int) -> Done:
    long = [e.query.id for e in items if len(f"{e.query.input} {e.references[0]}".split()) > words]
    return _without(items, long, f"longer than {words} words")


def _without_personal(items: Examples, *, labelled: bool) -> Done:
    """Replace personal data in what is asked and answered; choices that could then not be told apart cost the item."""
    counted: Counter[str] = Counter()

    def clean(text: str) -> str:
        shown, kinds = anonymised(text)
        counted.update(kinds)
        return shown

    left: list[Example] = []
    for item in items:
        choices = tuple(map(clean, item.query.choices))
        if len(set(choices)) == len(choices):
            query = replace(item.query, input=clean(item.query.input), choices=choices)
            references = item.references if labelled else tuple(dict.fromkeys(map(clean, item.references)))
            rejected = item.rejected and clean(item.rejected)
            left.append(replace(item, query=query, references=references, rejected=rejected))
    each = ", ".join(f"{counted[kind]} <{kind}>" for kind in KINDS if counted[kind]) or "none found"
    lost = len(items) - len(left)
    told = f"; {lost} items left out, whose choices became the same" if lost else ""
    return tuple(left), f"personal data of {len(items)} training items replaced: {each}{told}"


def _reduced(items: Examples, wanted: Preparation, *, labelled: bool) -> Done:
    keep = wanted.reduce or 0
    if keep > len(items):
        raise HarnessError(f"'preparation' asks to keep {keep} training items, but there are {len(items)}: lower it.")
    if wanted.reduce_by == "diverse":
        kept = tuple(items[place] for place in _spread(items, keep))
        return kept, f"{keep} of {len(items)} training items kept: those that cover the others best (k-center)"
    kept = ordered(items, seed=wanted.seed, stratify=labelled)[:keep]
    return (
        kept,
        f"{keep} of {len(items)} training items kept: at random{', each label in its share' if labelled else ''}",
    )


def _spread(items: Examples, keep: int) -> Iterator[int]:
    """Choose items so that the farthest of the others is near one of them.

    Greedy k-center, at most twice the best radius (Gonzalez 1985; for training data Sener & Savarese 2018,
    arXiv:1708.00489), by cosine distance of TF-IDF. It begins with the item nearest to the mean.
    """
    import numpy as np  # noqa: PLC0415 - with scikit-learn a second, which only this option is worth
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415

    vectorizer = TfidfVectorizer(token_pattern=r"\S+")  # noqa: S106 - tokens of a text; words of one letter too
    vectors = vectorizer.fit_transform([content_key(item) for item in items])
    place = int(np.argmax(np.asarray(vectors @ np.asarray(vectors.mean(axis=0)).ravel())))
    farthest = np.full(len(items), np.inf)
    for _ in range(keep):
        yield place
        similarity = (vectors @ vectors[place].T).toarray().ravel()
        farthest = np.minimum(farthest, 1 - similarity)
        farthest[place] = -1  # never again, even where another one is the same
        place = int(np.argmax(farthest))


def _augmented(items: Examples, wanted: Preparation) -> Done:
    """Add copies with words left out or exchanged, label kept: random deletion and swap of EDA.

    Wei & Zou 2019, "EDA: Easy data augmentation techniques for boosting performance on text classification tasks"
    (arXiv:1901.11196), section 2. A text of one word has no copy, and neither has one that came out unchanged.
    """
    change = _shortened if wanted.augment == "delete" else _swapped
    added: list[Example] = []
    for item in items:
        words = item.query.input.split()
        for number in range(wanted.augment_copies if len(words) > 1 else 0):
            own = hashlib.sha256(f"{wanted.seed} {item.query.id} {number}".encode()).digest()
            changed = change(words, random.Random(own))
            if changed != words:
                name = f"{item.query.id}~{wanted.augment}{number + 1}"
                added.append(replace(item, query=replace(item.query, id=name, input=" ".join(changed))))
    how = "words left out" if wanted.augment == "delete" else "words exchanged"
    return (*items, *added), f"{len(added)} copies added to {len(items)} training items, with {ALPHA:.0%} of the {how}"


def _shortened(words: Sequence[str], draw: random.Random) -> list[str]:
    """Leave each word out with probability `ALPHA`: at least one, and never all."""
    left = [word for word in words if draw.random() >= ALPHA]
    if 0 < len(left) < len(words):
        return left
    out = draw.randrange(len(words))
    return [word for place, word in enumerate(words) if place != out]


def _swapped(words: Sequence[str], draw: random.Random) -> list[str]:
    """Exchange two words, as often as `ALPHA` of their number, at least once."""
    mixed = list(words)
    for _ in range(max(1, round(ALPHA * len(words)))):
        one, other = draw.sample(range(len(mixed)), 2)
        mixed[one], mixed[other] = mixed[other], mixed[one]
    return mixed
