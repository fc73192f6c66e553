"""What is there to choose from, and what a run would do: strategies, suites and plans for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:  # a list of strategies need not load what makes plans
    from harness.data.sources import Source
    from harness.data.suite import Suite
    from harness.plan.discover import StrategyListing
    from harness.plan.planner import Plan
    from harness.records.planned_trial import PlannedTrial
    from harness.render.plan.forecast_cells import Rate


def strategies(listed: Sequence[StrategyListing]) -> Iterator[RenderableType]:
    """Show each strategy in a line."""
    table = _table("", "")
    for one in listed:
        table.add_row(Text(one.name, style="bold"), Text(one.summary or one.error or ""))
    yield table
    yield Text("Chain them with '+': 'rag(k=1)+lora(rank=16)'.", style="dim")
    yield Text("'harness strategies lora' shows what one needs, its paper and its parameters.", style="dim")


def strategy_details(listed: Sequence[StrategyListing]) -> Iterator[RenderableType]:
    """Show strategies with what each needs and its parameters."""
    for one in listed:
        yield Text.assemble((one.name, "bold"), "  ", one.summary)
        if one.error:
            yield _indented(f"cannot be used: {one.error}", "red")
        if one.needs:
            yield _indented(f"needs: {', '.join(one.needs)}", "dim")
        if one.paper:
            yield _indented(one.paper, "dim")
        if one.parameters:
            table = _table("", "", "")
            for parameter in one.parameters:
                default = "(required)" if parameter.default is None else f"= {parameter.default}"
                table.add_row(Text(parameter.name), Text(default), Text(parameter.description))
            yield Padding(table, (0, 0, 0, 4), expand=False)


def suites(listed: Sequence[Suite], broken: Mapping[str, str]) -> Iterator[RenderableType]:
    """Show each suite with its tasks, and by name what is wrong with those that cannot be read."""
    for suite in listed:
        yield Text.assemble((suite.name, "bold"), f"  version {suite.version}  ", suite.description)
        for task in suite.tasks:
            role = ", asked before and after only" if task.role == "probe" else ""
            yield _indented(f"{task.name}: {task.kind}{role}; {', '.join(task.all_metrics)}", "")
        yield _indented(f"strategies: {', '.join(suite.strategies)}", "dim")
    for name, error in broken.items():
        yield Text(name, style="bold")
        yield _indented(f"cannot be used: {error}", "red")


def sources(listed: Sequence[tuple[Source, bool]]) -> Iterator[RenderableType]:
    """Show each pinned source, and whether it is in the cache."""
    table = _table("name", "use", "MB", "", "licence", header=True)
    for one, here in listed:
        mark = Text("here", style="green") if here else Text("not fetched", style="dim")
        table.add_row(Text(one.name), Text(one.use), f"{one.size_bytes / 1e6:.0f}", mark, Text(one.licence))
    yield table


def plan(planned: Plan, waiting: Sequence[PlannedTrial], hour: Rate | None = None) -> Iterator[RenderableType]:
    """Show what a run would do, what it would skip and why, and how much the test sets can tell.

    Args:
        planned: the whole plan.
        waiting: those of its trials that have yet to be run.
        hour: what an hour of this machine costs; None: no money is named.
    """
    from harness.render.plan.forecast_cells import forecast_lines, foretold  # noqa: PLC0415 - a list of strategies needs none of it

    left = {one.trial.key for one in waiting}
    sized = any(one.trial.train_items for one in planned.trials)
    foreseen = any(one.forecast for one in planned.trials)
    told = ("memory", "time", *(["USD"] if hour else [])) if foreseen else ()
    several = len({one.trial.model for one in planned.trials}) > 1
    titles = ("task", "strategy", *(["model"] if several else []), "seed", *(["items"] if sized else []), *told, "")
    table = _table(*titles, header=True)
    for one in planned.trials:
        why = "skipped" if foreseen else f"skipped: {one.skip}"  # with a forecast there is no room for the reason
        state = why if one.skip else ("to run" if one.trial.key in left else "finished")
        trial = one.trial
        style = "yellow" if one.skip else ("" if one.trial.key in left else "dim")
        items = [f"{trial.train_items:,}" if trial.train_items else "all"] if sized else []
        cells = (
            trial.task,
            trial.label,
            *([trial.model] if several else []),
            str(trial.seed),
            *items,
            *(foretold(one, hour) if foreseen else ()),
            state,
        )
        table.add_row(*map(Text, cells), style=style)
    yield table
    if foreseen:
        for reason in dict.fromkeys(one.skip for one in planned.trials if one.skip):
            labels = ", ".join(dict.fromkeys(one.trial.label for one in planned.trials if one.skip == reason))
            yield Text(f"skipped: {labels}: {reason}", style="yellow")
    yield from forecast_lines(waiting, hour)
    yield Text()
    for task in planned.tasks:
        sizes = ", ".join(f"{size:,} {name}" for name, size in task.sizes.items() if size)
        points = 100 * task.detectable_difference
        yield Text.assemble((task.name, "bold"), f" ({task.role}): {sizes}")
        yield _indented(f"smallest difference that {task.sizes['test']} test items show: {points:.1f} points", "")
        yield from (_indented(f"Warning: {warning}", "yellow") for warning in task.warnings)
    yield Text(
        f"\n{len(waiting)} of {len(planned.trials)} trials of suite {planned.suite} version {planned.version} to run."
    )
    budget = next((one.trial.budget for one in planned.trials if one.trial.budget), None)
    if budget:
        rest = list(dict.fromkeys(one.trial.strategy for one in planned.trials if not one.trial.budget))
        nothing = f" There is nothing to search in {', '.join(rest)}." if rest else ""
        yield Text(f"Parameters are searched on the validation split with {budget} for each trial.{nothing}")
    yield Text(
        "Smallest difference: between two strategies' shares of right answers, found in 80 % of runs at the 5 % level, "
        "if half the answers are right and the two strategies' scores correlate by 0.5.",
        style="dim",
    )


def _table(*titles: str, header: bool = False) -> Table:
    table = Table(*titles, box=box.SIMPLE_HEAD if header else None, show_header=header, show_edge=False, pad_edge=False)
    for column in table.columns[:-1]:
        column.no_wrap = True
    return table


def _indented(text: str, style: str) -> Padding:
    return Padding(Text(text, style=style), (0, 0, 0, 2), expand=False)
