"""Rules for what figures do not answer, with sources (`rules.toml`), each checked against the measurements.

A rule is about what a strategy does (`traits`), never about its name. Where this comparison's own figures speak to a
rule, both are told.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from harness.compare.prose.names import Names
from harness.compare.prose.numbers import change, score
from harness.compare.table.corpus_learning import unlearned
from harness.compare.table.result import StrategyResult, TaskResult
from harness.compare.trials.traits import Traits
from harness.records.measurements import StoredModel

SMALL = 0.1
"""Share of a model's parameters up to which an update is called small."""


class DecisionRule(StoredModel):
    """One rule.

    Attributes:
        flag: what the user must have said for it to apply; ``always``: nothing.
        when: what a strategy does that it is about; ``not ...`` negates; all must hold.
        effect: what becomes of such a strategy.
        says: why, in a clause.
        source: authors, year and title; address: where it can be read.
        test: which of the measured figures speak to it.
    """

    id: str
    flag: str
    when: tuple[str, ...]
    effect: Literal["exclude", "warn", "prefer"]
    says: str
    source: str
    address: str
    test: Literal["index_beats_tuning", "small_update_forgets_less"] | None = None

    def is_about(self, traits: Traits) -> bool:
        """Tell whether a strategy does what the rule is about."""
        does = _does(traits)
        return all(not does[name.removeprefix("not ")] if name.startswith("not ") else does[name] for name in self.when)


class AppliedRule(StoredModel):
    """A rule that spoke.

    Attributes:
        rule: which.
        strategies: those that it is about, by name.
        measured: what this comparison's own figures say to it; None: nothing.
        agrees: whether they agree with the rule; None: they say nothing, or nothing clear.
    """

    rule: DecisionRule
    strategies: tuple[str, ...]
    measured: str | None = None
    agrees: bool | None = None


@cache
def all_rules() -> tuple[DecisionRule, ...]:
    """Return every rule, in the order of rules.toml."""
    table = tomllib.loads(Path(__file__).with_name("rules.toml").read_text(encoding="utf-8"))
    return tuple(DecisionRule.model_validate(entry) for entry in table["rule"])


def rules_for(flags: Collection[str], traits: Traits) -> list[DecisionRule]:
    """Return the rules that are about a strategy, given what the user said."""
    return [rule for rule in all_rules() if rule.flag in {*flags, "always"} and rule.is_about(traits)]


def applied(
    task: TaskResult, rows: Sequence[StrategyResult], left: Collection[tuple[str, str]], flags: Collection[str]
) -> tuple[AppliedRule, ...]:
    """Say which rules speak about the rows of a task, and what was measured there.

    Args:
        task: the table.
        rows: that finished; a rule that excludes is told of any of them.
        left: strategy and model of those that nothing excludes; other rules are told of these only.
        flags: what the user said.
    """
    name = Names(task.rows)
    rules: list[AppliedRule] = []
    for rule in all_rules():
        about = [
            row
            for row in rows
            if row.traits
            and rule in rules_for(flags, row.traits)
            and (rule.effect == "exclude" or (row.label, row.model) in left)
        ]
        if not about:
            continue
        measured, agrees = _TESTS[rule.test](task, rows, name) if rule.test else (None, None)
        if rule.flag == "always" and measured is None:
            continue  # nobody asked, and nothing here speaks to it
        rules.append(
            AppliedRule(rule=rule, strategies=tuple(row.label for row in about), measured=measured, agrees=agrees)
        )
    return tuple(rules)


def _does(traits: Traits) -> dict[str, bool]:
    small = traits.trained_share is not None and traits.trained_share <= SMALL
    return {
        "changes_weights": traits.changes_weights,
        "searches_corpus": traits.searches_corpus,
        "uses_examples": traits.uses_examples,
        "uses_preferences": traits.uses_preferences,
        "small_update": small,
    }


def _index_beats_tuning(
    task: TaskResult, rows: Sequence[StrategyResult], name: Names
) -> tuple[str | None, bool | None]:
    """Hold the best that only retrieves against the best that is only tuned; clear where intervals do not meet."""
    scored = [row for row in rows if row.traits and task.primary in row.scores and not unlearned(row)]
    row = next((r for r in scored if r.traits and r.traits.searches_corpus and not r.traits.changes_weights), None)
    tuned = next((r for r in scored if r.traits and r.traits.changes_weights and not r.traits.searches_corpus), None)
    if not row or not tuned or not task.primary:
        return None, None
    first, other = row.scores[task.primary], tuned.scores[task.primary]
    if not task.higher_is_better:
        first, other = other, first
    agrees = True if first.low > other.high else False if other.low > first.high else None
    text = f"{name(row)} {score(row.scores[task.primary])} against {name(tuned)} {score(tuned.scores[task.primary])}"
    return text, agrees


def _small_update_forgets_less(
    task: TaskResult, rows: Sequence[StrategyResult], name: Names
) -> tuple[str | None, bool | None]:
    """Hold the small and the large update that lose most on the same probe against each other."""
    del task
    retained = [(row, row.traits.trained_share, row.retention[0]) for row in rows if row.retention and row.traits]
    small = [(row, retention) for row, share, retention in retained if share is not None and share <= SMALL]
    large = [(row, retention) for row, share, retention in retained if share is not None and share >= 0.5]
    if not small or not large:
        return None, None
    first, other = (min(group, key=lambda pair: pair[1].change.value) for group in (small, large))
    agrees = (
        True
        if first[1].change.low > other[1].change.high
        else False
        if other[1].change.low > first[1].change.high
        else None
    )
    return f"{name(first[0])} {change(first[1].change)} against {name(other[0])} {change(other[1].change)}", agrees


_TESTS: Mapping[str, Callable[[TaskResult, Sequence[StrategyResult], Names], tuple[str | None, bool | None]]] = {
    "index_beats_tuning": _index_beats_tuning,
    "small_update_forgets_less": _small_update_forgets_less,
}
