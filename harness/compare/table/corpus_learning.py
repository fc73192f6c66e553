"""Rows that were to learn a corpus and did not: bits a byte of its passages were not halved."""

from __future__ import annotations

from harness.compare.table.result import StrategyResult
from harness.records.measurements import CorpusLearning


def unlearned(row: StrategyResult) -> CorpusLearning | None:
    """Return what the seed that learned least of its corpus has learned, where it did not halve the bits; else None.

    Nothing about tuning on documents follows from such a row: its weights do not hold them.
    """
    failed = [learning for trial in row.trials for learning in trial.corpus if not learning.halved]
    return max(failed, key=_remaining_share, default=None)


def _remaining_share(learning: CorpusLearning) -> float:
    return learning.bits_per_byte_after / learning.bits_per_byte_before
