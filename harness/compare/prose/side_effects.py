"""What else a table shows, in sentences: forgetting, overfitting and luck. Names stand between backticks."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.prose import ablation_sentences, memorisation_sentences
from harness.compare.prose.extraction_sentences import sentence
from harness.compare.prose.names import Names, bare
from harness.compare.prose.numbers import change, count, listing, metric_title
from harness.compare.prose.speed import speed
from harness.compare.stats.intervals import holm
from harness.compare.table.findings import Retention
from harness.compare.table.result import StrategyResult, TaskResult
from harness.measure.units import seconds
from harness.metrics import get
from harness.metrics.statistical_power import ALPHA

NAMED = 12
"""Strategies that a sentence names one by one; of more it says how many."""


def effects(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say what the strategies did besides the score, as far as intervals and adjusted tests carry it.

    Args:
        task: the table.
        scored: its rows that have a score, best first.
        name: what rows are called.
    """
    sentences = [
        *_searches(scored, name),
        *_retention(scored, name),
        *memorisation_sentences.sentences(scored, name),
        *_interactions(scored, name),
        *_sequences(task, scored, name),
        *ablation_sentences.sentences(task, scored, name),
        sentence(task, name),
        _overfitting(task, scored, name),
        _more_data(task, scored, name),
        _luck(scored, name),
        *speed(task, scored, name),
    ]
    return [sentence for sentence in sentences if sentence]


def _retention(scored: Sequence[StrategyResult], name: Names) -> list[str]:
    retentions = [(row, retention) for row in scored for retention in row.retention]
    adjusted = holm([retention.change.p for _, retention in retentions])
    moved = [pair for pair, p in zip(retentions, adjusted, strict=True) if p <= ALPHA]
    losses = [(row, retention) for row, retention in moved if _better_by(retention) < 0]
    gains = [(row, retention) for row, retention in moved if _better_by(retention) > 0]
    sentences = [
        f"{name(row)} {_LOSES[get(retention.metric).concern]}: {_kept(retention)}." for row, retention in losses
    ]
    sentences += [
        f"{name(row)} {_GAINS[get(retention.metric).concern]}: {_kept(retention)}." for row, retention in gains
    ]
    unplanted = [retention.task for _, retention in retentions if get(retention.metric).concern != "privacy"]
    if unplanted and not losses:
        probes = listing([f"`{bare(task)}`" for task in dict.fromkeys(unplanted)])
        return [f"No clear loss on {probes}, which nothing was trained on.", *sentences]
    return sentences


