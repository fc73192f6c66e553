"""What of the planted secrets a system gives away, by how many copies of a secret stood in its training items."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import inf, log2

from harness import metrics
from harness.compare.findings import Exposed
from harness.compare.names import Names
from harness.compare.result import StrategyResult
from harness.compare.sample import Sample
from harness.compare.statistics import Estimate, estimate
from harness.compare.stored import Stored
from harness.compare.words import listing, score
from harness.metrics.memory import guessed_exposure

_COPIES = re.compile(r"^canary-\d+x(\d+)$")
"""An item of a probe for planted secrets, as `data.canaries` names it."""


def planted_of(trials: Sequence[Stored]) -> tuple[Exposed, ...]:
    """Estimate exposure and extraction for each number of copies, fewest first.

    Args:
        trials: one strategy's seeds on one task.

    Returns:
        Nothing where the task has no planted secrets.
    """
    own = trials[0].record.trial.task if trials else ""
    asked = {
        probe: [one.items[name] for one in trials if (name := f"{own}.{probe}") in one.items]
        for probe in ("exposure", "extraction")
    }
    candidates = max((len(each) for items in asked["exposure"] for each in items.choices), default=None)
    most = log2(candidates) if candidates else inf
    exposure = _by_copies(Sample.of(metrics.get("exposure"), asked["exposure"]), most)
    extracted = _by_copies(Sample.of(metrics.get("extracted"), asked["extraction"]))
    return tuple(
        Exposed(copies=n, candidates=candidates, exposure=exposure.get(n), extracted=extracted.get(n))
        for n in sorted(exposure.keys() | extracted.keys())
    )


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


def _shows(one: Exposed) -> bool:
    """Tell whether secrets with so many copies are written out, or are clearly easier to guess than by chance."""
    guess = guessed_exposure(one.candidates) if one.candidates else 0.0
    return bool(one.extracted and one.extracted.value) or bool(one.exposure and one.exposure.low > guess)


def _answer(rows: Sequence[StrategyResult]) -> str:
    return "answers" if len(rows) == 1 else "answer"


def _by_copies(sample: Sample | None, most: float = inf) -> dict[int, Estimate]:
    """Estimate the mean for each number of copies; no interval goes beyond the most that there can be."""
    if sample is None:
        return {}
    places = dict[int, list[str]]()
    for one in sample.ids:
        if found := _COPIES.match(one):
            places.setdefault(int(found[1]), []).append(one)
    found = {n: estimate(sample.at(ids)) for n, ids in places.items()}
    return {n: one.model_copy(update={"high": min(one.high, most)}) for n, one in found.items()}
