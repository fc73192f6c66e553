"""A gate for people: in the terminal, and as Markdown for a pull request's or a workflow's summary; and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.compare.prose.numbers import listing, metric_title, seconds, size
from harness.compare.release.attribution import MOVES, RecordedChange, Separation
from harness.compare.release.gate import GateCheck
from harness.compare.release.outcome import Explanation, Gate
from harness.render.report.columns import UNKNOWN
from harness.render.text.escape import cell, markdown, plain

Part = Text | Table | Padding

STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "not compared": "dim"}
TITLES = ("check", "baseline", "candidate", "change [95 %]", "limit", "outcome")
SENTENCES = {
    "pass": "PASS: every check shows that what may have got worse is within its limit.",
    "fail": "FAIL: at least one check shows a loss beyond its limit.",
    "inconclusive": "INCONCLUSIVE: no check shows a loss beyond its limit, but not all can rule one out.",
}
MANY = 4
"""Checks that are named one by one."""
METHOD = (
    "Each bound of an interval is one-sided 2.5 %. A release passes only if every check does, so one that is beyond "
    "any limit passes with 2.5 % at most, however many checks there are; one failed check fails it."
)


def report(gate: Gate) -> list[Part]:
    """Lay out the outcome, the checks, what differs and what to run next. A `Text` is for a line of its own."""
    said = [*reasons(gate.verdict.checks), *_closing(gate)]
    return [
        Text(_title(gate), style="bold"),
        _indented(_table(gate.verdict.checks)),
        Text(),
        Text(SENTENCES[gate.verdict.outcome], style=STYLES[gate.verdict.outcome]),
        *[_indented(Text(plain(line))) for line in said],
        *[line for separation in gate.separations for line in separated(separation)],
        _indented(Text(METHOD, style="dim"), 0),
    ]


def markdown_summary(gate: Gate) -> str:
    """Write a gate as Markdown, ending in a newline."""
    rules = [":---", "---:", "---:", "---:", "---:", ":---"]
    table = [TITLES, rules, *[[cell(text) for text in cells_of(check)] for check in measured(gate.verdict.checks)]]
    said = [*reasons(gate.verdict.checks), *_closing(gate)]
    parts = [
        f"## {cell(_title(gate))}",
        f"**{SENTENCES[gate.verdict.outcome]}**",
        "\n".join(f"| {' | '.join(row)} |" for row in table),
        "\n".join(f"- {markdown(line)}" for line in said),
        *[
            f"{markdown(one.what)}:\n\n```sh\n" + "\n".join(map(plain, one.commands)) + "\n```"
            for one in gate.separations
            if one.commands
        ],
        markdown(METHOD),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def as_json(found: Gate | Explanation) -> str:
    """Write a gate or an explanation as indented JSON, ending in a newline; unknown is null."""
    raw = found.model_dump(mode="json")
    if isinstance(found, Gate):
        raw = {"outcome": found.verdict.outcome, "exit_code": found.exit_code, **raw}
    return json.dumps(raw, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def explanation(found: Explanation) -> list[Part]:
    """Lay out what differs between two releases, most telling first."""
    head = f"{found.first} → {found.second} · {found.systems} {'system' if found.systems == 1 else 'systems'} in both"
    parts: list[Part] = [Text(plain(head), style="bold")]
    if not found.changes:
        parts.append(Text("Nothing that is recorded differs."))
    else:
        parts.append(_changes(found.changes))
    parts += [Text(plain(line)) for line in found.missing]
    for separation in found.separations:
        parts += separated(separation)
    return parts


def measured(checks: Sequence[GateCheck]) -> list[GateCheck]:
    """Leave out systems of which nothing was measured: a sentence says so, and a row would be empty."""
    return [check for check in checks if check.figure != "all"]


def reasons(checks: Sequence[GateCheck]) -> list[str]:
    """Say of each check that did not pass why, and what would settle it; one line for those that say the same."""
    lines = [
        f"{name_of(check)}: fail, {_change(check)} is beyond {_limit(check)}."
        for check in checks
        if check.outcome == "fail"
    ]
    said: dict[tuple[str, str, str], list[str]] = {}
    for check in checks:
        if check.outcome in {"inconclusive", "not compared"}:
            said.setdefault((check.outcome, check.reason, check.needed), []).append(name_of(check))
    for (outcome, reason, needed), names in said.items():
        shown = (
            listing(names) if len(names) <= MANY else f"{', '.join(names[: MANY - 1])} and {len(names) - MANY + 1} more"
        )
        told = f"{shown}: {outcome}{f', {reason}' if reason else ''}"
        lines.append(f"{told}{f'; to settle it: {needed}' if needed else ''}.")
    return lines


def amount(unit: str, value: float) -> str:
    """Write seconds, bytes, tokens or a score."""
    if unit == "s":
        return seconds(value)
    if unit == "bytes":
        return size(round(value))
    return f"{value:,.0f}" if unit == "tokens" else f"{value:.3g}" if abs(value) >= 10 else f"{value:.3f}"


def name_of(check: GateCheck) -> str:
    """Name a check: task, strategy and figure."""
    of = f" on {check.of}" if check.of else ""
    figure = "" if check.figure == "all" else f" · {metric_title(check.figure)}"
    return f"{check.task} · {check.strategy}{figure}{of}"


def cells_of(check: GateCheck) -> list[str]:
    """Write a check as the cells of a row."""
    values = [_value(check, check.baseline), _value(check, check.candidate)]
    return [name_of(check), *values, _change(check), _limit(check), check.outcome]


def _table(checks: Sequence[GateCheck]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for place, title in enumerate(TITLES):
        table.add_column(title, justify="right" if 0 < place < 5 else "left", no_wrap=place > 0, overflow="fold")
    for check in measured(checks):
        first, *rest, outcome = map(plain, cells_of(check))
        table.add_row(Text(first), *map(Text, rest), Text(outcome, style=STYLES[check.outcome]))
    return table


def _changes(changes: Sequence[RecordedChange]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for title in ("what differs", "before", "after", "in", "can move"):
        table.add_column(title, overflow="fold")
    for one in changes:
        where = f"{len(one.where)} of them" if len(one.where) > 2 else listing(one.where) or "all"
        cells = (f"{one.factor}: {one.name}", one.before, one.after, where, MOVES[one.factor])
        table.add_row(*[Text(plain(text)) for text in cells])
    return table


def _title(gate: Gate) -> str:
    return plain(f"{gate.suite} against baseline {gate.baseline} (set {gate.set_at[:10]})")


def _closing(gate: Gate) -> list[str]:
    """Say what differs, and why that matters."""
    lines = list(gate.notes)
    if gate.several:
        kinds = [f"{kind} ({_names(gate.changes, kind)})" for kind in gate.several]
        lines.append(
            f"{len(gate.several)} things that can move quality differ: {listing(kinds)}. What moved it cannot be told "
            "from these runs alone."
        )
    elif gate.changes:
        lines.append(
            "Differs: "
            + "; ".join(f"{one.factor} {one.name} {one.before} → {one.after}" for one in gate.changes[:4])
            + "."
        )
    return lines


def _names(changes: Sequence[RecordedChange], kind: str) -> str:
    names = [one.name for one in changes if one.factor == kind]
    return ", ".join([*names[:3], *([f"{len(names) - 3} more"] if len(names) > 3 else [])])


def separated(found: Separation) -> list[Text]:
    """Lay out the runs that tell one cause apart; commands stay on a line each, so that they can be copied."""
    head = plain(f"To tell: {found.what}")
    if not found.commands:
        return [Text(f"  {head}: the records do not say where to get it back.")]
    commands = [Text(f"    {plain(command)}", style="cyan") for command in found.commands]
    return [Text(f"  {head}:"), *commands]


def _value(check: GateCheck, value: float | None) -> str:
    return UNKNOWN if value is None else amount(check.unit, value)


def _change(check: GateCheck) -> str:
    if check.change is None:
        return UNKNOWN
    form = "+.1%" if check.relative else "+.3f"
    if check.low is None or check.high is None:
        return f"{check.change:{form}} [no interval]"
    return f"{check.change:{form}} [{check.low:{form}}, {check.high:{form}}]"


def _limit(check: GateCheck) -> str:
    if check.limit is None:
        return UNKNOWN
    sign = "-" if check.worse_is < 0 else "+"
    return f"{sign}{check.limit:.0%}" if check.relative else f"{sign}{check.limit:.3g}"


def _indented(part: Text | Table, by: int = 2) -> Padding:
    return Padding(part, (0, 0, 0, by), expand=False)