def _searches(scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say what was chosen within the budgets, and what had nothing to choose."""
    searched = {row.strategy for row in scored if row.budget}
    sentences = [f"{name(row)} {listing(_choices(row))}." for row in scored if row.budget]
    unsearched = [row for row in scored if row.strategy not in searched]
    if searched and unsearched:
        sentences.append(f"With nothing searched: {name.all(unsearched)}.")
    return sentences


def _choices(row: StrategyResult) -> list[str]:
    """Tell what each seed has chosen, against the defaults on the validation split."""
    searches = [(trial.seed, trial.search) for trial in row.trials if trial.search]
    choices: list[str] = []
    for seed, tried in searches:
        chosen, first = tried.candidates[tried.chosen], tried.candidates[0]
        changed = [
            f"{name}={_short(value)}"
            for name, value in chosen.parameters.items()
            if value != first.parameters.get(name)
        ]
        choice = f"chose {', '.join(changed)}" if changed else "kept its defaults"
        scores = f"{_short(chosen.score)} {metric_title(tried.metric)} on {count(tried.items, 'validation item')}"
        against = f" against {_short(first.score)}" if changed else ""
        search_s = sum(candidate.wall_s for candidate in tried.candidates)
        spent = f"{count(len(tried.candidates), 'candidate')}, {seconds(search_s)}"
        choices.append(f"{f'with seed {seed} ' if len(searches) > 1 else ''}{choice} ({scores}{against}; {spent})")
    return choices


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "none" if value is None else str(value)


def _interactions(scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say which chains are more or less than their parts."""
    interactions = [(row, interaction) for row in scored for interaction in row.interactions]
    sentences = [
        f"{name(row)} is {interaction.kind} than its parts `{bare(interaction.parts[0])}` and "
        f"`{bare(interaction.parts[1])}` add up to: "
        f"{change(interaction.change)}."
        for row, interaction in interactions
        if interaction.kind != "unclear"
    ]
    unclear = list(dict.fromkeys(name(row) for row, interaction in interactions if interaction.kind == "unclear"))
    if unclear:
        sentences.append(f"No clear interaction: {listing(unclear)} may be just the sum of {_its(unclear)} parts.")
    return sentences


def _sequences(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say what was forgotten of a task when others were learned after it."""
    up = 1 if task.higher_is_better else -1
    sentences: list[str] = []
    for row in scored:
        if (forgetting := row.forgetting) is None:
            continue
        later_tasks = listing([f"`{bare(after)}`" for after in forgetting.after])
        clear = (forgetting.change.p if forgetting.change.p_holm is None else forgetting.change.p_holm) <= ALPHA
        verb = (
            "is not clearly changed by" if not clear else "loses by" if forgetting.change.value * up < 0 else "gains by"
        )
        sentences.append(
            f"{name(row)} {verb} learning {later_tasks} afterwards: {change(forgetting.change)} "
            f"against `{bare(forgetting.than)}`."
        )
    return sentences


def _its(names: Sequence[str]) -> str:
    return "its" if len(names) == 1 else "their"


def _overfitting(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> str:
    gaps = [(row, row.gap) for row in scored if row.gap]
    adjusted = holm([gap.change.p for _, gap in gaps])
    up = 1 if task.higher_is_better else -1
    wide = [
        f"{name(row)} {change(gap.change)}"
        for (row, gap), p in zip(gaps, adjusted, strict=True)
        if p <= ALPHA and gap.change.value * up > 0
    ]
    if not gaps or wide:
        return (
            f"Clearly better on what it was trained on than on new items (overfitting): {listing(wide)}."
            if wide
            else ""
        )
    return "No clear sign of overfitting: what was trained on is not answered clearly better than new items."


def _spread_over_seeds(scored: Sequence[StrategyResult], name: Names) -> str:
    """Say which strategy's score moves most from seed to seed, and how much of its uncertainty that is."""
    spread = [
        (estimate.seed_sd, row, estimate)
        for row in scored
        for estimate in list(row.scores.values())[:1]
        if estimate.seed_sd
    ]
    if not spread:
        return ""
    sd, row, widest = max(spread, key=lambda entry: entry[0])
    rows = [spread_row for _, spread_row, _ in spread]
    among = name.all(rows) if len(rows) <= NAMED else f"{len(rows)} strategies with several seeds"
    return (
        f"Of {among}, {name(row)} moves most from seed to seed: standard deviation "
        f"{sd:.3f} over {widest.seeds} seeds, {widest.seed_share or 0:.0%} of the variance of its "
        "mean; the rest is the items'."
    )


def _more_data(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> str:
    """Say whose score still grew between the two largest numbers of training items."""
    last = [(row, row.learning_curve[-2:]) for row in scored if row.learning_curve]
    gains = [(row, points, points[-1].gain) for row, points in last if points[-1].gain]
    adjusted = holm([gain.p for _, _, gain in gains])
    up = 1 if task.higher_is_better else -1
    grown = [
        f"{name(row)} {change(gain)} from {points[0].train_items:,} to {points[1].train_items:,} items"
        for (row, points, gain), p in zip(gains, adjusted, strict=True)
        if p <= ALPHA and gain.value * up > 0
    ]
    if grown:
        return f"More training items still helped: {listing(grown)}."
    return "No clear gain from the last step to more training items." if gains else ""


def _luck(scored: Sequence[StrategyResult], name: Names) -> str:
    single = [row for row in scored if row.one_seed]
    if not single:
        return _spread_over_seeds(scored, name)
    return (
        f"{name.all(single)} {_was(single)} trained with one seed{' each' if len(single) > 1 else ''}: "
        "how far another seed would move the score is not known."
    )


_LOSES = {"skill": "forgets", "bias": "becomes more biased", "privacy": "gives away planted secrets"}
_GAINS = {
    "skill": "gains on what it was not trained on",
    "bias": "becomes less biased",
    "privacy": "gives fewer planted secrets away",
}


def _better_by(retention: Retention) -> float:
    """The change, positive where it is for the better."""
    return retention.change.value if get(retention.metric).higher_is_better else -retention.change.value


def _kept(retention: Retention) -> str:
    lower = "" if get(retention.metric).higher_is_better else " (lower is better)"
    return f"`{bare(retention.task)}` {metric_title(retention.metric)}{lower} {change(retention.change)}"


def _was(rows: Sequence[StrategyResult]) -> str:
    return "was" if len(rows) == 1 else "were"
