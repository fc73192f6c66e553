"""All strategies' scores on one task by one metric, resampled together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

from harness.compare.stats.bootstrap import BootstrapEstimate, resample
from harness.compare.stats.estimates import Difference, Estimate, contrast, difference, estimate
from harness.compare.stats.intervals import holm, holm_to_best
from harness.compare.stats.sample import Sample

Key = TypeVar("Key", bound=Hashable)


class Panel(Generic[Key]):
    """Estimates and differences of one metric; systems on the same items share one set of resamples."""

    def __init__(self, samples: Mapping[Key, Sample]) -> None:
        self._samples = dict(samples)
        self._resampled: dict[Key, BootstrapEstimate] = {}
        groups: dict[tuple[tuple[str, ...], bytes], list[Key]] = {}
        for key, sample in samples.items():
            if not sample.metric.is_mean:
                groups.setdefault(_items(sample), []).append(key)
        for keys in groups.values():
            once = list({id(samples[key]): samples[key] for key in keys}.values())
            resampled = dict(zip(map(id, once), resample(once), strict=True))
            self._resampled.update((key, resampled[id(samples[key])]) for key in keys)

    def __contains__(self, key: Key) -> bool:
        return key in self._samples

    def sample(self, key: Key) -> Sample:
        """Return one system's scores, item by item."""
        return self._samples[key]

    def estimate(self, key: Key) -> Estimate:
        """Estimate one system's score."""
        return estimate(self._samples[key], self._resampled.get(key))

    def difference(self, first: Key, second: Key) -> Difference | None:
        """Compare two systems on the items that both answered; None if there is none."""
        minuend, subtrahend = self._samples[first], self._samples[second]
        if first in self._resampled and second in self._resampled and _items(minuend) == _items(subtrahend):
            return difference(minuend, subtrahend, (self._resampled[first], self._resampled[second]))
        pair = minuend.pair_with(subtrahend)
        return difference(*pair) if pair else None

    def contrast(self, plus: Sequence[Key], minus: Sequence[Key]) -> Difference | None:
        """Compare sums of systems on the items that all answered; None if there is none."""
        samples = [self._samples[key] for key in (*plus, *minus)]
        common = set(samples[0].ids).intersection(*(sample.ids for sample in samples[1:]))
        ids = [name for name in samples[0].ids if name in common]
        aligned = [sample.select(ids) for sample in samples]
        return contrast(aligned[: len(plus)], aligned[len(plus) :]) if ids else None

    def differences(self, pairs: Mapping[Key, Key]) -> dict[Key, Difference]:
        """Compare each key with its partner, p adjusted over all of them (Holm); pairs without items are left out."""
        return self._adjusted(pairs, holm)

    def compare_to_best(self, ranked: Sequence[Key]) -> dict[Key, Difference]:
        """Compare each key with the first, p adjusted for selecting the best from the same data (`holm_to_best`).

        Args:
            ranked: best first.
        """
        return self._adjusted(dict.fromkeys(ranked[1:], ranked[0]), holm_to_best)

    def _adjusted(
        self, pairs: Mapping[Key, Key], adjust: Callable[[Sequence[float]], list[float]]
    ) -> dict[Key, Difference]:
        changes = {key: change for key, partner in pairs.items() if (change := self.difference(key, partner))}
        adjusted = adjust([change.p for change in changes.values()])
        return {
            key: change.model_copy(update={"p_holm": p})
            for (key, change), p in zip(changes.items(), adjusted, strict=True)
        }


def _items(sample: Sample) -> tuple[tuple[str, ...], bytes]:
    return sample.ids, sample.clusters.tobytes()
