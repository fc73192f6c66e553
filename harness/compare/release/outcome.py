"""Outcome of a gate: the verdict, the changes between the releases, and the runs that would separate their effects."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Literal

from harness.compare.release.attribution import RecordedChange, list_changes, quality_factors
from harness.compare.release.gate import GateLimits, Verdict, judge
from harness.compare.release.pairing import Pairing, group_systems, pair_systems, read_measured
from harness.compare.release.run_noise import Noise
from harness.compare.release.separating_runs import Separation, plan_separations
from harness.compare.trials.stored_trials import TrialWithRows
from harness.errors import HarnessError
from harness.records.measurements import StoredModel
from harness.store.baselines import Manifest

EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3}
"""Exit code of `harness gate`; 2 is for usage errors."""
InconclusivePolicy = Literal["pass", "warn", "fail"]


class Gate(StoredModel):
    """A candidate judged against a named baseline.

    Attributes:
        set_at: when the baseline was named.
        changes: all recorded ones; separations: runs that separate their effects, where several factors changed.
        several: factors that changed and can move quality, if more than one did.
        inconclusive: what an inconclusive outcome counts as; None: it has an exit code of its own.
    """

    suite: str
    baseline: str
    set_at: str
    verdict: Verdict
    changes: tuple[RecordedChange, ...] = ()
    separations: tuple[Separation, ...] = ()
    several: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    inconclusive: InconclusivePolicy | None = None

    @property
    def exit_code(self) -> int:
        """Exit code of the command."""
        outcome = self.verdict.outcome
        if outcome == "inconclusive" and self.inconclusive:
            outcome = "fail" if self.inconclusive == "fail" else "pass"
        return EXIT_CODES[outcome]


class Explanation(StoredModel):
    """Changes between two releases; `missing` are systems that only one of them has."""

    first: str
    second: str
    systems: int
    changes: tuple[RecordedChange, ...]
    separations: tuple[Separation, ...] = ()
    missing: tuple[str, ...] = ()


def pair_releases(
    baseline: Iterable[TrialWithRows],
    candidate: Iterable[TrialWithRows],
    strategies: Sequence[str] = (),
    against: str | None = None,
) -> Pairing:
    """Read two releases and pair their systems.

    Raises:
        HarnessError: rows are damaged, or a strategy is unknown.
    """
    return pair_systems(
        group_systems(read_measured(baseline)), group_systems(read_measured(candidate)), strategies, against
    )


def gate(  # noqa: PLR0913 - one for each option of the command
    baseline: Manifest,
    pairing: Pairing,
    limits: GateLimits,
    noise: Noise,
    notes: Iterable[str] = (),
    *,
    inconclusive: InconclusivePolicy | None = None,
    repeat: str | None = None,
) -> Gate:
    """Judge a candidate.

    Args:
        baseline: its name, its suite and when it was set.
        pairing: their systems.
        limits: of the losses.
        noise: of repeats.
        notes: about the store.
        inconclusive: what an inconclusive outcome counts as; None: itself.
        repeat: command that measures both releases in turn; None: with the names of suite and baseline.

    Raises:
        HarnessError: a margin names nothing.
    """
    repeat = repeat or f"harness repeat {shlex.quote(baseline.suite)} --against {shlex.quote(baseline.name)}"
    verdict = judge(pairing, limits, noise, repeat)
    new = [pair for pair in pairing.pairs if not pair.same_records]
    changes = list_changes(new)
    suspects = {check.strategy for check in verdict.checks if check.outcome in {"fail", "inconclusive"}}
    factors = quality_factors(changes)
    return Gate(
        suite=baseline.suite,
        baseline=baseline.name,
        set_at=baseline.set_at,
        verdict=verdict,
        changes=changes,
        separations=plan_separations(changes, new, baseline.name, sorted(suspects)),
        several=factors if len(factors) > 1 else (),
        notes=(*verdict.notes, *notes),
        inconclusive=inconclusive,
    )


def explain(first: str, second: str, pairing: Pairing) -> Explanation:
    """List the changes between two releases.

    Args:
        first: name of the baseline's side.
        second: name of the candidate's side.
        pairing: their systems.

    Raises:
        HarnessError: they have no system in common.
    """
    if not pairing.pairs:
        raise HarnessError(f"{first} and {second} have no task and strategy in common: there is nothing to compare.")
    changes = list_changes(pairing.pairs)
    missing = [
        f"only in {name}: {system.name}"
        for name, systems in ((first, pairing.missing), (second, pairing.added))
        for system in systems
    ]
    return Explanation(
        first=first,
        second=second,
        systems=len(pairing.pairs),
        changes=changes,
        separations=plan_separations(changes, pairing.pairs, first),
        missing=tuple(missing),
    )
