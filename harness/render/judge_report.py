"""A judge's pass rates as a table: controls, biases, and what people's labels make of them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from harness.judge.judged_rates import FEWEST_LABELS
from harness.judge.judged_table import JudgedRow, JudgedTable, RateModel
from harness.judge.judgements import Judgements
from harness.render.text.escape import plain
from harness.render.text.priority_table import PriorityColumn, PriorityTable


def as_terminal(table: JudgedTable) -> Iterator[RenderableType]:
    """Write the controls, the table and what it may be taken for."""
    judgements = table.judgements
    yield Text(f"{plain(table.task)}, as judged by {plain(judgements.judge)}{_returned(judgements)}")
    yield _controls(judgements)
    yield _rates(table)
    for pair in judgements.pairs:
        total = pair.wins + pair.losses + pair.flipped
        flip = f"{pair.flipped / total:.0%}" if total else "none"
        yield Text(
            f"{plain(pair.strategy)} against {plain(pair.baseline)}: {pair.wins} won, {pair.losses} lost; "
            f"{flip} changed with the order, first shown won {_share(pair.first_share)}, longer won "
            f"{_share(pair.longer_share)}, {pair.unjudged} not judged."
        )
    yield Text(_claim(table))


_RANKS = {
    "strategy": 0,
    "model": 5,
    "judged": 3,
    "passed": 0,
    "length r": 6,
    "labels": 1,
    "agree": 6,
    "kappa": 4,
    "gap": 6,
    "pass rate": 0,
    "minus first": 2,
}
"""Columns by title, and which are left out first where the terminal is narrow: those of a high rank."""


def _rates(table: JudgedTable) -> PriorityTable:
    rows = [_cells(row, struck=table.judgements.struck is not None) for row in table.rows]
    columns = [
        PriorityColumn(title, [plain(row[index]) for row in rows], rank=rank, right=index > 1)
        for index, (title, rank) in enumerate(_RANKS.items())
    ]
    return PriorityTable(columns, remedy="A wider terminal or --format json shows them.")


def _cells(row: JudgedRow, *, struck: bool) -> list[str]:
    passed = "struck" if struck else f"{row.passed / row.items:.2f}" if row.items else ""
    family = " (same family)" if row.same_family else ""
    return [
        row.strategy,
        f"{row.model}{family}",
        f"{row.judged} of {row.items}",
        passed,
        _number(row.length_correlation),
        str(row.labels or ""),
        _number(row.agreement),
        _number(row.kappa),
        _number(row.gap),
        _rate(row.corrected),
        _rate(row.to_first),
    ]


def _controls(judgements: Judgements) -> Text:
    parts = [f"{control.kind} {control.passed} of {control.asked}" for control in judgements.controls]
    return Text(f"Controls that passed: {', '.join(parts)}.")


def _claim(table: JudgedTable) -> str:
    if table.judgements.struck:
        return f"The judge fails its controls ({table.judgements.struck}): its verdicts are struck."
    labels = min((row.labels for row in table.rows), default=0)
    if labels < FEWEST_LABELS:
        return (
            f"Not checked against people ({labels} labels, {FEWEST_LABELS} are needed): no verdict rests on this. "
            "'harness label' writes a sheet."
        )
    if table.clustered:
        return "Items come in clusters, for which no interval was simulated: none is given."
    return (
        "pass rate: the judge's verdicts corrected by people's labels, with a 95 % interval (post-stratified, "
        "MOVER-Wilson); minus first: PPI++ with Student's t, from 100 labels on."
    )


def _returned(judgements: Judgements) -> str:
    return f", which answered as {', '.join(map(plain, judgements.returned))}" if judgements.returned else ""


def _share(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.0%}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _rate(rate: RateModel | None) -> str:
    return "" if rate is None else f"{rate.value:.2f} [{rate.low:.2f}, {rate.high:.2f}]"
