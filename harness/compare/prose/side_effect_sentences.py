"""Sentences about side effects: retention, chains, searches, overfitting, more data, seeds.

Names stand between backticks.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.prose import (
    ablation_sentences,
    extraction_sentences,
    memorisation_sentences,
    request_sentences,
)
from harness.compare.prose.names import Names, bare
from harness.compare.prose.numbers import change, count, listing, metric_title, surely
from harness.compare.stats.estimates import Difference
from harness.compare.stats.sample import SeedBasis
from harness.compare.table.findings import Retention
from harness.compare.table.result import StrategyResult, TaskResult
from harness.compare.table.side_effects import data_gains, overfitting, retention_changes, seed_spread
from harness.measure.units import seconds
from harness.metrics import get
from harness.metrics.statistical_power import ALPHA

MAX_NAMES = 12
"""Strategies that a sentence names; more are counted."""


def sentences(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Describe the side effects that intervals and adjusted tests support.

    Args:
        task: the table.
        scored: its rows that have a score, best first.
        name: names rows.
    """
    all_sentences = [
        *_searches(scored, name),
        *_retention(scored, name),
        *memorisation_sentences.sentences(scored, name),
        *_interactions(scored, name),
        *_forgetting(task, scored, name),
        *ablation_sentences.sentences(task, scored, name),
        extraction_sentences.sentence(task, name),
        _overfitting(task, scored, name),
        _more_data(task, scored, name),
        _seeds(scored, name),
        _same_systems(scored, name),
        *request_sentences.sentences(task, scored, name),
    ]
    return [sentence for sentence in all_sentences if sentence]


def _retention(scored: Sequence[StrategyResult], name: Names) -> list[str]:
    changes = retention_changes(scored)
    losses = [
        f"{name(row)} {_sure(retention.change)}{_LOSES[get(retention.metric).concern]}: {_change(retention)}"
        f"{_rounding(row)}."
        for row, retention in changes.losses
    ]
    gains = [
        f"{name(row)} {_sure(retention.change)}{_GAINS[get(retention.metric).concern]}: {_change(retention)}."
        for row, retention in changes.gains
    ]
    if changes.probes and not losses:
        probes = listing([f"`{bare(probe)}`" for probe in changes.probes])
        return [f"Retention: no clear loss on {probes}.", *gains]
    return [*losses, *gains]


