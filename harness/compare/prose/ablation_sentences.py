"""What ablations show, in sentences: whether the retriever or the reader loses, and how much the wording matters.

Names stand between backticks.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from harness.compare.prose.names import Names, bare
from harness.compare.prose.numbers import change, count, listing, score
from harness.compare.table.ablation_effects import usual
from harness.compare.table.findings import Control
from harness.compare.table.result import StrategyResult, TaskResult
from harness.metrics import get

WORDING = "paraphrase-"
"""What the ways begin with that ask the instruction in other words."""
TIE = 1e-9
"""Scores nearer than this are equal: sums in another order differ by rounding."""
_PASSAGES = {"random": "with random passages", "none": "with none"}


def sentences(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say what the other ways of asking show.

    Args:
        task: the table.
        scored: its rows that have a score, best first.
        name: what rows are called.
    """
    return [*_attribution(task, scored, name), *_wording(task, scored, name)]


def _attribution(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say of each system that retrieves how much its retriever loses, and how much what reads the passages."""
    end = get(task.primary or "").bounds[1 if task.higher_is_better else 0]
    sentences_: list[str] = []
    for row in scored:
        ways = {control.way: control for control in row.controls}
        if "oracle" in ways and math.isfinite(end):
            sentences_.append(_lost(task, name(row), ways, end))
    return sentences_


def _lost(task: TaskResult, name: str, ways: Mapping[str, Control], end: float) -> str:
    oracle = ways["oracle"]
    up = 1 if task.higher_is_better else -1
    missing = up * (end - usual(oracle))
    retriever = _interval(oracle.change.value * up, oracle.change.low * up, oracle.change.high * up)
    reader = _interval(*(up * (end - bound) for bound in (oracle.score.value, oracle.score.low, oracle.score.high)))
    alternatives = [
        f"{words} it scores {score(ways[passages].score)}" for passages, words in _PASSAGES.items() if passages in ways
    ]
    return (
        f"Of the {missing:.2f} that {name} misses on `{bare(task.name)}`, the retriever loses {retriever} and the "
        f"reader {reader} ({count(oracle.change.n, 'item')} asked again with the passages that hold the answer)"
        f"{'; ' if alternatives else ''}{', '.join(alternatives)}."
    )


def _wording(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say how far other words for the instruction move the scores, and whether they change the order."""
    rows = _worded(scored)
    moved = [(row, control) for row, controls in rows for control in controls.values()]
    if not moved:
        return []
    row, most = max(moved, key=lambda pair: abs(pair[1].change.value))
    changes = [control.change.value for _, control in moved]
    where = f"Other words for the instruction of `{bare(task.name)}` ({count(most.change.n, 'item')} asked again)"
    text = (
        f"{where} move scores by {min(changes):+.2f} to {max(changes):+.2f}, most of all that of {name(row)}: "
        f"{change(most.change)} under {most.way}"
    )
    return [f"{text}. {order}" if (order := _order(task, rows, name)) else f"{text}."]


def _worded(scored: Sequence[StrategyResult]) -> list[tuple[StrategyResult, dict[str, Control]]]:
    """Rows with what they scored under each paraphrase, where its words are those of the first that was asked so."""
    reworded: list[tuple[StrategyResult, dict[str, Control]]] = []
    words: dict[str, str] = {}
    for row in scored:
        paraphrases = [control for control in row.controls if control.way.startswith(WORDING)]
        comparable = {
            control.way: control
            for control in paraphrases
            if words.setdefault(control.way, control.instruction) == control.instruction
        }
        if comparable:
            reworded.append((row, comparable))
    return reworded


def _order(task: TaskResult, rows: Sequence[tuple[StrategyResult, dict[str, Control]]], name: Names) -> str:
    """Say whether the same strategy is first under every wording, and whether the order behind it holds."""
    up = 1 if task.higher_is_better else -1
    ways = {
        paraphrase: [row for row in rows if paraphrase in row[1]] for _, controls in rows for paraphrase in controls
    }
    ways = {paraphrase: paraphrase_rows for paraphrase, paraphrase_rows in ways.items() if len(paraphrase_rows) > 1}
    turned: list[str] = []
    for paraphrase, reworded_rows in ways.items():
        before, after = ([up * score for score in scores] for scores in _scores(reworded_rows, paraphrase))
        if _turned(before, after):
            first = [reworded_rows[index][0] for index in _first(after)]
            same = set(_first(before)) & set(_first(after))
            come = "comes" if len(first) == 1 else "come"
            turned.append(paraphrase if same else f"{paraphrase} ({name.all(first)} {come} first)")
    if not ways:
        return ""
    if turned:
        return f"The order of the strategies by these scores, which has no interval, changes under {listing(turned)}."
    return f"The order of the strategies by these scores, which has no interval, is the same under {_each(ways)}."


def _scores(
    rows: Sequence[tuple[StrategyResult, dict[str, Control]]], paraphrase: str
) -> tuple[list[float], list[float]]:
    """Scores in the usual way and in another one, on the same items."""
    controls_ = [controls[paraphrase] for _, controls in rows]
    return [usual(control) for control in controls_], [control.score.value for control in controls_]


def _each(ways: Collection[str]) -> str:
    return "the paraphrase" if len(ways) == 1 else f"each of the {len(ways)} paraphrases"


def _turned(before: Sequence[float], after: Sequence[float]) -> bool:
    """Tell whether any two change places; a tie is no order."""
    pairs = [(i, j) for i in range(len(before)) for j in range(i)]
    return any((before[i] - before[j]) * (after[i] - after[j]) < -TIE for i, j in pairs)


def _first(scores: Sequence[float]) -> list[int]:
    return [index for index, value in enumerate(scores) if value >= max(scores) - TIE]


def _interval(value: float, low: float, other: float) -> str:
    return f"{value:.2f} [{min(low, other):.2f}, {max(low, other):.2f}]"
