"""Every strategy's answers to one task, scored by one metric and resampled together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

from harness.compare.stats.bootstrap import BootstrapEstimate, resample
from harness.compare.stats.estimates import Difference, Estimate, contrast, difference, estimate
from harness.compare.stats.intervals import holm, holm_to_best
from harness.compare.stats.sample import Sample

Key = TypeVar("Key", bound=Hashable)


class Panel(Generic[Key]):
    """Estimates and differences of one metric; the resamples are drawn once for all that share their items."""

    def __init__(self, samples: Mapping[Key, Sample]) -> None:
        self._samples = dict(samples)
        self._resampled: dict[Key, BootstrapEstimate] = {}
        groups: dict[tuple[tuple[str, ...], bytes], list[Key]] = {}
        for key, sample in samples.items():
            if not sample.metric.is_mean:
                groups.setdefault(_items(sample), []).append(key)
        for keys in groups.values():
            once = list({id(samples[key]): samples[key] for key in keys}.values())
            drawn = dict(zip(map(id, once), resample(once), strict=True))
            self._resampled.update((key, drawn[id(samples[key])]) for key in keys)

    def __contains__(self, key: Key) -> bool:
        return key in self._samples

    def sample(self, key: Key) -> Sample:
        """What one system scored, item by item."""
        return self._samples[key]

    def estimate(self, key: Key) -> Estimate:
        """Estimate one system's score."""
        return estimate(self._samples[key], self._resampled.get(key))

    def difference(self, first: Key, second: Key) -> Difference | None:
        """Compare two systems on the items that both answered; None if there is none."""
        one, other = self._samples[first], self._samples[second]
        if first in self._resampled and second in self._resampled and _items(one) == _items(other):
            return difference(one, other, (self._resampled[first], self._resampled[second]))
        pair = one.paired_with(other)
        return difference(*pair) if pair else None

    def contrast(self, plus: Sequence[Key], minus: Sequence[Key]) -> Difference | None:
        """Compare sums of systems on the items that all answered; None if there is none."""
        samples = [self._samples[key] for key in (*plus, *minus)]
        common = set(samples[0].ids).intersection(*(sample.ids for sample in samples[1:]))
        ids = [name for name in samples[0].ids if name in common]
        placed = [sample.at(ids) for sample in samples]
        return contrast(placed[: len(plus)], placed[len(plus) :]) if ids else None

    def differences(self, pairs: Mapping[Key, Key]) -> dict[Key, Difference]:
        """Compare each key with its partner, p adjusted over all of them (Holm); pairs without items are left out."""
        return self._adjusted(pairs, holm)

    def to_best(self, ranked: Sequence[Key]) -> dict[Key, Difference]:
        """Compare each key with the first, p adjusted for the best having been found by looking (`holm_to_best`).

        Args:
            ranked: best first.
        """
        return self._adjusted(dict.fromkeys(ranked[1:], ranked[0]), holm_to_best)

    def _adjusted(
        self, pairs: Mapping[Key, Key], adjust: Callable[[Sequence[float]], list[float]]
    ) -> dict[Key, Difference]:
        found = {key: made for key, other in pairs.items() if (made := self.difference(key, other))}
        adjusted = adjust([made.p for made in found.values()])
        return {
            key: made.model_copy(update={"p_holm": p}) for (key, made), p in zip(found.items(), adjusted, strict=True)
        }


def _items(sample: Sample) -> tuple[tuple[str, ...], bytes]:
    return sample.ids, sample.clusters.tobytes()
