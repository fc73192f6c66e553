"""What is forecast of a run, for the terminal: cells of the plan's table, totals, and what will not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from harness.compare.prose.numbers import size, usd
from harness.measure.environment import environment, memory_bytes

if TYPE_CHECKING:
    from harness.compare.cost.pricing import Economics
    from harness.records.planned_trial import PlannedTrial


@dataclass(frozen=True)
class Rate:
    """What an hour of this machine costs, US dollars, and how that comes about."""

    usd: float
    said: str


def rate(economics: Economics) -> Rate | None:
    """Price an hour of this machine, as the entry that was asked for or by its cores; None where that has no price."""
    here = environment("plan")
    price = economics.prices.hardware(economics.hardware) if economics.hardware else economics.prices.named("vcpu")
    if here.gpu and not economics.hardware:
        return None
    units = here.cores if price.kind == "cpu" else 1
    return Rate(units * price.usd, f"{units} {price.name} of {price.usd:g} USD an hour each ({price.as_of})")


def foretold(one: PlannedTrial, hour: Rate | None = None) -> tuple[str, ...]:
    """Write the memory, the time and, with a rate, the US dollars that a trial is expected to take."""
    if one.forecast is None:
        return ("", "") if hour is None else ("", "", "")
    peak = one.forecast.host_peak_bytes
    found = "" if peak is None else size(peak), seconds(one.forecast.total_s)
    return found if hour is None else (*found, usd(one.forecast.total_s / 3600 * hour.usd))


def forecast_lines(waiting: Sequence[PlannedTrial], rate: Rate | None = None) -> Iterator[Text]:
    """Write the totals of what has yet to be run, and name each trial that needs more memory than there is.

    Args:
        waiting: trials that have yet to be run.
        rate: what an hour of this machine costs; None: no money is named.
    """
    known = [one for one in waiting if one.forecast]
    if not known:
        return
    total_s = sum(one.forecast.total_s for one in known if one.forecast)
    peak = max((one.forecast.host_peak_bytes or 0 for one in known if one.forecast), default=0)
    rest = "" if len(known) == len(waiting) else f" of {len(known)} of {len(waiting)} trials"
    there = memory_bytes()
    money = "" if rate is None else f", {usd(total_s / 3600 * rate.usd)} USD at {rate.said}"
    yield Text(
        f"\nForecast{rest}: {seconds(total_s)} in all{money}, at most {size(peak)} of {size(there)} at once. These are "
        "predictions without an interval; the report says how far they were off."
    )
    for one in known:
        needed = one.forecast.host_peak_bytes if one.forecast else None
        if needed and needed > there:
            what = f"{one.trial.label} on {one.trial.task} is expected to need {size(needed)}"
            yield Text(f"Warning: {what}, more than the {size(there)} there are.", style="yellow")


def seconds(value: float) -> str:
    """Write seconds for people: ``8 s``, ``3.4 min``, ``2.1 h``."""
    if value < 90:
        return f"{max(1, round(value))} s"
    return f"{value / 60:.1f} min" if value < 5400 else f"{value / 3600:.1f} h"
