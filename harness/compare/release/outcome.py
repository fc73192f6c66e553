"""The whole of a gate: what passed and what did not, what differs between the releases, and what would tell why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.compare.release.attribution import RecordedChange, Separation, changes, factors, separations
from harness.compare.release.gate import GateLimits, Verdict, judge
from harness.compare.release.pairing import Pairing, measured, pair, systems
from harness.compare.release.run_noise import Noise
from harness.compare.trials.stored_trials import TrialWithRows
from harness.errors import HarnessError
from harness.records.measurements import StoredModel

EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3}
"""What `harness gate` ends with; 2 is for what the user can put right."""


class Gate(StoredModel):
    """A candidate against a named baseline.

    Attributes:
        set_at: when the baseline was named.
        changes: all that differs; separations: the runs that tell causes apart, where there are several.
        several: what differs that can move quality, if more than one thing does.
    """

    suite: str
    baseline: str
    set_at: str
    verdict: Verdict
    changes: tuple[RecordedChange, ...] = ()
    separations: tuple[Separation, ...] = ()
    several: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        return EXIT_CODES[self.verdict.outcome]


class Explanation(StoredModel):
    """What differs between two releases; `missing` are systems that only one of them has."""

    first: str
    second: str
    systems: int
    changes: tuple[RecordedChange, ...]
    separations: tuple[Separation, ...] = ()
    missing: tuple[str, ...] = ()


def pairing_of(
    baseline: Iterable[TrialWithRows],
    candidate: Iterable[TrialWithRows],
    strategies: Sequence[str] = (),
    against: str | None = None,
) -> Pairing:
    """Read both and find what belongs together.

    Raises:
        HarnessError: rows are damaged, or a strategy is unknown.
    """
    return pair(systems(measured(baseline)), systems(measured(candidate)), strategies, against)


def gate(
    named: tuple[str, str, str], pairing: Pairing, limits: GateLimits, noise: Noise, notes: Iterable[str] = ()
) -> Gate:
    """Judge a candidate.

    Args:
        named: suite, baseline and when that was set.
        pairing: their systems.
        limits: what may be lost.
        noise: what is known of repeats.
        notes: about the store, to be shown.

    Raises:
        HarnessError: a margin names nothing.
    """
    suite, baseline, set_at = named
    verdict = judge(pairing, limits, noise)
    new = [one for one in pairing.pairs if not one.same_records]
    found = changes(new)
    blamed = {check.strategy for check in verdict.checks if check.outcome in {"fail", "inconclusive"}}
    kinds = factors(found)
    return Gate(
        suite=suite,
        baseline=baseline,
        set_at=set_at,
        verdict=verdict,
        changes=found,
        separations=separations(found, new, baseline, sorted(blamed)),
        several=kinds if len(kinds) > 1 else (),
        notes=(*verdict.notes, *notes),
    )


def explain(names: tuple[str, str], pairing: Pairing) -> Explanation:
    """List what differs between two releases.

    Raises:
        HarnessError: they have no system in common.
    """
    if not pairing.pairs:
        raise HarnessError(
            f"{names[0]} and {names[1]} have no task and strategy in common: there is nothing to compare."
        )
    found = changes(pairing.pairs)
    alone = [
        f"only in {name}: {one.name}"
        for name, own in zip(names, (pairing.missing, pairing.added), strict=True)
        for one in own
    ]
    return Explanation(
        first=names[0],
        second=names[1],
        systems=len(pairing.pairs),
        changes=found,
        separations=separations(found, pairing.pairs, names[0]),
        missing=tuple(alone),
    )
