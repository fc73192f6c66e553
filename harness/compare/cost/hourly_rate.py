"""Price of an hour of a machine, for the money in forecasts."""

from __future__ import annotations

from dataclasses import dataclass

from harness.compare.cost.pricing import Economics
from harness.records.record import Environment


@dataclass(frozen=True)
class HourlyRate:
    """Price of an hour of a machine, US dollars, and its computation in words."""

    usd: float
    explanation: str


def hourly_rate(machine: Environment, economics: Economics) -> HourlyRate | None:
    """Price an hour of a machine by ``--hardware``, or else by its cores; None: a GPU without ``--hardware``.

    Raises:
        HarnessError: ``--hardware`` is another machine: the forecast is of this one.
    """
    if machine.gpu and not economics.hardware:
        return None
    prices, name = economics.prices, economics.hardware
    price = prices.own_hardware(name, machine) if name else prices.price("vcpu")
    units = machine.cores if price.kind == "cpu" else 1
    return HourlyRate(units * price.usd, f"{units} {price.name} of {price.usd:g} USD an hour each ({price.as_of})")
