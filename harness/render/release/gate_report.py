"""Gates and explanations in the terminal and as JSON; a gate also as Markdown for a pull request or a workflow."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from harness.compare.prose.numbers import listing, metric_title
from harness.compare.release.attribution import MOVES, RecordedChange, Separation
from harness.compare.release.gate import GateCheck
from harness.compare.release.outcome import Explanation, Gate
from harness.measure.units import seconds, size
from harness.render.report.columns import UNKNOWN
from harness.render.text.escape import cell, markdown, plain
from harness.render.text.json_text import json_text
from harness.render.text.tables import Part, TableColumn, indented, markdown_table, new_table

STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "not compared": "dim"}
TITLES = ("check", "baseline", "candidate", "change [95 %]", "limit", "outcome")
SENTENCES = {
    "pass": "PASS: every check shows that what may have got worse is within its limit.",
    "fail": "FAIL: at least one check shows a loss beyond its limit.",
    "inconclusive": "INCONCLUSIVE: no check shows a loss beyond its limit, but not all can rule one out.",
}
MAX_NAMES = 4
"""Checks that are named one by one; of more, the first ones."""
METHOD = (
    "Each bound of an interval is one-sided 2.5 %. A release passes only if every check does, so one that is beyond "
    "any limit passes with 2.5 % at most, however many checks there are; one failed check fails it."
)


def report(gate: Gate) -> list[Part]:
    """Lay out the outcome, the checks, what differs and what to run next. A `Text` is for a line of its own."""
    lines = [*reasons(gate.verdict.checks), *_closing(gate)]
    return [
        Text(_title(gate), style="bold"),
        indented(_table(gate.verdict.checks)),
        Text(),
        Text(SENTENCES[gate.verdict.outcome], style=STYLES[gate.verdict.outcome]),
        *[indented(Text(plain(line))) for line in lines],
        *[line for separation in gate.separations for line in separation_lines(separation)],
        indented(Text(METHOD, style="dim"), 0),
    ]


def markdown_summary(gate: Gate) -> str:
    """Write a gate as Markdown, ending in a newline."""
    rules = [":---", "---:", "---:", "---:", "---:", ":---"]
    rows = [check_cells(check) for check in with_measurements(gate.verdict.checks)]
    lines = [*reasons(gate.verdict.checks), *_closing(gate)]
    parts = [
        f"## {cell(_title(gate))}",
        f"**{SENTENCES[gate.verdict.outcome]}**",
        markdown_table(TITLES, rules, rows),
        "\n".join(f"- {markdown(line)}" for line in lines),
        *[
            f"{markdown(separation.what)}:\n\n```sh\n" + "\n".join(map(plain, separation.commands)) + "\n```"
            for separation in gate.separations
            if separation.commands
        ],
        markdown(METHOD),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def as_json(outcome: Gate | Explanation) -> str:
    """Write a gate or an explanation as indented JSON, ending in a newline; unknown is null."""
    raw = outcome.model_dump(mode="json")
    if isinstance(outcome, Gate):
        raw = {"outcome": outcome.verdict.outcome, "exit_code": outcome.exit_code, **raw}
    return json_text(raw)


def explanation_report(explanation: Explanation) -> list[Part]:
    """Lay out what differs between two releases, most telling first."""
    systems = f"{explanation.systems} {'system' if explanation.systems == 1 else 'systems'} in both"
    parts: list[Part] = [Text(plain(f"{explanation.first} → {explanation.second} · {systems}"), style="bold")]
    if not explanation.changes:
        parts.append(Text("Nothing that is recorded differs."))
    else:
        parts.append(_change_table(explanation.changes))
    parts += [Text(plain(line)) for line in explanation.missing]
    for separation in explanation.separations:
        parts += separation_lines(separation)
    return parts


def with_measurements(checks: Sequence[GateCheck]) -> list[GateCheck]:
    """Drop systems without a measurement: a sentence says so, and their row would be empty."""
    return [check for check in checks if check.figure != "all"]


def reasons(checks: Sequence[GateCheck]) -> list[str]:
    """State why each check did not pass, and what would settle it; checks with the same reason share a line."""
    lines = [
        f"{check_name(check)}: fail, {_change(check)} is beyond {_limit(check)}."
        for check in checks
        if check.outcome == "fail"
    ]
    names_by_reason: dict[tuple[str, str, str], list[str]] = {}
    for check in checks:
        if check.outcome in {"inconclusive", "not compared"}:
            names_by_reason.setdefault((check.outcome, check.reason, check.needed), []).append(check_name(check))
    for (outcome, reason, needed), names in names_by_reason.items():
        listed = (
            listing(names)
            if len(names) <= MAX_NAMES
            else f"{', '.join(names[: MAX_NAMES - 1])} and {len(names) - MAX_NAMES + 1} more"
        )
        sentence = f"{listed}: {outcome}{f', {reason}' if reason else ''}"
        lines.append(f"{sentence}{f'; to settle it: {needed}' if needed else ''}.")
    return lines


def amount(unit: str, value: float) -> str:
    """Write seconds, bytes, tokens or a score."""
    if unit == "s":
        return seconds(value)
    if unit == "bytes":
        return size(value)
    return f"{value:,.0f}" if unit == "tokens" else f"{value:.3g}" if abs(value) >= 10 else f"{value:.3f}"


def check_name(check: GateCheck) -> str:
    """Name a check: task, strategy and figure."""
    of = f" on {check.of}" if check.of else ""
    figure = "" if check.figure == "all" else f" · {metric_title(check.figure)}"
    return f"{check.task} · {check.strategy}{figure}{of}"


def check_cells(check: GateCheck) -> list[str]:
    """Write a check as the cells of a row."""
    values = [_value(check, check.baseline), _value(check, check.candidate)]
    return [check_name(check), *values, _change(check), _limit(check), check.outcome]


def _table(checks: Sequence[GateCheck]) -> Table:
    table = new_table(TableColumn(title, right=0 < index < 5, no_wrap=index > 0) for index, title in enumerate(TITLES))
    for check in with_measurements(checks):
        first, *numbers, outcome = map(plain, check_cells(check))
        table.add_row(Text(first), *map(Text, numbers), Text(outcome, style=STYLES[check.outcome]))
    return table


def _change_table(changes: Sequence[RecordedChange]) -> Table:
    table = new_table(map(TableColumn, ("what differs", "before", "after", "in", "can move")))
    for change in changes:
        systems = f"{len(change.where)} of them" if len(change.where) > 2 else listing(change.where) or "all"
        cells = (f"{change.factor}: {change.name}", change.before, change.after, systems, MOVES[change.factor])
        table.add_row(*[Text(plain(text)) for text in cells])
    return table


def _title(gate: Gate) -> str:
    return plain(f"{gate.suite} against baseline {gate.baseline} (set {gate.set_at[:10]})")


def _closing(gate: Gate) -> list[str]:
    """Notes, and what differs between the two releases."""
    lines = list(gate.notes)
    if gate.several:
        kinds = [f"{kind} ({_names(gate.changes, kind)})" for kind in gate.several]
        lines.append(
            f"{len(gate.several)} things that can move quality differ: {listing(kinds)}. What moved it cannot be told "
            "from these runs alone."
        )
    elif gate.changes:
        changes = [f"{change.factor} {change.name} {change.before} → {change.after}" for change in gate.changes[:4]]
        lines.append(f"Differs: {'; '.join(changes)}.")
    return lines


def _names(changes: Sequence[RecordedChange], kind: str) -> str:
    names = [change.name for change in changes if change.factor == kind]
    return ", ".join([*names[:3], *([f"{len(names) - 3} more"] if len(names) > 3 else [])])


def separation_lines(separation: Separation) -> list[Text]:
    """Lay out the runs that tell one cause apart; commands stay on a line each, so that they can be copied."""
    head = plain(f"To tell: {separation.what}")
    if not separation.commands:
        return [Text(f"  {head}: the records do not say where to get it back.")]
    commands = [Text(f"    {plain(command)}", style="cyan") for command in separation.commands]
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
