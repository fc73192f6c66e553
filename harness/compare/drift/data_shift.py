"""Drift: whether fresh items of a task are unlike its test split, and whether strategies do worse on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from harness.api import Example
from harness.compare.drift import permutation_tests
from harness.compare.drift.fresh_scores import QualityShift
from harness.compare.drift.mmd import of_inputs
from harness.compare.drift.permutation_tests import Floats, SampleSplit, Shift
from harness.compare.stats.intervals import holm
from harness.data.examples import content_key
from harness.data.prepare import PreparedTask
from harness.errors import HarnessError
from harness.metrics.statistical_power import ALPHA
from harness.metrics.words import count_words
from harness.records.measurements import StoredModel

MOST = 1_000
"""Items of each side that are compared: the kernel of twice as many takes 16 MB."""
SHOWN = 5
"""Fresh items, and labels, that are shown."""
CHARACTERS = 300


class UnlikeItem(StoredModel):
    """A fresh item that resembles the fresh items more than those of the test split.

    Attributes:
        similarity: cosine with the item of the test split that is most like it.
    """

    id: str
    input: str
    similarity: float


class LabelShare(StoredModel):
    """How often a label occurs in the test split and among the fresh items."""

    label: str
    test: float
    fresh: float


class Drift(StoredModel):
    """What is known of fresh items.

    Attributes:
        fresh: which file; items: of the test split and of it; units: independent ones, where there are clusters.
        medians: words of an item of the test split, and of a fresh one.
        shifts: Holm over them; quality: Holm over strategies.
        unlike: the fresh items that are most unlike the test split, where the inputs differ.
        commands: what has to be run for what is missing.
    """

    suite: str
    task: str
    fresh: str
    embedder: str
    items: tuple[int, int]
    units: tuple[int, int] | None = None
    medians: tuple[float, float]
    shifts: tuple[Shift, ...]
    labels: tuple[LabelShare, ...] = ()
    unlike: tuple[UnlikeItem, ...] = ()
    quality: tuple[QualityShift, ...] = ()
    notes: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


class ShiftSource(NamedTuple):
    """What is compared, by name: suite, file of fresh items and embedder."""

    suite: str
    fresh: str
    embedder: str


def texts_of(task: PreparedTask) -> list[str]:
    """Give what is asked, an item each: of language modelling the text itself."""
    return [_text(example) for example in task.test[:MOST]]


def shifts_of(
    source: ShiftSource, test: PreparedTask, fresh: PreparedTask, vectors: Floats, draws: int = permutation_tests.DRAWS
) -> Drift:
    """Compare what is asked.

    Args:
        source: what to call it.
        test: the task with its test split.
        fresh: with the fresh items.
        vectors: embeddings of the `texts_of` both, test split first: [N, d].
        draws: relabellings.

    Raises:
        HarnessError: one side is too small to be compared.
    """
    sides = [task.test[:MOST] for task in (test, fresh)]
    samples = SampleSplit.of(*[[example.cluster for example in side] for side in sides], draws=draws)
    if min(samples.counts) < permutation_tests.FEWEST:
        raise HarnessError(
            f"{samples.counts[0]} independent items of the test split and {samples.counts[1]} fresh ones "
            "(a cluster counts "
            f"once): at least {permutation_tests.FEWEST} of each are needed to compare them."
        )
    examples = [*sides[0], *sides[1]]
    words = [count_words(_text(example)) for example in examples]
    inputs, witness = of_inputs(vectors, samples)
    labelled = test.info.kind == "classification"
    labels = [example.references[0] for example in examples]
    shifts = [
        inputs,
        *([permutation_tests.of_labels(labels, samples)] if labelled else []),
        permutation_tests.of_lengths(words, samples),
    ]
    adjusted = holm([shift.p for shift in shifts])
    shifts = [shift.model_copy(update={"p_holm": p}) for shift, p in zip(shifts, adjusted, strict=True)]
    n = len(sides[0])
    return Drift(
        suite=source.suite,
        task=test.info.name,
        fresh=source.fresh,
        embedder=source.embedder,
        items=(n, len(sides[1])),
        units=samples.counts if sum(samples.counts) < len(examples) else None,
        medians=(float(np.median(words[:n])), float(np.median(words[n:]))),
        shifts=tuple(shifts),
        labels=_label_shares(labels, n) if labelled else (),
        unlike=_unlike(examples, n, vectors, witness) if adjusted[0] <= ALPHA else (),
        notes=tuple(_notes(test, fresh)),
    )


def _text(example: Example) -> str:
    return example.query.input or example.references[0]


def _label_shares(labels: Sequence[str], n: int) -> tuple[LabelShare, ...]:
    """Give the labels whose shares differ most, the largest difference first."""
    test, fresh = labels[:n], labels[n:]
    shares = [
        LabelShare(label=name, test=test.count(name) / len(test), fresh=fresh.count(name) / len(fresh))
        for name in sorted(set(labels))
    ]
    return tuple(sorted(shares, key=lambda share: -abs(share.fresh - share.test))[:SHOWN])


def _unlike(examples: Sequence[Example], n: int, vectors: Floats, witness: Floats) -> tuple[UnlikeItem, ...]:
    nearest = (vectors[n:] @ vectors[:n].T).max(axis=1)
    order = np.argsort(-witness[n:], kind="stable")[:SHOWN]
    return tuple(
        UnlikeItem(
            id=examples[n + index].query.id,
            input=_text(examples[n + index])[:CHARACTERS],
            similarity=float(np.clip(nearest[index], -1, 1)),
        )
        for index in order.tolist()
    )


def _notes(test: PreparedTask, fresh: PreparedTask) -> list[str]:
    test_keys = {content_key(example) for example in test.test}
    same = sum(content_key(example) in test_keys for example in fresh.test)
    notes = list(fresh.info.warnings[1:])  # the first says that the items are fresh
    if same:
        subject = "item is" if same == 1 else "items are"
        notes.append(f"{same} fresh {subject} in the test split too: the tests take both sides as independent.")
    for task, name in ((test, "the test split"), (fresh, "the fresh items")):
        if len(task.test) > MOST:
            notes.append(f"of {name}, the first {MOST:,} of {len(task.test):,} are compared; scores are of all.")
    return notes
