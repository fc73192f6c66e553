"""What a suite's data look like, for the terminal: one table a task, a column a split; and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.data.inspection import DataInspection, LengthSummary, Overlap, SplitInspection, TaskInspection
from harness.render.report.columns import UNKNOWN
from harness.render.report.legend import KINDS
from harness.render.text.escape import plain

LABELS = 12
"""Labels that are shown one by one; of more, the commonest."""
NAMES = {
    "EMAIL": "e-mail addresses",
    "IBAN": "IBANs",
    "CREDIT_CARD": "credit-card numbers",
    "NATIONAL_ID": "national ids",
    "IP_ADDRESS": "IP addresses",
    "PHONE": "phone numbers",
}

Cell = Callable[[SplitInspection], str | None]


def terminal(found: DataInspection) -> Iterator[RenderableType]:
    """Show what was found, task by task, then what the rows mean."""
    window = f"{found.window:,} tokens" if found.window else "unknown"
    yield Text(f"{plain(found.suite)} version {found.version}", style="bold underline")
    yield Text(f"Lengths in tokens of {plain(found.model)}, whose context window is {window}.", style="dim")
    for task in found.tasks:
        yield Text()
        yield from _task(task)
    yield Text()
    yield from (Text(line, style="dim") for line in _legend(found))


def as_json(found: DataInspection) -> str:
    """Write what was found as indented JSON; unknown is null."""
    return json.dumps(found.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _task(task: TaskInspection) -> Iterator[RenderableType]:
    role = ", asked before and after only" if task.role == "probe" else ""
    yield Text.assemble((plain(task.name), "bold"), f" · {KINDS.get(task.kind, task.kind.replace('_', ' '))}{role}")
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("", overflow="fold")
    for split in task.splits:
        table.add_column(split.name, justify="right", no_wrap=True)
    for title, cell, style in _rows(task.splits):
        texts = [cell(split) for split in task.splits]
        if any(text is not None for text in texts):
            table.add_row(Text(title), *(Text(UNKNOWN if text is None else text) for text in texts), style=style)
    yield _indented(table)
    lines = [
        *(("Between the splits: " + line, "yellow") for line in map(_overlap, task.overlaps)),
        *((line, "yellow") for line in _personal(task.splits)),
        *((f"Done to the training split: {line}.", "") for line in task.preparation),
        *((f"Noticed: {line}", "yellow") for line in task.notes),
    ]
    if not task.overlaps and len([split for split in task.splits if split.name != "corpus"]) > 1:
        lines.insert(0, ("No item of one split is in another, word for word or nearly.", ""))
    yield from (_indented(Text(plain(line), style=style)) for line, style in lines)


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
    labels.sort(key=lambda label: -sum(split.labels.get(label, 0) for split in splits) if len(labels) > LABELS else 0)
    for label in labels[:LABELS]:
        yield f"share of {plain(label)}", _share([label]), ""
    if len(labels) > LABELS:
        yield f"share of {len(labels) - LABELS} other labels", _share(labels[LABELS:]), ""
    for kind in dict.fromkeys(one.kind for split in splits for one in split.personal):
        yield NAMES[kind], _personal_count(kind), ""


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
    return lambda split: f"{sum(one.count for one in split.personal if one.kind == kind):,}"


def _overlap(found: Overlap) -> str:
    """Say how much of one split is in another; pairs are counted by the later split's items."""
    parts = [
        text
        for number, text in (
            (found.exact, f"{found.exact:,} of {found.later} in {found.earlier} word for word"),
            (found.near, f"{found.near:,} of {found.later} nearly in {found.earlier}"),
        )
        if number
    ]
    earlier, later = found.example
    return f"{', '.join(parts)}; most alike ({found.similarity:.2f}): {later} and {earlier}."


def _personal(splits: Sequence[SplitInspection]) -> list[str]:
    """Give one masked example of each kind."""
    first = {one.kind: (one, split.name) for split in reversed(splits) for one in reversed(split.personal)}
    return [
        f"Likely {NAMES[kind]}: for example {one.example} ({where}; masked)." for kind, (one, where) in first.items()
    ]


def _legend(found: DataInspection) -> Iterator[str]:
    yield (
        "Near-duplicates share 80 % of their shingles with an earlier item; conflicting answers: the question of an "
        "earlier item, but another answer. Both are counted from an item's second occurrence on."
    )
    yield (
        "tokens are those of instruction, question and answer; of a passage, its text. An item does not fit if its "
        "prompt with the longest answer that may come is longer than the window; exemplars and passages come on top."
    )
    if not any(split.personal for task in found.tasks for split in task.splits):
        yield f"No likely personal data were found (looked for: {', '.join(NAMES.values())})."
    else:
        yield "Personal data are found by form and check digits: some may be something else, and names are not found."


def _indented(what: RenderableType) -> Padding:
    return Padding(what, (0, 0, 0, 2), expand=False)
