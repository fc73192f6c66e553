"""A decision for the terminal, as Markdown and as JSON: the same sentences in the same order."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.compare.decide.choice import RankedOption, TaskDecision
from harness.compare.decide.decision import Decision
from harness.compare.decide.rules import AppliedRule
from harness.compare.prose.numbers import listing, metric_title, score, seconds, size, usd
from harness.render.report.columns import UNKNOWN
from harness.render.text.escape import cell, markdown, plain

INDENT = (0, 0, 0, 2)
TITLES = ("", "strategy", "model", "score", "USD a month", "p95", "memory")
"""Columns of the options that fit; the first holds their place."""


def as_json(decision: Decision) -> str:
    """Write everything that was found, ending in a newline; unknown is null."""
    return json.dumps(decision.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_terminal(decision: Decision) -> Iterator[RenderableType]:
    """Lay a decision out: the verdict, then each task with what fits and what does not, then rules and prices."""
    yield Text(_bare(decision.verdict), style="bold")
    for task in decision.tasks:
        if decision.overall:
            yield from (Text(), Text(_bare(task.verdict), style="bold"))
        yield Text()
        if any(not option.excluded for option in task.options):
            yield from (Padding(_table(task), INDENT, expand=False), Text())
        yield from (_indented(line) for line in excluded(task))
        yield from (_indented(line) for line in remarks(task))
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
        rows = [_cells(option, task) for option in task.options if not option.excluded]
        if rows:
            titles = _titles(task)
            lines = [titles, ["---"] * len(titles), *[[row[i] for i in _shown(task)] for row in rows]]
            blocks.append("\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines))
        said = [*excluded(task), *remarks(task)]
        if said:
            blocks.append("\n".join(f"- {markdown(line)}" for line in said))
    closing = [*rules(decision), *decision.notes, basis(decision)]
    blocks.append("\n".join(f"- {markdown(line)}" for line in closing))
    return "\n\n".join(blocks) + "\n"


def excluded(task: TaskDecision) -> list[str]:
    """Say why each option that does not fit was left out, a line each."""
    name = _named(task)
    reasons: dict[str, list[str]] = {}
    for option in task.options:
        if option.excluded:
            reasons.setdefault(option.reason or "", []).append(name(option))
    return [f"Not {listing(names)}: {reason}." for reason, names in reasons.items()]


def remarks(task: TaskDecision) -> list[str]:
    """Say what else there is to say of a task."""
    name = _named(task)
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
    """Say which rules spoke, with their sources, and what was measured here."""
    return [_rule(one) for one in decision.rules]


def basis(decision: Decision) -> str:
    """Say what was asked for and what the money rests on."""
    usage = decision.assumed.usage
    days = sorted({price.as_of for price in decision.assumed.prices})
    dated = f"{days[0]} to {days[-1]}" if len(days) > 1 else str(days[0]) if days else "no date"
    often = f", made again {usage.updates_per_month:.3g} times a month" if usage.updates_per_month else ""
    named = ", ".join(f"{price.name} {price.usd:g} a {price.unit}" for price in decision.assumed.prices)
    return (
        f"Ranked by {decision.constraints.objective} among those not clearly worse than the best that fits (5 %, "
        f"paired, Holm). Money: {usage.requests_per_month:,.0f} requests a month over {usage.months:g} months{often}; "
        f"what is paid once is spread over them; list prices of {dated} ({named}). [low, high] is a 95 % "
        "interval; figures without one were measured once."
    )


def _rule(one: AppliedRule) -> str:
    effect = {"exclude": "leaves out", "warn": "warns of", "prefer": "speaks for"}[one.rule.effect]
    here = ""
    if one.measured:
        agrees = {True: "Measured here too", False: "Measured here, it is the other way round", None: "Not clear here"}
        here = f" {agrees[one.agrees]}: {one.measured}."
    names = listing([f"`{name}`" for name in one.strategies])
    return f"Rule {one.rule.id} {effect} {names}: {one.rule.says} ({one.rule.source}, {one.rule.address}).{here}"


def _table(task: TaskDecision) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for title in _titles(task):
        left = title in {"", "strategy", "model"}
        table.add_column(Text(title), justify="left" if left else "right", no_wrap=not left, overflow="fold")
    for option in task.options:
        if not option.excluded:
            cells = _cells(option, task)
            style = "bold" if option.place == 1 else "" if option.tied else "dim"
            table.add_row(*[Text(cells[i], style=style) for i in _shown(task)])
    return table


def _cells(option: RankedOption, task: TaskDecision) -> list[str]:
    del task
    place = str(option.place) if option.place else "worse" if option.tied is False else UNKNOWN
    return [
        place,
        plain(option.strategy),
        plain(option.model),
        score(option.score) if option.score else UNKNOWN,
        UNKNOWN if option.usd_month is None else usd(option.usd_month),
        UNKNOWN if option.p95_s is None else seconds(option.p95_s),
        UNKNOWN if option.memory_bytes is None else size(option.memory_bytes),
    ]


def _shown(task: TaskDecision) -> list[int]:
    """Choose the columns: models where there are several, latency where it was measured."""
    several = len({option.model for option in task.options}) > 1
    timed = any(option.p95_s is not None for option in task.options)
    return [i for i in range(len(TITLES)) if (i != 2 or several) and (i != 5 or timed)]


def _titles(task: TaskDecision) -> list[str]:
    named = [metric_title(task.metric) if title == "score" else title for title in TITLES]
    return [named[i] for i in _shown(task)]


def _named(task: TaskDecision):  # noqa: ANN202
    several = len({option.model for option in task.options}) > 1

    def name(option: RankedOption) -> str:
        return f"`{option.strategy}`" + (f" with `{option.model}`" if several else "")

    return name


def _bare(text: str) -> str:
    return plain(text).replace("`", "")


def _indented(text: str) -> Padding:
    return Padding(Text(_bare(text)), INDENT, expand=False)
