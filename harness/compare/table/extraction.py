"""Strict against lenient answer parsing: whether the winner depends on the answer format.

Strict parsing (`metrics.parsing`) gives the scores. Lenient parsing accepts a reference as whole words anywhere in the
output, a label from the last line that mentions exactly one, and of other texts the best line. It favours a model that
says everything, so it gives no score. Where it changes the rows that are best or tied, the difference is answer format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from harness.compare.stats.estimates import Difference, same_runs_difference
from harness.compare.stats.panel import Panel
from harness.compare.table.findings import Extraction
from harness.compare.table.result import TaskResult
from harness.compare.trials.groups import Group, ScoreKey, make_panel
from harness.metrics import Items, get
from harness.metrics.parsing import mentioned_choices
from harness.metrics.statistical_power import ALPHA
from harness.metrics.text_answers import contains_phrase, overlap

PARSED_KINDS = {"classification", "multiple_choice", "preference", "qa"}
"""Task kinds whose answer is parsed from the output; for others the whole output is the answer."""


def extraction(task: TaskResult, groups: Sequence[Group]) -> Extraction | None:
    """Compare strict and lenient parsing of a task's outputs.

    Args:
        task: its table; rows best first.
        groups: its trials.

    Returns:
        None where no answer is parsed from text, or fewer than two rows have a score.
    """
    scored_rows = [row for row in task.rows if task.primary in row.scores]
    generated = [group for group in groups if any(_is_generated(items) for items in group.items.values())]
    if task.kind not in PARSED_KINDS or task.primary is None or len(scored_rows) < 2 or not generated:
        return None
    scored = make_panel(task.primary, [_lenient_group(group) for group in groups])
    strict = make_panel(task.primary, groups)
    up = 1 if get(task.primary).higher_is_better else -1
    keys: list[ScoreKey] = [
        (row.label, row.model, None) for row in scored_rows if (row.label, row.model, None) in scored
    ]
    order = sorted(keys, key=lambda key: -up * scored.estimate(key).value)
    to_best = scored.compare_to_best(order)
    tied = [key for key in order if key not in to_best or (to_best[key].p_holm or 0) > ALPHA]
    generated_keys = {group.key for group in generated}
    changes = [
        ((key[0], key[1]), difference)
        for key in keys
        if key in generated_keys and (difference := _change(key, strict, scored))
    ]
    return Extraction(
        change=tuple(changes),
        strict=tuple((row.label, row.model) for row in scored_rows if row.tied_for_best),
        lenient=tuple((key[0], key[1]) for key in tied),
        leading=((scored_rows[0].label, scored_rows[0].model), (order[0][0], order[0][1])),
    )


def lenient(items: Items) -> Items:
    """Parse each generated output leniently; answers chosen by likelihood stay as they are."""
    if not _is_generated(items):
        return items
    answers = [
        _parse(output, answer, references, items.labels or choices) if _has_text(output, scores) else answer
        for output, answer, references, choices, scores in zip(
            items.outputs, items.answers, items.references, items.choices, items.choice_scores, strict=True
        )
    ]
    return items.with_answers(answers)


def _lenient_group(group: Group) -> Group:
    """Parse a group's outputs leniently; unchanged items stay the same object, whose scores are cached."""
    lenient_items = {seed: lenient(items) for seed, items in group.items.items()}
    return replace(
        group,
        items={
            seed: items if items.answers != group.items[seed].answers else group.items[seed]
            for seed, items in lenient_items.items()
        },
    )


def _is_generated(items: Items) -> bool:
    """Whether some answers are parsed from generated text."""
    has_output = any(items.outputs)  # scored choices have no output; then the column of scores is not read
    return has_output and any(map(_has_text, items.outputs, items.choice_scores))


def _has_text(output: str, scores: Sequence[float]) -> bool:
    """Whether an answer was generated, not chosen by the scores of its choices."""
    return bool(output) and not scores


def _change(key: ScoreKey, strict: Panel[ScoreKey], scored: Panel[ScoreKey]) -> Difference | None:
    return same_runs_difference(*pair) if (pair := scored.sample(key).pair_with(strict.sample(key))) else None


@lru_cache(maxsize=65_536)
def _parse(output: str, answer: str | None, references: tuple[str, ...], choices: tuple[str, ...]) -> str | None:
    """Parse one output leniently."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if choices:
        single = [choice[0] for line in lines if len(choice := mentioned_choices(line, choices)) == 1]
        return single[-1] if single else answer
    if contained := [reference for reference in references if contains_phrase(output, reference)]:
        return contained[0]
    candidates = lines if answer is None else [answer, *lines]
    return max(candidates, key=lambda line: max(overlap(line, reference) for reference in references), default=answer)
