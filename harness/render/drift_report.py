"""Drift in the terminal and as JSON: each figure with a sentence on what it shows and what it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from textwrap import shorten

from rich.text import Text

from harness.compare.drift.data_shift import Drift
from harness.compare.drift.fresh_scores import QualityShift
from harness.compare.drift.permutation_tests import Shift, ShiftSize
from harness.compare.prose.numbers import change, count, metric_title, score
from harness.metrics.statistical_power import ALPHA
from harness.render.text.escape import plain
from harness.render.text.json_text import json_text
from harness.render.text.priority_table import PriorityColumn, PriorityTable
from harness.render.text.tables import Part, indented

TITLES = {"inputs": "what is asked", "labels": "labels", "length": "length, words"}
SMALLEST_P = 0.001
NO_BREAK = "\N{NO-BREAK SPACE}"
INPUT_CHARACTERS = 160
"""Characters of a fresh item that are shown."""
METHOD = (
    "95 % intervals. Shifts: p by permutation; scores: of two sets of items that have none in common; each adjusted "
    "for the tests of its table (Holm). Smallest shifts are for one test alone and 80 % power. A shift of what is "
    "asked says nothing of scores, and where none is clear there may still be one."
)


def report(drift: Drift) -> list[Part]:
    """Lay out the tests, the items that are most unlike, and scores on both. A `Text` is for a line of its own."""
    head = f"{drift.suite} · {drift.task} · {drift.fresh} against the test split"
    parts: list[Part] = [Text(plain(head), style="bold"), indented(Text(plain(_sizes(drift))))]
    parts += [_shifts(drift), *[indented(Text(plain(line))) for line in sentences(drift)]]
    if drift.unlike:
        parts += [Text(), Text("Most unlike the test split (cosine with its most similar item)", style="bold")]
        parts.append(_unlike(drift))
    title = f"Scores ({metric_title(drift.quality[0].metric)})" if drift.quality else "Scores"
    parts += [Text(), Text(title, style="bold")]
    parts += [_scores(drift.quality)] if drift.quality else []
    parts += [indented(Text(plain(line))) for line in quality_sentences(drift)]
    if drift.commands:
        parts.append(indented(Text("To measure what is missing:")))
        parts += [Text(f"    {plain(line)}", style="cyan") for line in drift.commands]
    parts += [indented(Text(plain(f"Note: {note}"), style="yellow")) for note in drift.notes]
    return [*parts, Text(), indented(Text(METHOD, style="dim"), 0)]


def as_json(drift: Drift) -> str:
    """Write the drift and the sentences as JSON, ending in a newline; unknown is null."""
    raw = {**drift.model_dump(mode="json", by_alias=True), "says": [*sentences(drift), *quality_sentences(drift)]}
    return json_text(raw)


def sentences(drift: Drift) -> list[str]:
    """State the outcome of each test, its limits, and the smallest shift that it could have shown."""
    return [_SENTENCES[shift.quantity](shift, drift) for shift in drift.shifts]


def quality_sentences(drift: Drift) -> list[str]:
    """State for each strategy whether its score is worse on fresh items."""
    if not drift.quality:
        return ["No strategy has stored answers to both: whether quality moved is not known."]
    lines: list[str] = []
    for quality in drift.quality:
        difference = quality.change
        if (difference.p_holm or 0) > ALPHA:
            power = f"a true one of {difference.detectable:.2f} would be found in 80 %"
            conclusion = f"no clear difference, {change(difference)}; {power}"
        else:
            is_worse = (difference.value < 0) == quality.higher_is_better
            conclusion = f"clearly {'worse' if is_worse else 'better'} on the fresh items, {change(difference)}"
        lines.append(f"{_name(quality, drift.quality)}: {conclusion} ({metric_title(quality.metric)}).")
    if any(shift.quantity == "labels" and _clear(shift) for shift in drift.shifts):
        lines.append("Labels shifted: a score can move for that alone, with every label answered as well as before.")
    return lines


def _inputs(shift: Shift, drift: Drift) -> str:
    del drift
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


def _labels(shift: Shift, drift: Drift) -> str:
    distance = _size(shift.size, ".0%")
    shares = ", ".join(f"{label.label} {label.test:.0%} → {label.fresh:.0%}" for label in drift.labels)
    if _clear(shift):
        return f"Labels occur in other shares: {distance} of the items would have to change theirs ({shares})."
    return (
        f"Labels: no clear difference, distance {distance} ({shares}); {shift.detectable:.0%} moved from the commonest "
        "to the next would be found."
    )


def _length(shift: Shift, drift: Drift) -> str:
    del drift
    words = _size(shift.size, "+.0f")
    if _clear(shift):
        caveat = (
            "" if shift.size.low * shift.size.high > 0 else "; the middle need not have moved: lengths may only spread"
        )
        return f"Lengths differ: the median by {words} words (distance D {shift.statistic:.2f}){caveat}."
    return (
        f"Length: no clear difference, the median by {words} words (distance D {shift.statistic:.2f}); distributions "
        f"that differ by D {shift.detectable:.2f} would be found."
    )


_SENTENCES = {"inputs": _inputs, "labels": _labels, "length": _length}


def _clear(shift: Shift) -> bool:
    return shift.p_holm is not None and shift.p_holm <= ALPHA


def _sizes(drift: Drift) -> str:
    of = f"{count(drift.items[0], 'item')} of the test split, {drift.items[1]:,} fresh"
    units = f" (independent groups: {drift.units[0]:,} and {drift.units[1]:,})" if drift.units else ""
    return f"{of}{units}; median {drift.medians[0]:g} and {drift.medians[1]:g} words; embedder {drift.embedder}"


def _shifts(drift: Drift) -> PriorityTable:
    tests = {
        "inputs": ("MMD²", "AUC", ".2f"),
        "labels": ("chi²", "distance", ".0%"),
        "length": ("KS D", "median", "+.0f"),
    }
    rows = list[tuple[str, ...]]()
    for shift in drift.shifts:
        test, unit, form = tests[shift.quantity]
        statistic = f"{shift.statistic:.4f}" if shift.quantity == "inputs" else f"{shift.statistic:.2f}"
        amount = f"{unit} {_size(shift.size, form)}"
        outcome = "differs" if _clear(shift) else "not clear"
        rows.append((TITLES[shift.quantity], f"{test} {statistic}", amount, _p(shift.p_holm), outcome))
    styles = ["yellow" if _clear(shift) else "dim" for shift in drift.shifts]
    ranks = {"compared": 0, "test": 3, "shift [95 %]": 1, "p": 2, "outcome": 0}
    *columns, outcomes = _columns(ranks, rows)
    return PriorityTable([*columns, replace(outcomes, styles=styles)])


def _unlike(drift: Drift) -> PriorityTable:
    rows = [(item.id, f"{item.similarity:.2f}", _short(item.input)) for item in drift.unlike]
    return PriorityTable(_columns({"item": 0, "cosine": 1, "asked": 0}, rows))


def _short(text: str) -> str:
    """Put a text on one line, cut at a word."""
    return shorten(text, INPUT_CHARACTERS, placeholder=" …")


def _scores(rows: Sequence[QualityShift]) -> PriorityTable:
    cells = [
        (_name(row, rows), score(row.test), score(row.fresh), change(row.change), _p(row.change.p_holm)) for row in rows
    ]
    ranks = {"strategy": 0, "test split": 4, "fresh": 3, "change [95 %]": 1, "p": 2}
    return PriorityTable(_columns(ranks, cells))


def _name(quality: QualityShift, rows: Sequence[QualityShift]) -> str:
    return quality.strategy if len({row.model for row in rows}) == 1 else f"{quality.strategy} with {quality.model}"


def _size(size: ShiftSize, form: str) -> str:
    return f"{size.value:{form}} [{size.low:{form}}, {size.high:{form}}]"


def _p(value: float | None) -> str:
    return "n/a" if value is None else f"<{SMALLEST_P}" if value < SMALLEST_P else f"{value:.3f}"


def _columns(ranks: Mapping[str, int], rows: Sequence[Sequence[str]]) -> list[PriorityColumn]:
    """Make columns with these ranks by title; numbers are never broken, names and texts may be."""
    names = {"compared", "outcome", "item", "asked", "strategy"}
    columns = zip(ranks.items(), zip(*rows, strict=True), strict=True)
    return [
        PriorityColumn(title.replace(" ", NO_BREAK), list(map(plain, cells)), rank, right=title not in names)
        for (title, rank), cells in columns
    ]
