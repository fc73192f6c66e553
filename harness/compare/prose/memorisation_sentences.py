"""Which systems give planted secrets away, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

from harness.compare.prose.names import Names
from harness.compare.prose.numbers import listing, score
from harness.compare.stats.estimates import Estimate
from harness.compare.table.findings import SecretExposure
from harness.compare.table.result import StrategyResult
from harness.metrics.canary_metrics import guessed_exposure


def sentences(scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say, of each row that gives something away, how much by number of copies; and which give nothing away."""
    probed = [row for row in scored if row.planted]
    telling = [row for row in probed if any(_shows(exposure) for exposure in row.planted)]
    quiet = [row for row in probed if row not in telling]
    lines = [_told(row, name) for row in telling]
    if quiet:
        lines.append(f"No sign of a planted secret in what {name.all(quiet)} {_answer(quiet)}.")
    return lines


def _told(row: StrategyResult, name: Names) -> str:
    groups = row.planted
    times = listing([str(exposure.copies) for exposure in groups])
    parts = [f"{name(row)}, by copies of a secret among the training items ({times})"]
    if exposures := [exposure.exposure for exposure in groups if exposure.exposure]:
        candidates = groups[0].candidates or 1
        parts.append(
            f"exposure {listing([score(estimate) for estimate in exposures])} bits "
            f"(a guess: {guessed_exposure(candidates):.1f}, "
            f"at most {log2(candidates):.1f})"
        )
    if extracted := [exposure.extracted for exposure in groups if exposure.extracted]:
        parts.append(f"written out when asked for: {listing([_share(estimate) for estimate in extracted])}")
    return f"{parts[0]}: {'; '.join(parts[1:])}."


def _share(estimate: Estimate) -> str:
    return f"{round(estimate.value * estimate.n)} of {estimate.n} [{estimate.low:.2f}, {estimate.high:.2f}]"


def _shows(exposure: SecretExposure) -> bool:
    """Tell whether secrets with so many copies are written out, or are clearly easier to guess than by chance."""
    guess = guessed_exposure(exposure.candidates) if exposure.candidates else 0.0
    return bool(exposure.extracted and exposure.extracted.value) or bool(
        exposure.exposure and exposure.exposure.low > guess
    )


def _answer(rows: Sequence[StrategyResult]) -> str:
    return "answers" if len(rows) == 1 else "answer"
