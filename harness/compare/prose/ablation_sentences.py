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


def sentences(task: TaskResult, done: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say what the other ways of asking show.

    Args:
        task: the table.
        done: its rows that have a score, best first.
        name: what rows are called.
    """
    return [*_attribution(task, done, name), *_wording(task, done, name)]


def _attribution(task: TaskResult, done: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say of each system that retrieves how much its retriever loses, and how much what reads the passages."""
    end = get(task.primary or "").bounds[1 if task.higher_is_better else 0]
    told: list[str] = []
    for row in done:
        ways = {one.way: one for one in row.controls}
        if "oracle" in ways and math.isfinite(end):
            told.append(_lost(task, name(row), ways, end))
    return told


def _lost(task: TaskResult, name: str, ways: Mapping[str, Control], end: float) -> str:
    oracle = ways["oracle"]
    up = 1 if task.higher_is_better else -1
    missing = up * (end - usual(oracle))
    retriever = _interval(oracle.change.value * up, oracle.change.low * up, oracle.change.high * up)
    reader = _interval(*(up * (end - bound) for bound in (oracle.score.value, oracle.score.low, oracle.score.high)))
    others = [f"{words} it scores {score(ways[way].score)}" for way, words in _PASSAGES.items() if way in ways]
    return (
        f"Of the {missing:.2f} that {name} misses on `{bare(task.name)}`, the retriever loses {retriever} and the "
        f"reader {reader} ({count(oracle.change.n, 'item')} asked again with the passages that hold the answer)"
        f"{'; ' if others else ''}{', '.join(others)}."
    )


def _wording(task: TaskResult, done: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say how far other words for the instruction move the scores, and whether they change the order."""
    rows = _worded(done)
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


def _worded(done: Sequence[StrategyResult]) -> list[tuple[StrategyResult, dict[str, Control]]]:
    """Rows with what they scored under each paraphrase, where its words are those of the first that was asked so."""
    found: list[tuple[StrategyResult, dict[str, Control]]] = []
    words: dict[str, str] = {}
    for row in done:
        asked = [one for one in row.controls if one.way.startswith(WORDING)]
        own = {one.way: one for one in asked if words.setdefault(one.way, one.instruction) == one.instruction}
        if own:
            found.append((row, own))
    return found


def _order(task: TaskResult, rows: Sequence[tuple[StrategyResult, dict[str, Control]]], name: Names) -> str:
    """Say whether the same strategy is first under every wording, and whether the order behind it holds."""
    up = 1 if task.higher_is_better else -1
    ways = {way: [row for row in rows if way in row[1]] for _, controls in rows for way in controls}
    ways = {way: own for way, own in ways.items() if len(own) > 1}
    turned: list[str] = []
    for way, own in ways.items():
        before, after = ([up * score for score in scores] for scores in _scores(own, way))
        if _turned(before, after):
            first = [own[place][0] for place in _first(after)]
            same = set(_first(before)) & set(_first(after))
            come = "comes" if len(first) == 1 else "come"
            turned.append(way if same else f"{way} ({name.all(first)} {come} first)")
    if not ways:
        return ""
    if turned:
        return f"The order of the strategies by these scores, which has no interval, changes under {listing(turned)}."
    return f"The order of the strategies by these scores, which has no interval, is the same under {_each(ways)}."


def _scores(rows: Sequence[tuple[StrategyResult, dict[str, Control]]], way: str) -> tuple[list[float], list[float]]:
    """Scores in the usual way and in another one, on the same items."""
    found = [controls[way] for _, controls in rows]
    return [usual(one) for one in found], [one.score.value for one in found]


def _each(ways: Collection[str]) -> str:
    return "the paraphrase" if len(ways) == 1 else f"each of the {len(ways)} paraphrases"


def _turned(before: Sequence[float], after: Sequence[float]) -> bool:
    """Tell whether any two change places; a tie is no order."""
    pairs = [(i, j) for i in range(len(before)) for j in range(i)]
    return any((before[i] - before[j]) * (after[i] - after[j]) < -TIE for i, j in pairs)


def _first(scores: Sequence[float]) -> list[int]:
    return [place for place, one in enumerate(scores) if one >= max(scores) - TIE]


def _interval(value: float, one: float, other: float) -> str:
    return f"{value:.2f} [{min(one, other):.2f}, {max(one, other):.2f}]"
