"""Strategies, suites, sources and plans, listed for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.render.text.escape import plain
from harness.render.text.priority_table import PriorityColumn, PriorityTable
from harness.render.text.tables import WIDE, TableColumn, indented, new_table

if TYPE_CHECKING:  # a list of strategies need not load what makes plans
    from harness.compare.cost.hourly_rate import HourlyRate
    from harness.data.sources import Source
    from harness.data.suite import Suite
    from harness.plan.discover import StrategyListing
    from harness.plan.planner import Plan, TaskPlan
    from harness.records.planned_trial import PlannedTrial


def strategies(listings: Sequence[StrategyListing]) -> Iterator[RenderableType]:
    """Show each strategy in a line."""
    table = _table("", "")
    for strategy in listings:
        table.add_row(Text(strategy.name, style="bold"), Text(strategy.summary or strategy.error or ""))
    yield table
    yield Text("Chain them with '+': 'rag(k=1)+lora(rank=16)'.", style="dim")
    yield Text("'harness strategies lora' shows what one needs, its paper and its parameters.", style="dim")


def strategy_details(listings: Sequence[StrategyListing]) -> Iterator[RenderableType]:
    """Show strategies with their requirements, papers and parameters."""
    for strategy in listings:
        yield Text.assemble((strategy.name, "bold"), "  ", strategy.summary)
        if strategy.error:
            yield _line(f"cannot be used: {strategy.error}", "red")
        if strategy.needs:
            yield _line(f"needs: {', '.join(strategy.needs)}", "dim")
        if strategy.paper:
            yield _line(strategy.paper, "dim")
        if strategy.parameters:
            table = _table("", "", "")
            for parameter in strategy.parameters:
                default = "(required)" if parameter.default is None else f"= {parameter.default}"
                table.add_row(Text(parameter.name), Text(default), Text(parameter.description))
            yield indented(table, 4)


def suites(loaded: Sequence[Suite], broken: Mapping[str, str]) -> Iterator[RenderableType]:
    """Show each suite with its tasks, and by name the errors of those that cannot be read."""
    for suite in loaded:
        yield Text.assemble((suite.name, "bold"), f"  version {suite.version}  ", suite.description)
        for task in suite.tasks:
            role = ", asked before and after only" if task.role == "probe" else ""
            yield _line(f"{task.name}: {task.kind}{role}; {', '.join(task.all_metrics)}")
        yield _line(f"strategies: {', '.join(suite.strategies)}", "dim")
    for name, error in broken.items():
        yield Text(name, style="bold")
        yield _line(f"cannot be used: {error}", "red")


def sources(archives: Sequence[tuple[Source, bool]]) -> Iterator[RenderableType]:
    """Show each pinned source, and whether it is in the cache."""
    table = _table("name", "use", "MB", "", "licence", header=True)
    for source, fetched in archives:
        absent = "optional" if source.optional else "not fetched"
        mark = Text("here", style="green") if fetched else Text(absent, style="dim")
        table.add_row(
            Text(source.name), Text(source.use), f"{source.total_bytes / 1e6:.0f}", mark, Text(source.licence)
        )
    yield table
    for source in (source for source, fetched in archives if not fetched):
        yield Text.assemble((f"{source.name}: ", "bold"), ", ".join(archive.filename for archive in source.archives))


def planned_trials(
    plan: Plan, pending: Sequence[PlannedTrial], rate: HourlyRate | None = None
) -> Iterator[RenderableType]:
    """Show the trials of a plan, those that are skipped and why, and the difference that the test sets can show.

    Args:
        plan: the whole plan.
        pending: those of its trials that have yet to be run.
        rate: price of an hour of this machine; None: no money is named.
    """
    from harness.render.plan.forecast_cells import forecast_lines  # noqa: PLC0415 - a list of strategies needs none of it

    yield _trial_table(plan, {planned.trial.key for planned in pending}, rate)
    for reason in dict.fromkeys(planned.skip for planned in plan.trials if planned.skip):
        labels = dict.fromkeys(planned.trial.label for planned in plan.trials if planned.skip == reason)
        yield Text(f"Skipped {', '.join(labels)}: {reason}", style="yellow")
    yield from forecast_lines(pending, rate)
    yield Text()
    for task in plan.tasks:
        sizes = ", ".join(f"{size:,} {name}" for name, size in task.sizes.items() if size)
        yield Text.assemble((task.name, "bold"), f" ({task.role}): {sizes}")
        yield _line(_detectable(task))
        yield from (_line(f"Warning: {warning}", "yellow") for warning in task.warnings)
    yield Text(f"\n{len(pending)} of {len(plan.trials)} trials of suite {plan.suite} version {plan.version} to run.")
    budget = next((planned.trial.budget for planned in plan.trials if planned.trial.budget), None)
    if budget:
        fixed = list(dict.fromkeys(planned.trial.strategy for planned in plan.trials if not planned.trial.budget))
        exceptions = f" There is nothing to search in {', '.join(fixed)}." if fixed else ""
        yield Text(f"Parameters are searched on the validation split with {budget} for each trial.{exceptions}")
    yield Text(
        "Smallest difference: between two strategies' shares of right answers, found in 80 % of runs at the 5 % level "
        "adjusted for all pairs of the planned strategies, if half the answers are right and two strategies' scores "
        "correlate by 0.5.",
        style="dim",
    )


def _detectable(task: TaskPlan) -> str:
    """Say what a test split shows, or that it is too small to compare."""
    from harness.compare.prose.numbers import count  # noqa: PLC0415 - as above
    from harness.metrics.statistical_power import too_few_items  # noqa: PLC0415

    items, difference = count(task.sizes["test"], "test item"), task.detectable_difference
    if too_few_items(difference, (0.0, 1.0)):
        return f"{items}: too few to compare strategies"
    return f"smallest difference that {items} show: {100 * difference:.1f} points"


def _trial_table(plan: Plan, pending_keys: AbstractSet[str], rate: HourlyRate | None) -> PriorityTable:
    """One row a trial; columns that say nothing are left out."""
    from harness.render.plan.forecast_cells import forecast_cells  # noqa: PLC0415 - as above

    trials = [planned.trial for planned in plan.trials]
    forecasts = list(zip(*[forecast_cells(planned, rate) for planned in plan.trials], strict=True))
    states = [
        "skipped" if planned.skip else "to run" if planned.trial.key in pending_keys else "finished"
        for planned in plan.trials
    ]
    columns = [
        PriorityColumn("task", [trial.task for trial in trials]),
        PriorityColumn("strategy", [plain(trial.label) for trial in trials]),
        PriorityColumn("", states),
    ]
    if len({trial.model for trial in trials}) > 1:
        columns.insert(2, PriorityColumn("model", [plain(trial.model) for trial in trials], 1))
    columns.insert(-1, PriorityColumn("seed", [str(trial.seed) for trial in trials], 4, right=True))
    if any(trial.train_items for trial in trials):
        sizes = [f"{trial.train_items:,}" if trial.train_items else "all" for trial in trials]
        columns.insert(-1, PriorityColumn("items", sizes, 3, right=True))
    if any(planned.forecast for planned in plan.trials):
        for (title, rank), cells in zip((("memory", 5), ("time", 2), ("USD", 6)), forecasts, strict=False):
            columns.insert(-1, PriorityColumn(title, cells, rank, right=True))
    styles = [{"skipped": "yellow", "finished": "dim"}.get(state, "") for state in states]
    return PriorityTable(columns, styles, remedy="A wider terminal or --format json shows them.", indent=0)


def _table(*titles: str, header: bool = False) -> Table:
    last = len(titles) - 1
    columns = [TableColumn(title, no_wrap=index != last, overflow="ellipsis") for index, title in enumerate(titles)]
    return new_table(columns, padding=WIDE, header=header)


def _line(text: str, style: str = "") -> Padding:
    return indented(Text(text, style=style))
