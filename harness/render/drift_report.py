"""Drift in the terminal, and as JSON: each figure with a sentence of what it says and what it does not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from textwrap import shorten

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.compare.drift.data_shift import Drift
from harness.compare.drift.fresh_scores import QualityShift
from harness.compare.drift.permutation_tests import Shift, ShiftSize
from harness.compare.prose.numbers import change, count, metric_title, score
from harness.metrics.statistical_power import ALPHA
from harness.render.text.escape import plain

Part = Text | Table | Padding

TITLES = {"inputs": "what is asked", "labels": "labels", "length": "length, words"}
LEAST = 0.001
CHARACTERS = 160
"""Of a fresh item that are shown."""
METHOD = (
    "95 % intervals. Shifts: p by permutation; scores: of two sets of items that have none in common; each adjusted "
    "for the tests of its table (Holm). Smallest shifts are for one test alone and 80 % power. A shift of what is "
    "asked says nothing of scores, and where none is clear there may still be one."
)


def report(found: Drift) -> list[Part]:
    """Lay out the tests, the items that are most unlike, and scores on both. A `Text` is for a line of its own."""
    head = f"{found.suite} · {found.task} · {found.fresh} against the test split"
    parts: list[Part] = [Text(plain(head), style="bold"), _indented(Text(plain(_sizes(found))))]
    parts += [_indented(_shifts(found)), *[_indented(Text(plain(line))) for line in sentences(found)]]
    if found.unlike:
        parts += [Text(), Text("Most unlike the test split (cosine with its most similar item)", style="bold")]
        parts += [_indented(_unlike(found))]
    title = f"Scores ({metric_title(found.quality[0].metric)})" if found.quality else "Scores"
    parts += [Text(), Text(title, style="bold")]
    parts += [_indented(_scores(found.quality))] if found.quality else []
    parts += [_indented(Text(plain(line))) for line in quality_sentences(found)]
    if found.commands:
        parts.append(_indented(Text("To measure what is missing:")))
        parts += [Text(f"    {plain(line)}", style="cyan") for line in found.commands]
    parts += [_indented(Text(plain(f"Note: {note}"), style="yellow")) for note in found.notes]
    return [*parts, Text(), _indented(Text(METHOD, style="dim"), 0)]


def as_json(found: Drift) -> str:
    """Write what was found, and the sentences, as indented JSON, ending in a newline; unknown is null."""
    raw = {**found.model_dump(mode="json"), "says": [*sentences(found), *quality_sentences(found)]}
    return json.dumps(raw, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def sentences(found: Drift) -> list[str]:
    """Say of each test what it found, what that does not tell, and how small a shift it could have shown."""
    return [_SAYS[shift.what](shift, found) for shift in found.shifts]


def quality_sentences(found: Drift) -> list[str]:
    """Say of each strategy whether it does worse on fresh items."""
    if not found.quality:
        return ["No strategy has stored answers to both: whether quality moved is not known."]
    said: list[str] = []
    for one in found.quality:
        moved = one.change
        if (moved.p_holm or 0) > ALPHA:
            told = f"no clear difference, {change(moved)}; a true one of {moved.detectable:.2f} would be found in 80 %"
        else:
            worse = (moved.value < 0) == one.higher_is_better
            told = f"clearly {'worse' if worse else 'better'} on the fresh items, {change(moved)}"
        said.append(f"{_name(one, found.quality)}: {told} ({metric_title(one.metric)}).")
    if any(shift.what == "labels" and _clear(shift) for shift in found.shifts):
        said.append("Labels shifted: a score can move for that alone, with every label answered as well as before.")
    return said


def _inputs(shift: Shift, found: Drift) -> str:
    del found
    auc = _size(shift.size, ".2f")
    if _clear(shift):
        half = " The AUC is of half of the items, the test of all." if shift.size.low <= shift.size.none else ""
        return (
            f"What is asked differs: from its embedding a fresh item can be told from one of the test split, AUC {auc} "
            f"(0.50: not at all). In which respect is not tested: the items below show it.{half}"
        )
    return (
        f"What is asked: no clear difference, AUC {auc} (0.50: none). A shift below AUC {shift.detectable:.2f} would "
        "mostly stay unseen, even along a direction that is known beforehand."
    )


def _labels(shift: Shift, found: Drift) -> str:
    moved = _size(shift.size, ".0%")
    shares = ", ".join(f"{one.label} {one.test:.0%} → {one.fresh:.0%}" for one in found.labels)
    if _clear(shift):
        return f"Labels occur in other shares: {moved} of the items would have to change theirs ({shares})."
    return (
        f"Labels: no clear difference, distance {moved} ({shares}); {shift.detectable:.0%} moved from the commonest to "
        "the next would be found."
    )


def _length(shift: Shift, found: Drift) -> str:
    del found
    words = _size(shift.size, "+.0f")
    if _clear(shift):
        more = (
            "" if shift.size.low * shift.size.high > 0 else "; the middle need not have moved: lengths may only spread"
        )
        return f"Lengths differ: the median by {words} words (distance D {shift.statistic:.2f}){more}."
    return (
        f"Length: no clear difference, the median by {words} words (distance D {shift.statistic:.2f}); distributions "
        f"that differ by D {shift.detectable:.2f} would be found."
    )


_SAYS = {"inputs": _inputs, "labels": _labels, "length": _length}


def _clear(shift: Shift) -> bool:
    return shift.p_holm is not None and shift.p_holm <= ALPHA


def _sizes(found: Drift) -> str:
    of = f"{count(found.items[0], 'item')} of the test split, {found.items[1]:,} fresh"
    units = f" (independent groups: {found.units[0]:,} and {found.units[1]:,})" if found.units else ""
    return f"{of}{units}; median {found.medians[0]:g} and {found.medians[1]:g} words; embedder {found.embedder}"


def _shifts(found: Drift) -> Table:
    table = _new("compared", "test", "shift [95 %]", "p", "outcome")
    tests = {
        "inputs": ("MMD²", "AUC", ".2f"),
        "labels": ("chi²", "distance", ".0%"),
        "length": ("KS D", "median", "+.0f"),
    }
    for shift in found.shifts:
        test, unit, form = tests[shift.what]
        statistic = f"{shift.statistic:.4f}" if shift.what == "inputs" else f"{shift.statistic:.2f}"
        outcome = Text("differs", style="yellow") if _clear(shift) else Text("not clear", style="dim")
        shown = f"{unit} {_size(shift.size, form)}"
        cells = (TITLES[shift.what], f"{test} {statistic}", shown, _p(shift.p_holm))
        table.add_row(*map(Text, cells), outcome)
    return table


def _unlike(found: Drift) -> Table:
    table = _new("item", "cosine", "asked")
    for one in found.unlike:
        table.add_row(Text(plain(one.id)), Text(f"{one.similarity:.2f}"), Text(plain(_short(one.input))))
    return table


def _short(text: str) -> str:
    """Put a text on one line, cut at a word."""
    return shorten(text, CHARACTERS, placeholder=" …")


def _scores(rows: Sequence[QualityShift]) -> Table:
    table = _new("strategy", "test split", "fresh", "change [95 %]", "p")
    for one in rows:
        cells = (score(one.test), score(one.fresh), change(one.change), _p(one.change.p_holm))
        table.add_row(Text(plain(_name(one, rows))), *map(Text, cells))
    return table


def _name(one: QualityShift, rows: Sequence[QualityShift]) -> str:
    return one.strategy if len({row.model for row in rows}) == 1 else f"{one.strategy} with {one.model}"


def _size(size: ShiftSize, form: str) -> str:
    return f"{size.value:{form}} [{size.low:{form}}, {size.high:{form}}]"


def _p(value: float | None) -> str:
    return "n/a" if value is None else f"<{LEAST}" if value < LEAST else f"{value:.3f}"


def _new(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold", no_wrap=title not in ("strategy", "asked"))
    return table


def _indented(part: Text | Table, by: int = 2) -> Padding:
    return Padding(part, (0, 0, 0, by), expand=False)
