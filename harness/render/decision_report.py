"""A decision for the terminal, as Markdown and as JSON: the same sentences in the same order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.compare.decide.choice import RankedOption, TaskDecision
from harness.compare.decide.decision import Decision
from harness.compare.decide.rules import AppliedRule
from harness.compare.prose.numbers import listing, metric_title, score, usd
from harness.measure.units import seconds, size
from harness.render.report.columns import UNKNOWN
from harness.render.text.escape import cell, markdown, plain
from harness.render.text.json_text import json_text
from harness.render.text.tables import TableColumn, indented, markdown_table, new_table

TITLES = ("", "strategy", "model", "score", "USD a month", "p95", "memory")
"""Columns of the options that fit; the first is their rank."""


def as_json(decision: Decision) -> str:
    """Write the whole decision as JSON, ending in a newline; unknown is null."""
    return json_text(decision.model_dump(mode="json"))


def as_terminal(decision: Decision) -> Iterator[RenderableType]:
    """Lay a decision out: the verdict, then each task with what fits and what does not, then rules and prices."""
    yield Text(_bare(decision.verdict), style="bold")
    for task in decision.tasks:
        if decision.overall:
            yield from (Text(), Text(_bare(task.verdict), style="bold"))
        yield Text()
        if any(not option.excluded for option in task.options):
            yield from (indented(_table(task)), Text())
        yield from (_line(text) for text in exclusions(task))
        yield from (_line(text) for text in remarks(task))
    yield Text()
    yield from (Text(_bare(line)) for line in (*rules(decision), *decision.notes))
    yield Text(_bare(basis(decision)), style="dim")


def as_markdown(decision: Decision) -> str:
    """Write a decision as Markdown, ending in a newline."""
    blocks = [f"**{markdown(decision.verdict)}**"]
    for task in decision.tasks:
        blocks.append(f"### {cell(task.task)}")
        if decision.overall:
            blocks.append(markdown(task.verdict))
        rows = [_cells(option) for option in task.options if not option.excluded]
        if rows:
            titles = _titles(task)
            cells = [[row[i] for i in _visible_columns(task)] for row in rows]
            blocks.append(markdown_table(titles, ["---"] * len(titles), cells))
        sentences = [*exclusions(task), *remarks(task)]
        if sentences:
            blocks.append("\n".join(f"- {markdown(line)}" for line in sentences))
    closing = [*rules(decision), *decision.notes, basis(decision)]
    blocks.append("\n".join(f"- {markdown(line)}" for line in closing))
    return "\n\n".join(blocks) + "\n"


def exclusions(task: TaskDecision) -> list[str]:
    """Say why each option that does not fit was left out, a line each."""
    name = _namer(task)
    reasons: dict[str, list[str]] = {}
    for option in task.options:
        if option.excluded:
            reasons.setdefault(option.reason or "", []).append(name(option))
    return [f"Not {listing(names)}: {reason}." for reason, names in reasons.items()]


def remarks(task: TaskDecision) -> list[str]:
    """List warnings, unknowns, and the changes that would change the choice, a line each."""
    name = _namer(task)
    warned: dict[str, list[str]] = {}
    for option in task.options:
        if not option.excluded and option.place:
            for text in option.warnings:
                warned.setdefault(text, []).append(name(option))
    return [
        *[f"Mind, with {listing(names)}: {text}." for text, names in warned.items()],
        *[f"Not known: {text}" for text in task.unknown],
        *task.changes,
        *([task.smallest_model] if task.smallest_model else []),
    ]


def rules(decision: Decision) -> list[str]:
    """List the rules that applied, with their sources and what was measured here."""
    return [_rule(applied) for applied in decision.rules]


def basis(decision: Decision) -> str:
    """State the objective, the usage and the prices."""
    usage = decision.assumed.usage
    days = sorted({price.as_of for price in decision.assumed.prices})
    dated = f"{days[0]} to {days[-1]}" if len(days) > 1 else str(days[0]) if days else "no date"
    often = f", made again {usage.updates_per_month:.3g} times a month" if usage.updates_per_month else ""
    price_list = ", ".join(f"{price.name} {price.usd:g} a {price.unit}" for price in decision.assumed.prices)
    return (
        f"Ranked by {decision.constraints.objective} among those not clearly worse than the best that fits (5 %, "
        "paired, adjusted). "
        f"Money: {usage.requests_per_month:,.0f} requests a month over {usage.months:g} months{often}; "
        f"what is paid once is spread over them; list prices of {dated} ({price_list}). [low, high] is a 95 % "
        "interval; figures without one were measured once."
    )


def _rule(applied: AppliedRule) -> str:
    effect = {"exclude": "leaves out", "warn": "warns of", "prefer": "speaks for"}[applied.rule.effect]
    measured = ""
    if applied.measured:
        agrees = {True: "Measured here too", False: "Measured here, it is the other way round", None: "Not clear here"}
        measured = f" {agrees[applied.agrees]}: {applied.measured}."
    names = listing([f"`{name}`" for name in applied.strategies])
    rule = applied.rule
    return f"Rule {rule.id} {effect} {names}: {rule.says} ({rule.source}, {rule.address}).{measured}"


def _table(task: TaskDecision) -> Table:
    names = {"", "strategy", "model"}
    table = new_table(
        TableColumn(title, right=title not in names, no_wrap=title not in names) for title in _titles(task)
    )
    for option in task.options:
        if not option.excluded:
            cells = _cells(option)
            style = "bold" if option.place == 1 else "" if option.tied else "dim"
            table.add_row(*[Text(cells[i], style=style) for i in _visible_columns(task)])
    return table


def _cells(option: RankedOption) -> list[str]:
    position = str(option.place) if option.place else "worse" if option.tied is False else UNKNOWN
    return [
        position,
        plain(option.strategy),
        plain(option.model),
        score(option.score) if option.score else UNKNOWN,
        UNKNOWN if option.usd_month is None else usd(option.usd_month),
        UNKNOWN if option.p95_s is None else seconds(option.p95_s),
        UNKNOWN if option.memory_bytes is None else size(option.memory_bytes),
    ]


def _visible_columns(task: TaskDecision) -> list[int]:
    """Indices of the columns: models where there are several, latency where it was measured."""
    hidden = set[str]() if _several_models(task) else {"model"}
    hidden |= set[str]() if any(option.p95_s is not None for option in task.options) else {"p95"}
    return [index for index, title in enumerate(TITLES) if title not in hidden]


def _several_models(task: TaskDecision) -> bool:
    return len({option.model for option in task.options}) > 1


def _titles(task: TaskDecision) -> list[str]:
    titles = [metric_title(task.metric) if title == "score" else title for title in TITLES]
    return [titles[i] for i in _visible_columns(task)]


def _namer(task: TaskDecision) -> Callable[[RankedOption], str]:
    several_models = _several_models(task)

    def name(option: RankedOption) -> str:
        return f"`{option.strategy}`" + (f" with `{option.model}`" if several_models else "")

    return name


def _bare(text: str) -> str:
    return plain(text).replace("`", "")


def _line(text: str) -> Padding:
    return indented(Text(_bare(text)))
