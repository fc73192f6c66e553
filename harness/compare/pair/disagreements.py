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
    first, other = (next(iter(group.items.values())) for group in pair)
    samples = Sample.from_items(get(metric), [first]), Sample.from_items(get(metric), [other])
    samples_pair = samples[0].pair_with(samples[1]) if samples[0] and samples[1] else None
    if samples_pair is None or not get(metric).is_mean:
        return ()
    gains = (samples_pair[0].scores[0, :, 0] - samples_pair[1].scores[0, :, 0]).tolist()
    ranked = sorted((gain for gain in zip(gains, samples_pair[0].ids, strict=True) if gain[0]), key=_size)
    sides = [[gain for gain in ranked if gain[0] > 0], [gain for gain in ranked if gain[0] < 0]]
    mixed = [gain for index in range(len(ranked)) for side in sides for gain in side[index : index + 1]][:most]
    places = [{name: i for i, name in enumerate(items.ids)} for items in (first, other)]
    return tuple(
        Disagreement(
            id=name,
            question=first.inputs[places[0][name]],
            references=first.references[places[0][name]],
            first=first.answers[places[0][name]],
            second=other.answers[places[1][name]],
            gain=gain,
        )
        for gain, name in mixed
    )


def _size(gain: tuple[float, str]) -> tuple[float, str]:
    return -abs(gain[0]), gain[1]
