"""Infers the kind of task from a table's references: labels, short answers or texts."""

from collections import Counter
from dataclasses import dataclass
from statistics import median

from harness.api import Kind
from harness.data.cells import cell_at
from harness.data.table_rows import TableRows
from harness.errors import HarnessError
from harness.metrics.words import count_words

FEW_LABELS = 30
MIN_REPETITION = 3
"""Rows a value, from which more than `FEW_LABELS` short values are labels, if nearly all of them repeat."""
SURE_REPETITION = 10
"""Rows a value, from which short values are labels without a doubt."""
SHORT_WORDS = 6


@dataclass(frozen=True)
class Inference:
    """The kind that a column of references looks like.

    Attributes:
        alternative: the next likely kind.
        reason: a sentence.
        is_sure: whether nobody needs to be asked.
    """

    kind: Kind
    alternative: Kind
    reason: str
    is_sure: bool = True

    @property
    def sentence(self) -> str:
        """The reason, and the flags that choose a kind."""
        return f"{self.reason} If that is wrong: --kind {self.alternative}."


def infer_kind(table: TableRows, reference: str, *, has_corpus: bool) -> Inference:
    """Infer the kind of task from a column of references.

    Few values that repeat, or many short ones that nearly all repeat, are labels; else short answers, or any with a
    corpus, are question answering; others are generation.

    Raises:
        HarnessError: the column is empty or has one value, so that no system could be better than another.
    """
    lists = [cell for row in table.rows if isinstance(cell := cell_at(row, reference), list)]
    if lists:
        parts = Counter(str(part) for cell in lists for part in cell)
        if len(parts) > 1 and _are_labels(parts):
            reason = f'Column {reference!r} has lists of {len(parts)} labels: kind "multi_label".'
            return Inference("multi_label", "qa", reason, is_sure=False)
        return Inference("qa", "generation", f'Column {reference!r} holds lists of answers: kind "qa".')
    counts = Counter(table.texts(reference))
    rows, values = counts.total(), len(counts)
    if values < 2:
        raise HarnessError(f"column {reference!r} of {table.name} has {values} different value(s): there must be two.")
    middle = median(count_words(text) for text in counts.elements())
    repeated = sum(times > 1 for times in counts.values()) / values
    holds = f"Column {reference!r} has {values} values in {rows} rows"
    other: Kind = "qa" if has_corpus or middle <= SHORT_WORDS else "generation"
    if middle <= 2 * SHORT_WORDS and _are_labels(counts):
        sure = values <= 5 or rows >= SURE_REPETITION * values
        return Inference("classification", other, f'{holds}: kind "classification".', sure)
    sure = repeated < 0.5 or middle > 2 * SHORT_WORDS
    if has_corpus:
        alternative: Kind = "generation" if sure else "classification"
        return Inference("qa", alternative, f'{holds}, and there is a corpus: kind "qa".', sure)
    words = f"median length {middle:g} {'word' if middle == 1 else 'words'}"
    if middle <= SHORT_WORDS:
        alternative = "generation" if sure else "classification"
        return Inference("qa", alternative, f'{holds}, short texts, {words}: kind "qa".', sure)
    return Inference("generation", "qa", f'{holds}, texts, {words}: kind "generation".', sure)


def _are_labels(counts: Counter[str]) -> bool:
    rows, values = counts.total(), len(counts)
    if values <= FEW_LABELS:
        return values < 0.2 * rows or (values <= 5 and rows >= 2 * values)
    longest = max(map(count_words, counts))
    repeated = sum(times > 1 for times in counts.values())
    return rows >= MIN_REPETITION * values and repeated >= 0.9 * values and longest <= SHORT_WORDS
