"""Standard deviations over seeds of the reference runs: `python -m tests.seed_sds` writes the table that is assumed.

One entry is a strategy with two seeds or more on a task, or on a probe of it; of these, by kind of method and metric,
the 90th percentile. Where a kind has few, it is at least that over all kinds: a single run may be steady by luck, or
because it scores near 0. Metrics without a finite range have shares of the score.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np

from harness.compare.stats.sample import Sample
from harness.compare.trials.groups import group_trials
from harness.compare.trials.seed_noise import QUANTILE, TABLE, has_range, seed_kind
from harness.compare.trials.stored_trials import read_trials
from harness.metrics import get
from harness.store.results_store import Store, select_newest

FEW = 5
REFERENCE = Path(__file__).parents[1] / "results" / "reference"


def repeated():
    """Standard deviation over seeds of each repeated strategy, task or probe, and metric: (kind, metric) → list."""
    trials = defaultdict(list)
    for trial in read_trials(select_newest(Store(REFERENCE).load()).trials):
        trials[trial.record.trial.suite, trial.record.trial.task, trial.record.trial.train_items].append(trial)
    sds = defaultdict(list)
    for (_, task, _), stored in trials.items():
        for group in group_trials(task, stored):
            kind = seed_kind(group.records) if len(group.records) > 1 else None
            for info in group.records[0].tasks if kind else ():
                items = [trial.items[info.name] for trial in group.trials if info.name in trial.items]
                for metric in info.metrics:
                    sample = Sample.from_items(get(metric), items)
                    if sample and sample.seeds > 1 and (sample.scores != sample.scores[:1]).any():
                        scale = 1 if has_range(sample.metric) else sample.value
                        sds[kind, metric].append(float(sample.seed_scores.std(ddof=1)) / scale)
    return sds


def table():
    """The table as text."""
    measured, by_kind = repeated(), defaultdict(list)
    for (kind, metric), sds in sorted(measured.items()):
        every = [sd for (_, other), others in measured.items() if other == metric for sd in others]
        if len(every) < FEW and has_range(get(metric)):
            continue  # other metrics of the same range tell more
        sd = max(float(np.quantile(pool, QUANTILE)) for pool in ((sds, every) if len(sds) < FEW else (sds,)))
        by_kind[kind].append(f"{metric} = {sd:.3g}  # {len(sds)} repeated, {len(every)} of all kinds")
    lines = [
        "# Standard deviation of a score over seeds, assumed where a task has no repeated run of that kind of method:",
        "# the 90th percentile over the strategies of results/reference with two seeds or more, on tasks and probes;",
        f"# of fewer than {FEW}, at least that over all kinds. Of bits and perplexity: as a share of the score.",
        "# Written by: python -m tests.seed_sds",
    ]
    for kind, entries in by_kind.items():
        lines += ["", f"[sd.{kind}]", *entries]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
