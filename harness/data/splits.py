"""Divides examples into training, validation and test: seeded, stratified, and disjoint."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from harness.api import Example
from harness.data.examples import content_key
from harness.data.schema import Sizes
from harness.errors import HarnessError

DEFAULT_TEST = (400, 0.4)
DEFAULT_VALIDATION = (64, 0.1)
LEAST_VALIDATION = (48, 0.25)
"""Validation items at least, as training is stopped by them, and their share of what the test split leaves at most."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Splits:
    """Examples of each split, in an order of which every prefix is a stratified sample.

    Attributes:
        spare: training examples beyond the training split's size.
    """

    train: tuple[Example, ...] = ()
    validation: tuple[Example, ...] = ()
    test: tuple[Example, ...] = ()
    spare: tuple[Example, ...] = ()

    def cut(self, sizes: dict[str, int]) -> "Splits":
        """Keep the first so many of some splits; training examples that are cut off become spare."""
        kept = {name: getattr(self, name)[: sizes.get(name)] for name in ("train", "validation", "test")}
        return Splits(**kept, spare=self.train[len(kept["train"]) :] + self.spare)

    def redraw(self, seed: int, *, stratify: bool) -> "Splits":
        """Draw another training split of the same size from the training and the spare examples.

        Of repeated runs, each that learns from another draw shows how much a score depends on the training set. Seed 0,
        or no spare example: the splits as they are.
        """
        if not seed or not self.spare:
            return self
        pool = stratified_order((*self.train, *self.spare), seed=seed, stratify=stratify)
        return replace(self, train=pool[: len(self.train)], spare=pool[len(self.train) :])


def split(examples: Sequence[Example], sizes: Sizes, *, seed: int, stratify: bool, probe: bool) -> Splits:
    """Divide one pool of examples.

    Examples with one cluster, or with the same question (by `content_key`), stay together. The test split is
    filled first and training last, so the test items don't change with the amount of training data. What is
    left over of a group that doesn't fit whole is not used.

    Args:
        examples: of the pool.
        sizes: of the splits; without a test size, 40 % but at most 400 (a probe: all); without a validation size, 10 %
            but at most 64, and at least 48 where these are a quarter or less of what the test split leaves; without a
            training size, all the rest.
        seed: another one gives other splits.
        stratify: whether each split gets each label in its share of the whole.
        probe: whether there is a test split only.

    Raises:
        HarnessError: there are fewer examples than asked for.
    """
    groups = stratified_groups(examples, seed=seed, stratify=stratify)
    total = len(examples)
    test_size = sizes.test if sizes.test is not None else total if probe else _default(DEFAULT_TEST, total)
    test, groups = _take(groups, test_size)
    _check("test", sizes.test, test, total)
    if probe:
        return Splits(test=test)
    validation_size = (
        sizes.validation if sizes.validation is not None else _default_validation(total, sum(map(len, groups)))
    )
    validation, groups = _take(groups, validation_size)
    _check("validation", sizes.validation, validation, total)
    pool = tuple(example for group in groups for example in group)
    size = len(pool) if sizes.train is None else sizes.train
    _check("train", sizes.train, pool[:size], total)
    return Splits(pool[:size], validation, test, pool[size:])


def stratified_order(examples: Sequence[Example], *, seed: int, stratify: bool) -> tuple[Example, ...]:
    """Return examples in a seeded order of which every prefix is about stratified."""
    return tuple(e for group in stratified_groups(examples, seed=seed, stratify=stratify) for e in group)


def stratified_groups(examples: Sequence[Example], *, seed: int, stratify: bool) -> list[list[Example]]:
    """Return examples that belong together as groups, in a seeded and stratified order.

    The order within a label goes by a hash of seed and content, so that it depends neither on the order of the
    file nor on other rows; labels are interleaved in proportion.
    """
    groups = _groups(examples)
    strata: dict[str, list[tuple[tuple[str, str], list[Example]]]] = {}
    for group in groups:
        label = group[0].references[0] if stratify else ""
        strata.setdefault(label, []).append((min((_digest(seed, e), content_key(e)) for e in group), group))
    placed: list[tuple[float, tuple[str, str], list[Example]]] = []
    for members in strata.values():
        members.sort(key=lambda pair: pair[0])
        placed += [((i + 0.5) / len(members), key, group) for i, (key, group) in enumerate(members)]
    return [group for _, _, group in sorted(placed, key=lambda item: item[:2])]


def _groups(examples: Sequence[Example]) -> list[list[Example]]:
    """Join examples that share a cluster or a question, directly or through others (union-find)."""
    parent = list(range(len(examples)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[str, str], int] = {}
    for i, example in enumerate(examples):
        keys = [("question", content_key(example))]
        if example.cluster is not None:
            keys.append(("cluster", example.cluster))
        for key in keys:
            parent[root(i)] = root(first.setdefault(key, i))
    groups: dict[int, list[Example]] = {}
    for i, example in enumerate(examples):
        groups.setdefault(root(i), []).append(example)
    return list(groups.values())


def _digest(seed: int, example: Example) -> str:
    texts = "\x1f".join(map(_letters, (example.query.text, *example.query.choices)))
    parts = (str(seed), texts, *example.references, example.rejected or "")
    return hashlib.sha256("\x1e".join(parts).encode()).hexdigest()


def _letters(text: str) -> str:
    """Return the letters and digits of a text, for an order that stays when texts are compared by more than those."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_WORD.findall(folded)) or " ".join(folded.split())


def _take(groups: list[list[Example]], size: int) -> tuple[tuple[Example, ...], list[list[Example]]]:
    """Take whole groups until there are `size` examples, cutting the last group; return them and the other groups."""
    selected: list[Example] = []
    used = 0
    for group in groups:
        if len(selected) >= size:
            break
        selected += group
        used += 1
    return tuple(selected[:size]), groups[used:]


def _default(rule: tuple[int, float], total: int) -> int:
    ceiling, share = rule
    return min(ceiling, round(share * total))


def _default_validation(total: int, remaining: int) -> int:
    return max(_default(DEFAULT_VALIDATION, total), _default(LEAST_VALIDATION, remaining))


def _check(name: str, requested: int | None, examples: Iterable[Example], total: int) -> None:
    number = len(tuple(examples))
    if number == 0 and name != "validation" and requested != 0:
        raise HarnessError(f"{total} usable row(s) leave none for the {name} split: give more rows or other 'sizes'.")
    if requested is not None and number < requested:
        raise HarnessError(
            f"'sizes' asks for {requested} {name} items, but only {number} are left of {total} usable rows that share "
            f"no cluster or question with another split: lower it."
        )