def _searches(scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Name the best candidate of each search, and the strategies without parameters to search."""
    searched = {row.strategy for row in scored if row.budget}
    choices = [f"{name(row)} {listing(_choices(row))}." for row in scored if row.budget]
    unsearched = [row for row in scored if row.strategy not in searched]
    if searched and unsearched:
        choices.append(f"No hyperparameters searched: {name.all(unsearched)}.")
    return choices


def _choices(row: StrategyResult) -> list[str]:
    """Describe the best candidate of each seed against the defaults, on the validation split."""
    searches = [(trial.seed, trial.search) for trial in row.trials if trial.search]
    choices: list[str] = []
    for seed, search in searches:
        best, defaults = search.candidates[search.chosen], search.candidates[0]
        changed = [
            f"{name}={_short(value)}"
            for name, value in best.parameters.items()
            if value != defaults.parameters.get(name)
        ]
        choice = f"chose {', '.join(changed)}" if changed else "kept its defaults"
        scores = f"{_short(best.score)} {metric_title(search.metric)} on {count(search.items, 'validation item')}"
        against = f" against {_short(defaults.score)}" if changed else ""
        search_s = sum(candidate.wall_s for candidate in search.candidates)
        spent = f"{count(len(search.candidates), 'candidate')}, {seconds(search_s)}"
        choices.append(f"{f'with seed {seed} ' if len(searches) > 1 else ''}{choice} ({scores}{against}; {spent})")
    return choices


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "none" if value is None else str(value)


def _interactions(scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Name the chains that gain more or less than the sum of their parts."""
    interactions = [(row, interaction) for row in scored for interaction in row.interactions]
    comparisons = [
        f"Interaction: {name(row)} gains {_sure(interaction.change)}{interaction.kind} than "
        f"`{bare(interaction.parts[0])}` and `{bare(interaction.parts[1])}` together: {change(interaction.change)}."
        for row, interaction in interactions
        if interaction.kind != "unclear"
    ]
    unclear = list(dict.fromkeys(name(row) for row, interaction in interactions if interaction.kind == "unclear"))
    return [*comparisons, *([f"No clear interaction: {listing(unclear)}."] if unclear else [])]


def _forgetting(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say how learning other tasks later changes the score on this one."""
    up = 1 if task.higher_is_better else -1
    comparisons: list[str] = []
    for row in scored:
        if (forgetting := row.forgetting) is None:
            continue
        later_tasks = listing([f"`{bare(later_task)}`" for later_task in forgetting.after])
        clear = forgetting.change.adjusted_p <= ALPHA
        verb = "does not clearly change" if not clear else "forgets" if forgetting.change.value * up < 0 else "gains"
        comparisons.append(
            f"{name(row)} {_sure(forgetting.change) if clear else ''}{verb} after learning {later_tasks}: "
            f"{change(forgetting.change)} against `{bare(forgetting.than)}`."
        )
    return comparisons


def _overfitting(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> str:
    overfitted = overfitting(scored, higher_is_better=task.higher_is_better)
    if overfitted.rows:
        gaps = listing([f"{name(row)} {change(gap.change)}" for row, gap in overfitted.rows])
        single = any(row.one_seed for row, _ in overfitted.rows)
        return f"{'Probably overfits' if single else 'Overfits'} (training minus test score): {gaps}."
    return "No clear overfitting." if overfitted.measured else ""


def _more_data(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> str:
    """Name the strategies that still gain from more training items."""
    measured, gains = data_gains(scored, higher_is_better=task.higher_is_better)
    if gains:
        steps = [
            f"{name(step.row)} {change(step.gain)} from {step.smaller.train_items:,} to {step.larger.train_items:,} "
            "items"
            for step in gains
        ]
        sure = "" if surely([step.gain for step in gains]) == "clearly" else " probably"
        return f"More training items{sure} help: {listing(steps)}."
    return "No clear gain from more training items." if measured else ""


def _same_systems(scored: Sequence[StrategyResult], name: Names) -> str:
    """Name the rows that are one system under two names."""
    rows = {(row.label, row.model): row for row in scored}
    pairs = [(row, rows[row.same_as, row.model]) for row in scored if row.same_as and (row.same_as, row.model) in rows]
    texts = [f"{name(row)} as {name(other)}" for row, other in pairs]
    return f"Same answers, tested once: {listing(texts)}." if texts else ""


def _seeds(scored: Sequence[StrategyResult], name: Names) -> str:
    """Say what the spread over seeds of rows with one seed stands on; without such, which row varies most."""
    single = [row for row in scored if row.one_seed]
    if not single:
        return _seed_spread(scored, name)
    by_source: dict[tuple[SeedBasis | None, float], list[StrategyResult]] = {}
    for row in single:
        estimate = next(iter(row.scores.values()))
        by_source.setdefault((estimate.seed_basis, round(estimate.seed_noise or 0.0, 4)), []).append(row)
    return " ".join(_seed_source(rows, basis, sd, name) for (basis, sd), rows in by_source.items())


def _seed_source(rows: Sequence[StrategyResult], basis: SeedBasis | None, sd: float, name: Names) -> str:
    """Say where the spread over seeds of rows with one seed each comes from."""
    names = name.all(rows) if len(rows) <= MAX_NAMES else f"{len(rows)} strategies"
    if basis == "measured":
        source = f"seed SD {sd:.3f}, pooled from repeated runs of such strategies"
    elif basis == "assumed":
        source = f"seed SD {sd:.3f}, assumed from reference runs, so conclusions are probable; measure it: --seeds 3"
    else:
        source = "seed SD unknown, so conclusions are probable; measure it: --seeds 3"
    return f"One seed: {names}; {source}."


def _seed_spread(scored: Sequence[StrategyResult], name: Names) -> str:
    spread = seed_spread(scored)
    if spread is None:
        return ""
    rows = spread.rows
    among = name.all(rows) if len(rows) <= MAX_NAMES else f"{len(rows)} strategies with several seeds"
    return (
        f"Largest seed SD of {among}: {name(spread.row)} {spread.sd:.3f} over {spread.score.seeds} seeds "
        f"({spread.score.seed_share or 0:.0%} of the variance of its mean)."
    )


def _rounding(row: StrategyResult) -> str:
    """Say that a change is of rounded weights as well as of training, which no row tells apart."""
    bits = row.traits.weight_bits if row.traits else None
    return f" (training and {bits:.0f}-bit rounding together)" if bits else ""


def _sure(difference: Difference) -> str:
    """Write ``probably`` where the spread over seeds is assumed."""
    return "" if difference.sure else "probably "


_LOSES = {"skill": "forgets", "bias": "becomes more biased", "privacy": "leaks planted secrets"}
_GAINS = {
    "skill": "gains on a probe",
    "bias": "becomes less biased",
    "privacy": "leaks fewer planted secrets",
}


def _change(retention: Retention) -> str:
    lower = "" if get(retention.metric).higher_is_better else " (lower is better)"
    return f"`{bare(retention.task)}` {metric_title(retention.metric)}{lower} {change(retention.change)}"
