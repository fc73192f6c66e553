"""Items that two strategies score differently on: what a reader looks at to see why."""

from __future__ import annotations

from harness.compare.stats.sample import Sample
from harness.compare.trials.groups import Group
from harness.metrics import get
from harness.records.measurements import StoredModel


class Disagreement(StoredModel):
    """One item that the two score differently on, as one seed of each answered it.

    Attributes:
        first: what the first answered; second: the second; None: nothing could be read.
        gain: the first's score minus the second's.
    """

    id: str
    question: str
    references: tuple[str, ...]
    first: str | None
    second: str | None
    gain: float


def disagreements(pair: tuple[Group, Group], metric: str, most: int) -> tuple[Disagreement, ...]:
    """List the items on which two strategies differ most, in turn those that the first and the second scores higher on.

    Args:
        pair: both, on one task with one model; of several seeds the lowest of each is looked at.
        metric: nothing is listed for one that is no mean of items.
        most: items in all.
    """
    one, other = (next(iter(group.items.values())) for group in pair)
    samples = Sample.of(get(metric), [one]), Sample.of(get(metric), [other])
    both = samples[0].paired_with(samples[1]) if samples[0] and samples[1] else None
    if both is None or not get(metric).is_mean:
        return ()
    gains = (both[0].scores[0, :, 0] - both[1].scores[0, :, 0]).tolist()
    ranked = sorted((found for found in zip(gains, both[0].ids, strict=True) if found[0]), key=_size)
    sides = [[found for found in ranked if found[0] > 0], [found for found in ranked if found[0] < 0]]
    mixed = [found for place in range(len(ranked)) for side in sides for found in side[place : place + 1]][:most]
    places = [{name: i for i, name in enumerate(items.ids)} for items in (one, other)]
    return tuple(
        Disagreement(
            id=name,
            question=one.inputs[places[0][name]],
            references=one.references[places[0][name]],
            first=one.answers[places[0][name]],
            second=other.answers[places[1][name]],
            gain=gain,
        )
        for gain, name in mixed
    )


def _size(found: tuple[float, str]) -> tuple[float, str]:
    return -abs(found[0]), found[1]
