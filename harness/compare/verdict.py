"""What a table says, in sentences: who is best, who is tied, what it costs, and what the data can't tell.

Names stand between backticks. Only what the intervals and the adjusted tests carry is said.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.intervals import holm
from harness.compare.result import Retention, StrategyResult, TaskResult
from harness.compare.words import change, count, listing, metric_title, score, seconds
from harness.metrics import get

ALPHA = 0.05


def verdict(task: TaskResult) -> tuple[str, ...]:
    """Say what a task's rows show, the most important first. The rows are best first."""
    primary = task.primary
    done = [row for row in task.rows if primary in row.scores]
    if primary is None or not done:
        return (f"No strategy finished on `{_bare(task.name)}`: there is nothing to compare.",)
    name = _Names(task.rows)
    tied = [row for row in done[1:] if row.tied_for_best]
    said = [
        _best(task, primary, done, tied, name),
        _baseline(task, done, name),
        _untrained(done[0], tied, name),
        _fastest(task, [done[0], *tied], name),
        _chance(task, primary, done),
        *_retention(done, name),
        _luck(done, name),
    ]
    return tuple(filter(None, said))


class _Names:
    """What a row is called: its strategy, and its model where there is more than one."""

    def __init__(self, rows: Sequence[StrategyResult]) -> None:
        self._several = len({row.model for row in rows}) > 1

    def __call__(self, row: StrategyResult) -> str:
        name = f"`{_bare(row.strategy)}`"
        return f"{name} with `{_bare(row.model)}`" if self._several else name

    def all(self, rows: Sequence[StrategyResult]) -> str:
        return listing([self(row) for row in rows])


def _best(
    task: TaskResult, primary: str, done: Sequence[StrategyResult], tied: Sequence[StrategyResult], name: _Names
) -> str:
    best, where = done[0], f"`{_bare(task.name)}`"
    result = f"{metric_title(primary)} {score(best.scores[primary])}"
    if len(done) == 1:
        return f"Only {name(best)} finished on {where} ({result}): there is nothing to compare it with."
    unknown = [row for row in done[1:] if row.tied_for_best is None]
    rest = f" {name.all(unknown)} answered other items and cannot be compared with it." if unknown else ""
    extreme = "highest" if task.higher_is_better else "lowest"
    if not tied:
        if len(unknown) == len(done) - 1:
            return f"{name(best)} is {extreme} on {where} ({result}).{rest}"
        return f"{name(best)} is best on {where}: {result}, clearly ahead of every other strategy.{rest}"
    if len(tied) == len(done) - 1:
        seen = min(row.to_best.detectable for row in tied if row.to_best)
        return (
            f"No clear difference on {where}: all {len(done)} strategies are tied, {name(best)} being {extreme} "
            f"({result}). With {count(best.scores[primary].n, 'item')}, differences below about {seen:.2f} go unseen."
        )
    return f"{name(best)} is {extreme} on {where} ({result}); tied with it: {name.all(tied)}.{rest}"


def _baseline(task: TaskResult, done: Sequence[StrategyResult], name: _Names) -> str:
    compared = [(row, row.to_baseline) for row in done if row.to_baseline]
    if not compared:
        return ""
    clear = [(row, found) for row, found in compared if _adjusted(found.p_holm, found.p) <= ALPHA]
    up = 1 if task.higher_is_better else -1
    better = [(row, found) for row, found in clear if found.value * up > 0]
    worse = [row for row, found in clear if found.value * up < 0]
    said = [f"{name(row)} {change(found)}" for row, found in better]
    text = f"Clearly better than `zero_shot`: {listing(said)}." if said else "None is clearly better than `zero_shot`."
    return f"{text} Clearly worse than `zero_shot`: {name.all(worse)}." if worse else text


def _untrained(best: StrategyResult, tied: Sequence[StrategyResult], name: _Names) -> str:
    free = [row for row in tied if not _trained(row)]
    if not _trained(best) or not free:
        return ""
    return f"{name.all(free)} {'needs' if len(free) == 1 else 'need'} no training and {_is(free)} among the tied."


def _fastest(task: TaskResult, group: Sequence[StrategyResult], name: _Names) -> str:
    timed = [(row.cost.total_s, row) for row in group if row.cost]
    if len(timed) < 2 or not task.speed_comparable:
        return ""
    least, most = min(timed, key=lambda pair: pair[0]), max(timed, key=lambda pair: pair[0])
    if most[0] < 1.5 * least[0]:
        return ""
    return (
        f"Of those tied, {name(least[1])} took the least time ({seconds(least[0])} against {seconds(most[0])} "
        f"for {name(most[1])})."
    )


def _chance(task: TaskResult, primary: str, done: Sequence[StrategyResult]) -> str:
    if task.chance is None or any(row.scores[primary].low > task.chance for row in done):
        return ""
    return f"No strategy is clearly above guessing ({task.chance:.2f})."


def _retention(done: Sequence[StrategyResult], name: _Names) -> list[str]:
    kept = [(row, found) for row in done for found in row.retention]
    adjusted = holm([found.change.p for _, found in kept])
    moved = [pair for pair, p in zip(kept, adjusted, strict=True) if p <= ALPHA]
    losses = [(row, found) for row, found in moved if _better_by(found) < 0]
    gains = [(row, found) for row, found in moved if _better_by(found) > 0]
    said = [f"{name(row)} {_LOSES[get(found.metric).concern]}: {_kept(found)}." for row, found in losses]
    said += [f"{name(row)} {_GAINS[get(found.metric).concern]}: {_kept(found)}." for row, found in gains]
    if kept and not losses:
        probes = listing([f"`{_bare(task)}`" for task in dict.fromkeys(found.task for _, found in kept)])
        return [f"No clear loss on {probes}, which nothing was trained on.", *said]
    return said


def _luck(done: Sequence[StrategyResult], name: _Names) -> str:
    single = [row for row in done if row.one_seed]
    if not single:
        return ""
    return (
        f"{name.all(single)} {_was(single)} trained with one seed{' each' if len(single) > 1 else ''}: "
        "how far another seed would move the score is not known."
    )


_LOSES = {"skill": "forgets", "bias": "becomes more biased"}
_GAINS = {"skill": "gains on what it was not trained on", "bias": "becomes less biased"}


def _better_by(found: Retention) -> float:
    """The change, positive where it is for the better."""
    return found.change.value if get(found.metric).higher_is_better else -found.change.value


def _kept(found: Retention) -> str:
    lower = "" if get(found.metric).higher_is_better else " (lower is better)"
    return f"`{_bare(found.task)}` {metric_title(found.metric)}{lower} {change(found.change)}"


def _trained(row: StrategyResult) -> bool:
    return bool(row.cost and row.cost.trained_parameters)


def _adjusted(p_holm: float | None, p: float) -> float:
    return p if p_holm is None else p_holm


def _is(rows: Sequence[StrategyResult]) -> str:
    return "is" if len(rows) == 1 else "are"


def _was(rows: Sequence[StrategyResult]) -> str:
    return "was" if len(rows) == 1 else "were"


def _bare(name: str) -> str:
    """A name that can stand between backticks."""
    return name.replace("`", "'")
