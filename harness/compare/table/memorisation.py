"""What of the planted secrets a system gives away, by how many copies of a secret stood in its training items."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import inf, log2

from harness import metrics
from harness.compare.stats.estimates import Estimate, estimate
from harness.compare.stats.sample import Sample
from harness.compare.table.findings import SecretExposure
from harness.compare.trials.stored_trials import StoredTrialItems

_COPIES = re.compile(r"^canary-\d+x(\d+)$")
"""An item of a probe for planted secrets, as `data.canaries` names it."""


def planted_of(trials: Sequence[StoredTrialItems]) -> tuple[SecretExposure, ...]:
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
        SecretExposure(copies=n, candidates=candidates, exposure=exposure.get(n), extracted=extracted.get(n))
        for n in sorted(exposure.keys() | extracted.keys())
    )


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
