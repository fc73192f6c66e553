"""Inspection of a suite's data: for the terminal one table a task and a column a split, and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from harness.data.inspection import DataInspection, LengthSummary, Overlap, SplitInspection, TaskInspection
from harness.render.report.columns import UNKNOWN
from harness.render.report.legend import KINDS
from harness.render.text.escape import plain
from harness.render.text.json_text import json_text
from harness.render.text.tables import WIDE, TableColumn, indented, new_table

MAX_LABELS = 12
"""Labels that are shown one by one; the commonest where there are more."""
PERSONAL_KINDS = {
    "EMAIL": "e-mail addresses",
    "IBAN": "IBANs",
    "CREDIT_CARD": "credit-card numbers",
    "NATIONAL_ID": "national ids",
    "IP_ADDRESS": "IP addresses",
    "PHONE": "phone numbers",
}

Cell = Callable[[SplitInspection], str | None]


def terminal(inspection: DataInspection) -> Iterator[RenderableType]:
    """Show the inspection task by task, then the meaning of the rows."""
    window = f"{inspection.window:,} tokens" if inspection.window else "unknown"
    yield Text(f"{plain(inspection.suite)} version {inspection.version}", style="bold underline")
    yield Text(f"Lengths in tokens of {plain(inspection.model)}, whose context window is {window}.", style="dim")
    for task in inspection.tasks:
        yield Text()
        yield from _task(task)
    yield Text()
    yield from (Text(line, style="dim") for line in _legend(inspection))


def as_json(inspection: DataInspection) -> str:
    """Write the inspection as JSON; unknown is null."""
    return json_text(inspection.model_dump(mode="json"))


def _task(task: TaskInspection) -> Iterator[RenderableType]:
    role = ", asked before and after only" if task.role == "probe" else ""
    yield Text.assemble((plain(task.name), "bold"), f" · {KINDS.get(task.kind, task.kind.replace('_', ' '))}{role}")
    splits = [TableColumn(split.name, right=True, no_wrap=True, overflow="ellipsis") for split in task.splits]
    table = new_table([TableColumn(), *splits], padding=WIDE)
    for title, cell, style in _rows(task.splits):
        texts = [cell(split) for split in task.splits]
        if any(text is not None for text in texts):
            table.add_row(Text(title), *(Text(UNKNOWN if text is None else text) for text in texts), style=style)
    yield indented(table)
    lines = [
        *(("Between the splits: " + line, "yellow") for line in map(_overlap, task.overlaps)),
        *((line, "yellow") for line in _personal(task.splits)),
        *((f"Done to the training split: {line}.", "") for line in task.preparation),
        *((f"Noticed: {line}", "yellow") for line in task.notes),
    ]
    if not task.overlaps and len([split for split in task.splits if split.name != "corpus"]) > 1:
        lines.insert(0, ("No item of one split is in another, word for word or nearly.", ""))
    yield from (indented(Text(plain(line), style=style)) for line, style in lines)


def _rows(splits: Sequence[SplitInspection]) -> Iterator[tuple[str, Cell, str]]:
    yield "rows", lambda split: f"{split.rows:,}", "bold"
    yield "exact duplicates", lambda split: _count(split.duplicates), ""
    yield "near-duplicates", lambda split: _count(split.near_duplicates), ""
    yield "conflicting answers", lambda split: _count(split.conflicts), ""
    yield "tokens, median", _length(lambda lengths: f"{lengths.median:,}"), ""
    yield "tokens, 95th percentile", _length(lambda lengths: f"{lengths.p95:,}"), ""
    yield "tokens, longest", _length(lambda lengths: f"{lengths.longest:,}"), ""
    yield "do not fit the window", _unfit, ""
    labels = list(dict.fromkeys(label for split in splits for label in split.labels))
    labels.sort(
        key=lambda label: -sum(split.labels.get(label, 0) for split in splits) if len(labels) > MAX_LABELS else 0
    )
    for label in labels[:MAX_LABELS]:
        yield f"share of {plain(label)}", _share([label]), ""
    if len(labels) > MAX_LABELS:
        yield f"share of {len(labels) - MAX_LABELS} other labels", _share(labels[MAX_LABELS:]), ""
    for kind in dict.fromkeys(finding.kind for split in splits for finding in split.personal):
        yield PERSONAL_KINDS[kind], _personal_count(kind), ""


def _count(number: int | None) -> str | None:
    return None if number is None else f"{number:,}"


def _length(write: Callable[[LengthSummary], str]) -> Cell:
    return lambda split: write(split.lengths) if split.lengths else None


def _unfit(split: SplitInspection) -> str | None:
    over = split.lengths.too_long if split.lengths else None
    return None if over is None else f"{over / split.rows:.1%}"


def _share(labels: Sequence[str]) -> Cell:
    def text(split: SplitInspection) -> str | None:
        return f"{sum(split.labels.get(label, 0) for label in labels) / split.rows:.1%}" if split.labels else None

    return text


def _personal_count(kind: str) -> Cell:
    return lambda split: f"{sum(finding.count for finding in split.personal if finding.kind == kind):,}"


def _overlap(overlap: Overlap) -> str:
    """State how much of one split is in another; pairs are counted by the later split's items."""
    parts = [
        text
        for number, text in (
            (overlap.exact, f"{overlap.exact:,} of {overlap.later} in {overlap.earlier} word for word"),
            (overlap.near, f"{overlap.near:,} of {overlap.later} nearly in {overlap.earlier}"),
        )
        if number
    ]
    earlier, later = overlap.example
    return f"{', '.join(parts)}; most alike ({overlap.similarity:.2f}): {later} and {earlier}."


def _personal(splits: Sequence[SplitInspection]) -> list[str]:
    """Give one masked example of each kind."""
    examples = {
        finding.kind: f"{finding.example} ({split.name}; masked)"
        for split in reversed(splits)
        for finding in reversed(split.personal)
    }
    return [f"Likely {PERSONAL_KINDS[kind]}: for example {example}." for kind, example in examples.items()]


def _legend(inspection: DataInspection) -> Iterator[str]:
    yield (
        "Near-duplicates share 80 % of their shingles with an earlier item; conflicting answers: the question of an "
        "earlier item, but another answer. Both are counted from an item's second occurrence on."
    )
    yield (
        "tokens are those of instruction, question and answer; of a passage, its text. An item does not fit if its "
        "prompt with the longest answer that may come is longer than the window; exemplars and passages come on top."
    )
    if not any(split.personal for task in inspection.tasks for split in task.splits):
        yield f"No likely personal data were found (looked for: {', '.join(PERSONAL_KINDS.values())})."
    else:
        yield "Personal data are found by form and check digits: some may be something else, and names are not found."
