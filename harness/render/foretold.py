"""What is forecast of a run, for the terminal: cells of the plan's table, totals, and what will not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from harness.compare.words import size
from harness.measure.environment import memory_bytes

if TYPE_CHECKING:
    from harness.planned import Planned


def foretold(one: Planned) -> tuple[str, str]:
    """Write the memory and the time that a trial is expected to take; an empty text where nothing is."""
    if one.forecast is None:
        return "", ""
    peak = one.forecast.host_peak_bytes
    return "" if peak is None else size(peak), seconds(one.forecast.total_s)


def forecast_lines(waiting: Sequence[Planned]) -> Iterator[Text]:
    """Write the totals of what has yet to be run, and name each trial that needs more memory than there is."""
    known = [one for one in waiting if one.forecast]
    if not known:
        return
    total_s = sum(one.forecast.total_s for one in known if one.forecast)
    peak = max((one.forecast.host_peak_bytes or 0 for one in known if one.forecast), default=0)
    rest = "" if len(known) == len(waiting) else f" of {len(known)} of {len(waiting)} trials"
    there = memory_bytes()
    yield Text(
        f"\nForecast{rest}: {seconds(total_s)} in all, at most {size(peak)} of {size(there)} at once. These are "
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
