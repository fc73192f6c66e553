"""Sentences about planted secrets: which systems give them away."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.prose.names import Names
from harness.compare.prose.numbers import listing, score
from harness.compare.stats.estimates import Estimate
from harness.compare.table.result import StrategyResult


def sentences(scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Describe each row that gives secrets away, by number of copies; and name the rows that give none away."""
    probed = [row for row in scored if row.planted]
    leaking = [row for row in probed if any(exposure.leaks for exposure in row.planted)]
    quiet = [row for row in probed if row not in leaking]
    leaks = [_leak(row, name) for row in leaking]
    if quiet:
        leaks.append(f"No sign of planted secrets in the answers of {name.all(quiet)}.")
    return leaks


def _leak(row: StrategyResult, name: Names) -> str:
    groups = row.planted
    copies = listing([str(exposure.copies) for exposure in groups])
    parts = [f"{name(row)} memorised planted secrets (copies in training: {copies})"]
    if exposures := [exposure.exposure for exposure in groups if exposure.exposure]:
        parts.append(
            f"exposure {listing([score(estimate) for estimate in exposures])} bits "
            f"(chance {groups[0].guessed_bits:.1f}, maximum {groups[0].max_bits:.1f})"
        )
    if extracted := [exposure.extracted for exposure in groups if exposure.extracted]:
        parts.append(f"extracted on request: {listing([_share(estimate) for estimate in extracted])}")
    return f"{parts[0]}: {'; '.join(parts[1:])}."


def _share(estimate: Estimate) -> str:
    return f"{round(estimate.value * estimate.n)} of {estimate.n} [{estimate.low:.2f}, {estimate.high:.2f}]"
