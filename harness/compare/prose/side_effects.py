"""What else a table shows, in sentences: forgetting, overfitting and luck. Names stand between backticks."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.prose import ablation_sentences, memorisation_sentences
from harness.compare.prose.extraction_sentences import sentence
from harness.compare.prose.names import Names, bare
from harness.compare.prose.numbers import change, count, listing, metric_title, seconds
from harness.compare.prose.speed import speed
from harness.compare.stats.intervals import holm
from harness.compare.table.findings import Retention
from harness.compare.table.result import StrategyResult, TaskResult
from harness.metrics import get

ALPHA = 0.05
NAMED = 12
"""Strategies that a sentence names one by one; of more it says how many."""


def effects(task: TaskResult, done: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say what the strategies did besides the score, as far as intervals and adjusted tests carry it.

    Args:
        task: the table.
        done: its rows that have a score, best first.
        name: what rows are called.
    """
    said = [
        *_searches(done, name),
        *_retention(done, name),
        *memorisation_sentences.sentences(done, name),
        *_interactions(done, name),
        *_sequences(task, done, name),
        *ablation_sentences.sentences(task, done, name),
        sentence(task, name),
        _overfitting(task, done, name),
        _more_data(task, done, name),
        _luck(done, name),
        *speed(task, done, name),
    ]
    return [sentence for sentence in said if sentence]


def _retention(done: Sequence[StrategyResult], name: Names) -> list[str]:
    kept = [(row, found) for row in done for found in row.retention]
    adjusted = holm([found.change.p for _, found in kept])
    moved = [pair for pair, p in zip(kept, adjusted, strict=True) if p <= ALPHA]
    losses = [(row, found) for row, found in moved if _better_by(found) < 0]
    gains = [(row, found) for row, found in moved if _better_by(found) > 0]
    said = [f"{name(row)} {_LOSES[get(found.metric).concern]}: {_kept(found)}." for row, found in losses]
    said += [f"{name(row)} {_GAINS[get(found.metric).concern]}: {_kept(found)}." for row, found in gains]
    unplanted = [found.task for _, found in kept if get(found.metric).concern != "privacy"]
    if unplanted and not losses:
        probes = listing([f"`{bare(task)}`" for task in dict.fromkeys(unplanted)])
        return [f"No clear loss on {probes}, which nothing was trained on.", *said]
    return said


def _searches(done: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say what was chosen within the budgets, and what had nothing to choose."""
    searched = {row.strategy for row in done if row.budget}
    said = [f"{name(row)} {listing(_choices(row))}." for row in done if row.budget]
    rest = [row for row in done if row.strategy not in searched]
    if searched and rest:
        said.append(f"With nothing searched: {name.all(rest)}.")
    return said


def _choices(row: StrategyResult) -> list[str]:
    """Tell what each seed has chosen, against the defaults on the validation split."""
    found = [(trial.seed, trial.search) for trial in row.trials if trial.search]
    told: list[str] = []
    for seed, tried in found:
        chosen, first = tried.candidates[tried.chosen], tried.candidates[0]
        changed = [
            f"{name}={_short(value)}"
            for name, value in chosen.parameters.items()
            if value != first.parameters.get(name)
        ]
        what = f"chose {', '.join(changed)}" if changed else "kept its defaults"
        scores = f"{_short(chosen.score)} {metric_title(tried.metric)} on {count(tried.items, 'validation item')}"
        against = f" against {_short(first.score)}" if changed else ""
        spent = f"{count(len(tried.candidates), 'candidate')}, {seconds(sum(one.wall_s for one in tried.candidates))}"
        told.append(f"{f'with seed {seed} ' if len(found) > 1 else ''}{what} ({scores}{against}; {spent})")
    return told


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "none" if value is None else str(value)


def _interactions(done: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say which chains are more or less than their parts."""
    found = [(row, one) for row in done for one in row.interactions]
    said = [
        f"{name(row)} is {one.kind} than its parts `{bare(one.parts[0])}` and `{bare(one.parts[1])}` add up to: "
        f"{change(one.change)}."
        for row, one in found
        if one.kind != "unclear"
    ]
    unclear = list(dict.fromkeys(name(row) for row, one in found if one.kind == "unclear"))
    if unclear:
        said.append(f"No clear interaction: {listing(unclear)} may be just the sum of {_its(unclear)} parts.")
    return said


def _sequences(task: TaskResult, done: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say what was forgotten of a task when others were learned after it."""
    up = 1 if task.higher_is_better else -1
    said: list[str] = []
    for row in done:
        if (found := row.forgetting) is None:
            continue
        others = listing([f"`{bare(after)}`" for after in found.after])
        clear = (found.change.p if found.change.p_holm is None else found.change.p_holm) <= ALPHA
        what = "is not clearly changed by" if not clear else "loses by" if found.change.value * up < 0 else "gains by"
        said.append(
            f"{name(row)} {what} learning {others} afterwards: {change(found.change)} against `{bare(found.than)}`."
        )
    return said


def _its(names: Sequence[str]) -> str:
    return "its" if len(names) == 1 else "their"


def _overfitting(task: TaskResult, done: Sequence[StrategyResult], name: Names) -> str:
    found = [(row, row.gap) for row in done if row.gap]
    adjusted = holm([gap.change.p for _, gap in found])
    up = 1 if task.higher_is_better else -1
    wide = [
        f"{name(row)} {change(gap.change)}"
        for (row, gap), p in zip(found, adjusted, strict=True)
        if p <= ALPHA and gap.change.value * up > 0
    ]
    if not found or wide:
        return (
            f"Clearly better on what it was trained on than on new items (overfitting): {listing(wide)}."
            if wide
            else ""
        )
    return "No clear sign of overfitting: what was trained on is not answered clearly better than new items."


def _spread_over_seeds(done: Sequence[StrategyResult], name: Names) -> str:
    """Say which strategy's score moves most from seed to seed, and how much of its uncertainty that is."""
    spread = [(found.seed_sd, row, found) for row in done for found in list(row.scores.values())[:1] if found.seed_sd]
    if not spread:
        return ""
    sd, row, found = max(spread, key=lambda entry: entry[0])
    rows = [one for _, one, _ in spread]
    among = name.all(rows) if len(rows) <= NAMED else f"{len(rows)} strategies with several seeds"
    return (
        f"Of {among}, {name(row)} moves most from seed to seed: standard deviation "
        f"{sd:.3f} over {found.seeds} seeds, {found.seed_share or 0:.0%} of the variance of its "
        "mean; the rest is the items'."
    )


def _more_data(task: TaskResult, done: Sequence[StrategyResult], name: Names) -> str:
    """Say whose score still grew between the two largest numbers of training items."""
    last = [(row, row.learning_curve[-2:]) for row in done if row.learning_curve]
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


def _luck(done: Sequence[StrategyResult], name: Names) -> str:
    single = [row for row in done if row.one_seed]
    if not single:
        return _spread_over_seeds(done, name)
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


def _better_by(found: Retention) -> float:
    """The change, positive where it is for the better."""
    return found.change.value if get(found.metric).higher_is_better else -found.change.value


def _kept(found: Retention) -> str:
    lower = "" if get(found.metric).higher_is_better else " (lower is better)"
    return f"`{bare(found.task)}` {metric_title(found.metric)}{lower} {change(found.change)}"


def _was(rows: Sequence[StrategyResult]) -> str:
    return "was" if len(rows) == 1 else "were"
