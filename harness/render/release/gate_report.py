"""Gates in the terminal, as JSON, and as Markdown for a pull request or a workflow; explanations as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.text import Text

from harness.compare.prose.numbers import listing, metric_title
from harness.compare.release.attribution import RecordedChange
from harness.compare.release.figures import FIGURES
from harness.compare.release.gate import GateCheck
from harness.compare.release.outcome import Explanation, Gate
from harness.measure.units import seconds, size
from harness.render.release.explanation_report import separation_lines
from harness.render.report.columns import UNKNOWN
from harness.render.text.escape import cell, markdown, plain
from harness.render.text.json_text import json_text
from harness.render.text.priority_table import PriorityColumn, PriorityTable
from harness.render.text.tables import Part, indented, markdown_table

STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "not compared": "dim"}
TITLES = ("check", "baseline", "candidate", "change [95 %]", "limit", "outcome")
SENTENCES = {
    "pass": "PASS: every check shows that what may have got worse is within its limit.",
    "fail": "FAIL: at least one check shows a loss beyond its limit.",
    "inconclusive": "INCONCLUSIVE: no check shows a loss beyond its limit, but not all can rule one out.",
}
ASPECTS = {"quality": "quality", "speed": "speed", "memory": "memory", "cost": "tokens"}
"""What a check is about, as the summary names it."""
POLICIES = {
    "pass": "Counts as passed (--inconclusive pass).",
    "warn": "Counts as passed, with a warning (--inconclusive warn).",
    "fail": "Counts as failed (--inconclusive fail).",
}
MAX_NAMES = 4
"""Checks that are named one by one; of more, the first ones."""
METHOD = (
    "Each bound of an interval is one-sided 2.5 %. A release passes only if every check does, so one that is beyond "
    "any limit passes with 2.5 % at most, however many checks there are; one failed check fails it."
)


def report(gate: Gate) -> list[Part]:
    """Lay out the checks of each system, the outcome, what differs and what to run next.

    A `Text` is for a line of its own.
    """
    lines = [*reasons(gate.verdict.checks), *improvements(gate.verdict.checks), *_closing(gate)]
    return [
        Text(_title(gate), style="bold"),
        *_systems(gate.verdict.checks),
        Text(),
        indented(Text(_sentence(gate), style=STYLES[gate.verdict.outcome]), 0),
        indented(Text(summary_line(gate.verdict.checks), style="bold")),
        *[indented(Text(plain(line))) for line in lines],
        *[line for separation in gate.separations for line in separation_lines(separation)],
        indented(Text(METHOD, style="dim"), 0),
    ]


def markdown_summary(gate: Gate) -> str:
    """Write a gate as Markdown, ending in a newline."""
    rules = [":---", "---:", "---:", "---:", "---:", ":---"]
    rows = [check_cells(check) for check in with_measurements(gate.verdict.checks)]
    lines = [*reasons(gate.verdict.checks), *improvements(gate.verdict.checks), *_closing(gate)]
    parts = [
        f"## {cell(_title(gate))}",
        f"**{_sentence(gate)}**",
        markdown(summary_line(gate.verdict.checks)),
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
        lines.append(f"{sentence}{f'; {needed}' if needed else ''}.")
    return lines


def improvements(checks: Sequence[GateCheck]) -> list[str]:
    """Name what clearly became better, with the change; empty where nothing did."""
    better = [f"{check_name(check)} {_change(check)}" for check in checks if check.improved]
    more = [f"{len(better) - MAX_NAMES} more"] if len(better) > MAX_NAMES else []
    return [f"Improved: {'; '.join([*better[:MAX_NAMES], *more])}."] if better else []


def summary_line(checks: Sequence[GateCheck]) -> str:
    """Sum up quality, speed, memory and tokens: the worst outcome of each, and how many checks have it."""
    parts: list[str] = []
    for about, name in ASPECTS.items():
        about_it = [check for check in checks if check.about == about]
        counts = Counter(check.outcome for check in about_it)
        worst = next((outcome for outcome in ("fail", "inconclusive", "pass") if counts[outcome]), "not compared")
        of = "" if counts[worst] == len(about_it) else f" {counts[worst]} of {len(about_it)}"
        improved = sum(check.improved for check in about_it)
        parts.append(
            f"{name}{of} {worst}{f' ({improved} improved)' if improved else ''}" if about_it else f"{name} off"
        )
    return " · ".join(parts)


def amount(unit: str, value: float) -> str:
    """Write seconds, bytes, tokens or a score."""
    if unit == "s":
        return f"{value * 1e3:.3g} ms" if 0 < value < 0.9995 else seconds(value)
    if unit == "bytes":
        return size(value)
    return f"{value:,.0f}" if unit == "tokens" else f"{value:.3g}" if abs(value) >= 10 else f"{value:.3f}"


def check_name(check: GateCheck) -> str:
    """Name a check: task, strategy and figure."""
    figure = "" if check.figure == "all" else f" · {_figure(check)}"
    return f"{check.task} · {check.strategy}{figure}"


def check_cells(check: GateCheck) -> list[str]:
    """Write a check as the cells of a row."""
    values = [_value(check, check.baseline), _value(check, check.candidate)]
    return [check_name(check), *values, _change(check), _limit(check), check.outcome]


def _systems(checks: Sequence[GateCheck]) -> list[Part]:
    """Lay out a heading for each system, and a table of its checks."""
    systems: dict[tuple[str, str, str], list[GateCheck]] = {}
    for check in with_measurements(checks):
        systems.setdefault((check.task, check.strategy, check.model), []).append(check)
    several = len({model for _, _, model in systems}) > 1
    parts: list[Part] = []
    for (task, strategy, model), of_system in systems.items():
        heading = f"{task} · {strategy}{f' · {model}' if several else ''}"
        parts += [Text(), Text(plain(heading), style="bold"), _table(of_system)]
    return parts


def _table(checks: Sequence[GateCheck]) -> PriorityTable:
    """Make the rows short: a name of one or two words, both values in one cell, and all of it in 80 columns."""
    columns: list[PriorityColumn] = [
        PriorityColumn("check", [plain(_short_figure(check)) for check in checks]),
        PriorityColumn(
            "before\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}after",
            [plain(_values(check)) for check in checks],
            2,
            right=True,
        ),
        PriorityColumn(
            "change\N{NO-BREAK SPACE}[95\N{NO-BREAK SPACE}%]", [_change(check) for check in checks], 1, right=True
        ),
        PriorityColumn("limit", [_limit(check) for check in checks], 3, right=True),
        PriorityColumn(
            "outcome",
            ["improved" if check.improved else check.outcome for check in checks],
            styles=[STYLES[check.outcome] for check in checks],
        ),
    ]
    return PriorityTable(columns, indent=0)


def _figure(check: GateCheck) -> str:
    return f"{metric_title(check.figure)}{f' on {check.of}' if check.of else ''}"


def _short_figure(check: GateCheck) -> str:
    """Name a check within its system."""
    return _figure(check).replace(" while ", " ") if check.figure in FIGURES else _figure(check)


def _values(check: GateCheck) -> str:
    """Write both values, with a common unit once."""
    before, after = _value(check, check.baseline), _value(check, check.candidate)
    number, _, unit = before.partition(" ")
    return f"{number if unit and after.endswith(f' {unit}') else before} → {after}"


def _sentence(gate: Gate) -> str:
    policy = POLICIES[gate.inconclusive] if gate.inconclusive and gate.verdict.outcome == "inconclusive" else ""
    return f"{SENTENCES[gate.verdict.outcome]} {policy}".rstrip()


def _title(gate: Gate) -> str:
    return plain(f"{gate.suite} against baseline {gate.baseline} (set {gate.set_at[:10]})")


def _closing(gate: Gate) -> list[str]:
    """Notes, and what differs between the two releases."""
    lines = list(gate.notes)
    if gate.several:
        kinds = [f"{kind} ({_names(gate.changes, kind)})" for kind in gate.several]
        lines.append(
            f"{len(gate.several)} things that can affect quality differ: {listing(kinds)}. These runs alone cannot "
            "separate their effects."
        )
    elif causes := [change for change in gate.changes if not change.part_of]:
        changes = [f"{change.factor} {change.name} {change.before} → {change.after}" for change in causes[:4]]
        lines.append(f"Differs: {'; '.join(changes).rstrip('.')}.")
    return lines


def _names(changes: Sequence[RecordedChange], kind: str) -> str:
    names = [change.name for change in changes if change.factor == kind and not change.part_of]
    return ", ".join([*names[:3], *([f"{len(names) - 3} more"] if len(names) > 3 else [])])


def _value(check: GateCheck, value: float | None) -> str:
    return UNKNOWN if value is None else amount(check.unit, value)


def _change(check: GateCheck) -> str:
    if check.change is None:
        return UNKNOWN
    form = "+.1%" if check.relative else "+.3f"
    if check.low is None or check.high is None:
        return f"{check.change:{form}} [no interval]"
    ends = [f"{end:{form}}" for end in (check.low, check.high)]
    return f"{check.change:{form}} [{ends[0].removesuffix('%')}, {ends[1]}]"


def _limit(check: GateCheck) -> str:
    if check.limit is None:
        return UNKNOWN
    sign = "-" if check.worse_is < 0 else "+"
    return f"{sign}{check.limit:.0%}" if check.relative else f"{sign}{check.limit:.3g}"
