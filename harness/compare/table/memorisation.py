"""Memorisation of planted secrets: exposure and extraction by number of copies among the training items."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log2

from harness import metrics
from harness.compare.stats.estimates import Estimate, estimate
from harness.compare.stats.sample import Sample
from harness.compare.table.findings import SecretExposure
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.metrics.canary_metrics import copies_of


def planted_of(trials: Sequence[StoredTrialItems]) -> tuple[SecretExposure, ...]:
    """Estimate exposure and extraction for each number of copies, fewest first.

    Args:
        trials: one strategy's seeds on one task.

    Returns:
        Nothing where the task has no planted secrets.
    """
    task_name = trials[0].record.trial.task if trials else ""
    probe_items = {
        probe: [trial.items[name] for trial in trials if (name := f"{task_name}.{probe}") in trial.items]
        for probe in ("exposure", "extraction")
    }
    candidates = max((len(choices) for items in probe_items["exposure"] for choices in items.choices), default=None)
    max_bits = log2(candidates) if candidates else inf
    exposure = _by_copies(Sample.from_items(metrics.get("exposure"), probe_items["exposure"]), max_bits)
    extracted = _by_copies(Sample.from_items(metrics.get("extracted"), probe_items["extraction"]))
    return tuple(
        SecretExposure(copies=n, candidates=candidates, exposure=exposure.get(n), extracted=extracted.get(n))
        for n in sorted(exposure.keys() | extracted.keys())
    )


def _by_copies(sample: Sample | None, highest: float = inf) -> dict[int, Estimate]:
    """Estimate the mean for each number of copies; intervals end at the highest possible value."""
    if sample is None:
        return {}
    ids = dict[int, list[str]]()
    for item_id in sample.ids:
        if (copies := copies_of(item_id)) is not None:
            ids.setdefault(copies, []).append(item_id)
    means = {copies: estimate(sample.select(item_ids)) for copies, item_ids in ids.items()}
    return {copies: mean.model_copy(update={"high": min(mean.high, highest)}) for copies, mean in means.items()}
