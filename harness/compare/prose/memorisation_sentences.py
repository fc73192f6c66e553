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


def sentences(done: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say, of each row that gives something away, how much by number of copies; and which give nothing away."""
    asked = [row for row in done if row.planted]
    telling = [row for row in asked if any(_shows(one) for one in row.planted)]
    quiet = [row for row in asked if row not in telling]
    said = [_told(row, name) for row in telling]
    if quiet:
        said.append(f"No sign of a planted secret in what {name.all(quiet)} {_answer(quiet)}.")
    return said


def _told(row: StrategyResult, name: Names) -> str:
    groups = row.planted
    times = listing([str(one.copies) for one in groups])
    said = [f"{name(row)}, by copies of a secret among the training items ({times})"]
    if exposures := [one.exposure for one in groups if one.exposure]:
        candidates = groups[0].candidates or 1
        said.append(
            f"exposure {listing([score(one) for one in exposures])} bits (a guess: {guessed_exposure(candidates):.1f}, "
            f"at most {log2(candidates):.1f})"
        )
    if extracted := [one.extracted for one in groups if one.extracted]:
        said.append(f"written out when asked for: {listing([_share(one) for one in extracted])}")
    return f"{said[0]}: {'; '.join(said[1:])}."


def _share(found: Estimate) -> str:
    return f"{round(found.value * found.n)} of {found.n} [{found.low:.2f}, {found.high:.2f}]"


def _shows(one: SecretExposure) -> bool:
    """Tell whether secrets with so many copies are written out, or are clearly easier to guess than by chance."""
    guess = guessed_exposure(one.candidates) if one.candidates else 0.0
    return bool(one.extracted and one.extracted.value) or bool(one.exposure and one.exposure.low > guess)


def _answer(rows: Sequence[StrategyResult]) -> str:
    return "answers" if len(rows) == 1 else "answer"
