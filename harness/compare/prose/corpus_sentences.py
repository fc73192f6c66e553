"""Sentences about steps that learn a corpus: what was learned, and which rows no claim can rest on."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.prose.names import Names, run_command
from harness.compare.prose.numbers import count
from harness.compare.table.corpus_learning import unlearned
from harness.compare.table.result import StrategyResult
from harness.compare.table.undertraining import train_longer
from harness.records.measurements import CorpusLearning


def sentences(row: StrategyResult) -> list[str]:
    """Say what each step of a row's first seed has learned of its corpus; empty where none learns one."""
    learnings = next((trial.corpus for trial in row.trials if trial.corpus), ())
    return [_sentence(learning) for learning in learnings]


def unlearned_sentence(suite: str, rows: Sequence[StrategyResult], name: Names) -> str:
    """Name the rows that have not learned their corpus, with a command that trains the first of them longer."""
    failed = [(row, learning) for row in rows if (learning := unlearned(row))]
    if not failed:
        return ""
    row, learning = failed[0]
    figures = [f"{name(other)} ({bits(short)})" for other, short in failed]
    longer = train_longer(row.strategy, learning.step)
    command = f" Train longer: {run_command(suite, longer)}" if longer else ""
    return f"Undertrained, so no conclusion rests on it: {', '.join(figures)} did not learn the corpus.{command}"


def bits(learning: CorpusLearning) -> str:
    """Write the bits of a corpus before and after: ``bits a byte 1.31 to 0.90, not halved``."""
    change = f"bits a byte {learning.bits_per_byte_before:.2f} to {learning.bits_per_byte_after:.2f}"
    return change if learning.halved else f"{change}, not halved"


def _sentence(learning: CorpusLearning) -> str:
    paraphrases = f" and {count(learning.paraphrases, 'paraphrase')}" if learning.paraphrases else ""
    parts = [f"{learning.step} learned {count(learning.passages, 'passage')}{paraphrases}: {bits(learning)}"]
    if learning.cloze_recall_before is not None and learning.cloze_recall_after is not None:
        recall = f"{learning.cloze_recall_before:.0%} to {learning.cloze_recall_after:.0%}"
        parts.append(f"last words of {count(learning.cloze_items, 'sentence')} recalled {recall}".replace("%", " %"))
    if learning.restricted_passages:
        parts.append(f"{count(learning.restricted_passages, 'restricted passage')} left out")
    return ", ".join(parts)
