"""A decision for the terminal, as Markdown and as JSON: the same sentences in the same order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from harness.compare.decide.choice import RankedOption, TaskDecision
from harness.compare.decide.decision import Decision
from harness.compare.decide.rules import AppliedRule
from harness.compare.prose.numbers import listing, metric_title, score, usd
from harness.measure.units import seconds, size
from harness.render.report.columns import UNKNOWN
from harness.render.text.escape import cell, markdown, plain
from harness.render.text.json_text import json_text
from harness.render.text.priority_table import PriorityColumn, PriorityTable
from harness.render.text.tables import indented, markdown_table

TITLES = ("", "strategy", "model", "score", "USD/month", "labels", "p95", "memory")
"""Columns of the options that fit; the first is their rank, ``=1`` for all that are tied for best."""
RANKS = (0, 0, 1, 0, 2, 3, 4, 5)
"""Of the columns, where there is no room for all."""


def as_json(decision: Decision) -> str:
    """Write the whole decision as JSON, ending in a newline; unknown is null."""
    return json_text(decision.model_dump(mode="json"))


def as_terminal(decision: Decision) -> Iterator[RenderableType]:
    """Lay a decision out: the verdict, then each task with what fits and what does not, then rules and prices."""
    yield Text(_bare(decision.verdict), style="bold")
    for task in decision.tasks:
        if len(decision.tasks) > 1:
            yield from (Text(), Text(_bare(task.verdict), style="bold"))
        yield Text()
        if any(not option.excluded for option in task.options):
            yield from (_table(task), Text())
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
        if len(decision.tasks) > 1:
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
    """Say why options do not fit, a line for each reason."""
    name = _namer(task)
    reasons: dict[str, list[str]] = {}
    for option in task.options:
        if option.excluded:
            reasons.setdefault(option.reason or "", []).append(name(option))
    return [f"Not {listing(names)}: {reason}." for reason, names in reasons.items()]


def remarks(task: TaskDecision) -> list[str]:
    """List warnings, unknowns, and the changes that would change the choice, a line each."""
    name = _namer(task)
    return [
        *task.unknown,
        *task.changes,
        *[
            f"Caution for {name(option)}: {text}."
            for option in task.options
            if option.place == 1
            for text in option.warnings
        ],
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
    updates = f", updated {usage.updates_per_month:.3g} times a month" if usage.updates_per_month else ""
    price_list = ", ".join(f"{price.name} {price.usd:g} a {price.unit}" for price in decision.assumed.prices)
    return (
        f"Ranked by {decision.constraints.objective} among those not clearly worse than the best that fits (paired "
        "tests, 5 %, adjusted for all pairs). "
        f"Money is for {usage.requests_per_month:,.0f} requests a month over {usage.months:g} months{updates}: from a "
        "machine at full load, a lower bound, to one that is always on; list prices of "
        f"{dated} ({price_list}). [low, high] is a 95 % interval."
    )


def _rule(applied: AppliedRule) -> str:
    effect = {"exclude": "excludes", "warn": "warns about", "prefer": "favours"}[applied.rule.effect]
    measured = ""
    if applied.measured:
        agrees = {True: "Confirmed here", False: "Contradicted here", None: "Not clear here"}
        measured = f" {agrees[applied.agrees]}: {applied.measured}."
    names = listing([f"`{name}`" for name in applied.strategies])
    rule = applied.rule
    return f"Rule {rule.id} {effect} {names}: {rule.says} ({rule.source}, {rule.address}).{measured}"


def _table(task: TaskDecision) -> PriorityTable:
    options = [option for option in task.options if not option.excluded]
    cells = list(zip(*map(_cells, options), strict=True))
    columns = [
        PriorityColumn(title, cells[index], RANKS[index], right=index not in {1, 2})
        for index, title in zip(_visible_columns(task), _titles(task), strict=True)
    ]
    return PriorityTable(columns, styles=["bold" if o.place == 1 else "" if o.tied else "dim" for o in options])


def _cells(option: RankedOption) -> list[str]:
    position = "=1" if option.tied else "worse" if option.tied is False else UNKNOWN
    return [
        position,
        plain(option.strategy),
        plain(option.model),
        score(option.score) if option.score else UNKNOWN,
        _machine(option),
        UNKNOWN if option.labels_usd is None else usd(option.labels_usd),
        UNKNOWN if option.p95_s is None else seconds(option.p95_s),
        UNKNOWN if option.memory_bytes is None else size(option.memory_bytes),
    ]


def _machine(option: RankedOption) -> str:
    """Write what a month costs at full load, and with a machine that is always on."""
    if option.busy_usd_month is None:
        return UNKNOWN
    always_on = f"\N{EN DASH}{usd(option.always_on_usd_month)}" if option.always_on_usd_month else ""
    return usd(option.busy_usd_month) + always_on


def _visible_columns(task: TaskDecision) -> list[int]:
    """Indices of the columns: models where there are several, latency where it was measured."""
    hidden = set[str]() if _several_models(task) else {"model"}
    hidden |= set[str]() if any(option.p95_s is not None for option in task.options) else {"p95"}
    hidden |= set[str]() if any(option.labels_usd for option in task.options) else {"labels"}
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
