"""All strategies' scores on one task by one metric, resampled together."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from typing import Generic, TypeVar

from harness.compare.stats.bootstrap import BootstrapEstimate, resample
from harness.compare.stats.estimates import Difference, Estimate, contrast, difference, estimate, paired_uncertainty
from harness.compare.stats.intervals import shaffer
from harness.compare.stats.sample import Sample
from harness.compare.stats.selection import correct_for_selection
from harness.compare.stats.uncertainty import Uncertainty

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
        pair = self._pair(first, second)
        return difference(*pair) if pair else None

    def contrast(self, plus: Sequence[Key], minus: Sequence[Key]) -> Difference | None:
        """Compare sums of systems on the items that all answered; None if there is none."""
        samples = [self._samples[key] for key in (*plus, *minus)]
        common = set(samples[0].ids).intersection(*(sample.ids for sample in samples[1:]))
        ids = [name for name in samples[0].ids if name in common]
        aligned = [sample.select(ids) for sample in samples]
        return contrast(aligned[: len(plus)], aligned[len(plus) :]) if ids else None

    def compare_to_best(self, ranked: Sequence[Key]) -> dict[Key, Difference]:
        """Compare each key with the first, as `compare_to_best_and` without other partners."""
        return self.compare_to_best_and(ranked, {})[0]

    def compare_to_best_and(
        self, ranked: Sequence[Key], partners: Mapping[Key, Key]
    ) -> tuple[dict[Key, Difference], dict[Key, Difference]]:
        """Compare each key with the first, and with its partner, as `compare_pairs`.

        Args:
            ranked: best first.
            partners: of some of the keys, each a key too.
        """
        to_best = dict.fromkeys(ranked[1:], ranked[0]) if ranked else {}
        changes = self.compare_pairs(ranked, [*to_best.items(), *partners.items()])
        first, second = (
            {key: changes[key, partner] for key, partner in pairs.items() if (key, partner) in changes}
            for pairs in (to_best, partners)
        )
        return first, second

    def compare_pairs(self, keys: Sequence[Key], pairs: Sequence[tuple[Key, Key]]) -> dict[tuple[Key, Key], Difference]:
        """Compare pairs of keys, adjusted as one family for all pairs of keys (`shaffer`).

        The best was found in the same data, so that any pair could have been compared.

        Args:
            keys: of the family.
            pairs: of these; one without common items is left out.
        """
        spreads = {
            frozenset(pair): spread
            for pair in combinations(keys, 2)
            if (spread := self._uncertainty(*pair)) is not None
        }
        adjusted = dict(zip(spreads, shaffer([spread.p for spread in spreads.values()], len(keys)), strict=True))
        return {
            pair: change.adjusted(adjusted[frozenset(pair)], len(spreads))
            for pair in dict.fromkeys(pairs)
            if (change := self.difference(*pair))
        }

    def best(self, ranked: Sequence[Key], *, higher_is_better: bool) -> Estimate:
        """Estimate the first of several, its interval corrected for having been picked as the best of them.

        Only those on the same items are taken into account.

        Args:
            ranked: best first.
            higher_is_better: whether the best is the highest.
        """
        first = self._samples[ranked[0]]
        keys = [key for key in ranked if _items(self._samples[key]) == _items(first)]
        return correct_for_selection(
            self.estimate(keys[0]),
            [self._samples[key] for key in keys],
            [self._resampled[key] for key in keys if key in self._resampled],
            higher_is_better=higher_is_better,
        )

    def _uncertainty(self, first: Key, second: Key) -> Uncertainty | None:
        """Interval and p of a difference; None without common items."""
        pair = self._pair(first, second)
        return paired_uncertainty(*pair) if pair else None

    def _pair(
        self, first: Key, second: Key
    ) -> tuple[Sample, Sample, tuple[BootstrapEstimate, BootstrapEstimate] | None] | None:
        minuend, subtrahend = self._samples[first], self._samples[second]
        if _items(minuend) == _items(subtrahend):
            both = first in self._resampled and second in self._resampled
            return minuend, subtrahend, (self._resampled[first], self._resampled[second]) if both else None
        pair = minuend.pair_with(subtrahend)
        return (*pair, None) if pair else None


def _items(sample: Sample) -> tuple[tuple[str, ...], bytes]:
    return sample.ids, sample.clusters.tobytes()
