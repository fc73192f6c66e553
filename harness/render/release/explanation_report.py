"""What differs between two releases in the terminal, and the runs that would separate the effects."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from harness.compare.prose.numbers import listing
from harness.compare.release.attribution import MOVES, RecordedChange
from harness.compare.release.outcome import Explanation
from harness.compare.release.separating_runs import Separation
from harness.render.text.escape import plain
from harness.render.text.priority_table import PriorityColumn, PriorityTable
from harness.render.text.tables import Part, indented


def report(explanation: Explanation) -> list[Part]:
    """Lay out what differs between two releases, most telling first."""
    systems = f"{explanation.systems} {'system' if explanation.systems == 1 else 'systems'} in both"
    parts: list[Part] = [Text(plain(f"{explanation.first} → {explanation.second} · {systems}"), style="bold")]
    if not explanation.changes:
        parts.append(Text("Nothing that is recorded differs."))
    else:
        parts.append(_change_table(explanation.changes))
        parts += [indented(Text(line), 0) for line in _moves(explanation.changes)]
    parts += [Text(plain(line)) for line in explanation.missing]
    for separation in explanation.separations:
        parts += separation_lines(separation)
    return parts


def separation_lines(separation: Separation) -> list[Text]:
    """Lay out the runs that tell one cause apart; commands stay on a line each, so that they can be copied."""
    head = plain(f"To separate: {separation.what}")
    if not separation.commands:
        return [Text(f"  {head}: not reproducible from the records.")]
    commands = [Text(f"    {plain(command)}", style="cyan") for command in separation.commands]
    return [Text(f"  {head}:"), *commands]


def _change_table(changes: Sequence[RecordedChange]) -> PriorityTable:
    columns = {
        "what differs": list(map(_difference, changes)),
        "before": [change.before for change in changes],
        "after": [change.after for change in changes],
    }
    return PriorityTable(
        [PriorityColumn(title, list(map(plain, cells))) for title, cells in columns.items()],
        indent=0,
    )


def _difference(change: RecordedChange) -> str:
    """Name a change, and the systems that have it if not all do."""
    where = f"{len(change.where)} systems" if len(change.where) > 2 else listing(change.where)
    return f"{change.factor}: {change.name}{f' (in {where})' if where else ''}"


def _moves(changes: Sequence[RecordedChange]) -> list[str]:
    """State what each kind of change can move, and which are part of another."""
    kinds: dict[str, dict[str, None]] = {}
    for change in changes:
        if not change.part_of:
            kinds.setdefault(MOVES[change.factor], {})[change.factor] = None
    lines = [f"Can move {moves}: {listing(list(names))}." for moves, names in kinds.items()]
    parts = [f"{change.name} (with the {change.part_of})" for change in changes if change.part_of]
    return [*lines, *([f"Counted once: {listing(parts)}."] if parts else [])]
