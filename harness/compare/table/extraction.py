"""Whether the way that answers are read decides who is best: the strict reading beside a lenient one.

The strict reading is the one that scores (`metrics.parsing`). The lenient one takes an output for whatever it holds:
an output that holds a reference as whole words anywhere answers it fully; a label is taken from the last line that
mentions one only; and a text counts as its best line. It is too kind to a model that says everything, so no score is
made of it. Where it changes who is best or tied, the difference lies in the form of the answers, not in what is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from harness.compare.stats.estimates import Difference, difference
from harness.compare.stats.panel import Panel
from harness.compare.table.findings import Extraction
from harness.compare.table.result import TaskResult
from harness.compare.trials.groups import Group, ScoreKey, make_panel
from harness.metrics import Items, get
from harness.metrics.parsing import mentioned_choices
from harness.metrics.statistical_power import ALPHA
from harness.metrics.text_answers import contains_phrase, normalise, overlap

TIE = 1e-9
READ = {"classification", "multiple_choice", "preference", "qa"}
"""Kinds of which an answer is read out of the output; of the others all of it is the answer."""


def extraction(task: TaskResult, groups: Sequence[Group]) -> Extraction | None:
    """Read a task's outputs again, leniently.

    Args:
        task: its table; rows best first.
        groups: its trials.

    Returns:
        None where no answers were read out of written text, or fewer than two rows have any.
    """
    scored_rows = [row for row in task.rows if task.primary in row.scores]
    written = [group for group in groups if any(_is_written(items) for items in group.items.values())]
    if task.kind not in READ or task.primary is None or len(scored_rows) < 2 or not written:
        return None
    again = [_again(group) for group in groups]
    scored = make_panel(task.primary, again)
    usual = make_panel(task.primary, groups)
    up = 1 if get(task.primary).higher_is_better else -1
    keys: list[ScoreKey] = [
        (row.label, row.model, None) for row in scored_rows if (row.label, row.model, None) in scored
    ]
    order = sorted(keys, key=lambda key: -up * scored.estimate(key).value)
    worse = scored.compare_to_best(order)
    tied = [key for key in order if key not in worse or (worse[key].p_holm or 0) > ALPHA]
    written_keys = {group.key for group in written}
    changes = [
        ((k[0], k[1]), difference) for k in keys if k in written_keys and (difference := _change(k, usual, scored))
    ]
    return Extraction(
        change=tuple(changes),
        strict=tuple((row.label, row.model) for row in scored_rows if row.tied_for_best),
        lenient=tuple((key[0], key[1]) for key in tied),
        leading=((scored_rows[0].label, scored_rows[0].model), (order[0][0], order[0][1])),
    )


def lenient(items: Items) -> Items:
    """Take each written output for whatever it holds; what was chosen by likelihood stays as it is."""
    if not _is_written(items):
        return items
    answers = [
        _read(output, answer, references, items.labels or choices) if _free(output, scores) else answer
        for output, answer, references, choices, scores in zip(
            items.outputs, items.answers, items.references, items.choices, items.choice_scores, strict=True
        )
    ]
    return items.with_answers(answers)


def _again(group: Group) -> Group:
    """Read a group's outputs leniently; items that stay as they were stay the same object, whose scores are known."""
    again = {seed: lenient(items) for seed, items in group.items.items()}
    return replace(
        group,
        items={seed: a if a.answers != group.items[seed].answers else group.items[seed] for seed, a in again.items()},
    )


def _is_written(items: Items) -> bool:
    """Whether some answers were read out of text that the model wrote."""
    written = any(items.outputs)  # what was chosen has no output, and then its scores needn't be read
    return written and any(map(_free, items.outputs, items.choice_scores))


def _free(output: str, scores: Sequence[float]) -> bool:
    """Whether the model wrote this, instead of having choices scored."""
    return bool(output) and not scores


def _change(key: ScoreKey, usual: Panel[ScoreKey], scored: Panel[ScoreKey]) -> Difference | None:
    return difference(*pair) if (pair := scored.sample(key).pair_with(usual.sample(key))) else None


@lru_cache(maxsize=65_536)
def _read(output: str, answer: str | None, references: tuple[str, ...], choices: tuple[str, ...]) -> str | None:
    """Read one output as kindly as it can be read."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if choices:
        single = [choice[0] for line in lines if len(choice := mentioned_choices(line, choices)) == 1]
        return single[-1] if single else answer
    if contained := [reference for reference in references if contains_phrase(normalise(output), normalise(reference))]:
        return contained[0]
    candidates = lines if answer is None else [answer, *lines]
    return max(candidates, key=lambda line: max(overlap(line, reference) for reference in references), default=answer)
