"""Cost of a strategy in US dollars: fixed, per request, per month, and per update of its facts.

Every amount is a measured quantity times a price of a dated table (`harness.compare.cost.prices`). Records hold no
money, so that another price needs no other run. Bounds are the spread of runs in one sitting: of eight intervals of
three runs five missed the mean of another day's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from harness.compare.cost.prices import Price
from harness.errors import HarnessError
from harness.records.measurements import StoredModel

HOURS = {"h": 1.0, "d": 24.0, "w": 168.0, "m": 24 * 365.25 / 12}
"""Hours of each letter of an update interval; a month is 365.25 / 12 days."""
LABELS = "labels"
"""What the part of a fixed cost is called that people are paid for."""


class CostPart(StoredModel):
    """One amount: ``usd = quantity x price``.

    Attributes:
        what: is paid for, e.g. ``training``.
        quantity: measured, in `unit`; low, high: 95 % bounds of the mean by the spread of runs in one sitting (t), None
            where it was measured once.
        unit: of the quantity, e.g. ``vCPU-hour``.
        price_usd: of one unit; price: its name in the table.
        spreads: whether repeated measurements differ: hours do, numbers of labels do not.
    """

    what: str
    quantity: float
    low: float | None = None
    high: float | None = None
    unit: str
    price_usd: float
    price: str
    spreads: bool = True

    @property
    def usd(self) -> float:
        """The amount."""
        return self.quantity * self.price_usd

    @property
    def bounds_usd(self) -> tuple[float, float] | None:
        """By the spread of runs in one sitting; None where it was measured once."""
        if self.low is None or self.high is None:
            return None
        return self.low * self.price_usd, self.high * self.price_usd


class Usage(StoredModel):
    """Planned usage of a system.

    Attributes:
        requests_per_month: questions that it answers.
        months: the horizon.
        updates_per_month: how often its facts change, so that it is rebuilt; 0: never.
    """

    requests_per_month: float = 100_000
    months: float = 12
    updates_per_month: float = 0


class Money(StoredModel):
    """Cost of a strategy, by when it is paid; each part has a measurement and a price.

    Attributes:
        fixed: once: search, training, indexing, labels, engineering.
        per_request: for each question.
        per_month: storage.
        per_update: the parts of `fixed` that are paid again when facts change.
        usage: default of the totals.
        machine_usd_hour: price of an hour of the machine that it ran on; None where it is paid by the token.
    """

    fixed: tuple[CostPart, ...] = ()
    per_request: tuple[CostPart, ...] = ()
    per_month: tuple[CostPart, ...] = ()
    per_update: tuple[CostPart, ...] = ()
    usage: Usage = Usage()
    machine_usd_hour: float | None = None

    @property
    def fixed_usd(self) -> float:
        """Paid once."""
        return sum(part.usd for part in self.fixed)

    @property
    def per_1000_usd(self) -> float:
        """Paid for a thousand questions."""
        return 1000 * sum(part.usd for part in self.per_request)

    @property
    def per_1000_bounds_usd(self) -> tuple[float, float] | None:
        """Of `per_1000_usd`, by the spread of runs in one sitting; None where there is a single one."""
        return _bounds(self.per_request, 1000)

    @property
    def fixed_bounds_usd(self) -> tuple[float, float] | None:
        """Of `fixed_usd`, by the spread of runs in one sitting; None where there is a single one."""
        return _bounds(self.fixed, 1)

    @property
    def monthly_usd(self) -> float:
        """Paid for a month of storage."""
        return sum(part.usd for part in self.per_month)

    @property
    def update_usd(self) -> float:
        """Paid for an update of its facts."""
        return sum(part.usd for part in self.per_update)

    @property
    def labels_usd(self) -> float:
        """Paid once for the labels of training items: people, not machines."""
        return sum(part.usd for part in self.fixed if part.what == LABELS)

    def busy_month_usd(self) -> float:
        """Paid a month without labels, if a machine costs nothing while it is idle: a lower bound."""
        return self.monthly_bill_usd() - self.labels_usd / self.usage.months

    def always_on_month_usd(self) -> float | None:
        """Paid a month for as many machines as the volume keeps busy, at least one, that are never switched off.

        None where tokens are paid.
        """
        if not self.machine_usd_hour:
            return None
        month = self.machine_usd_hour * HOURS["m"]
        answering = self.usage.requests_per_month * self.per_1000_usd / 1000
        return month * max(1, math.ceil(answering / month)) + self.busy_month_usd() - answering

    def standing_usd(self, usage: Usage | None = None) -> float:
        """Paid over the horizon at any volume: fixed cost, storage and updates."""
        usage = usage or self.usage
        return self.fixed_usd + usage.months * (self.monthly_usd + usage.updates_per_month * self.update_usd)

    def total_usd(self, usage: Usage | None = None) -> float:
        """Paid over the horizon in total."""
        usage = usage or self.usage
        return self.standing_usd(usage) + usage.months * usage.requests_per_month * self.per_1000_usd / 1000

    def total_half_usd(self, usage: Usage | None = None) -> float | None:
        """Half of the bounds of `total_usd`; None where a part was timed once."""
        usage = usage or self.usage
        halves = [self.standing_half_usd(usage), half_usd(self.per_request, usage.months * usage.requests_per_month)]
        return combine_halves(halves)

    def standing_half_usd(self, usage: Usage) -> float | None:
        """Half of the bounds of `standing_usd`; parts that are paid per update count with their first time."""
        repeated = {part.what for part in self.per_update}
        times = 1 + usage.months * usage.updates_per_month
        return combine_halves([half_usd([part], times if part.what in repeated else 1) for part in self.fixed])

    def costs_less_than(self, other: Money, usage: Usage | None = None) -> bool:
        """Whether the total is lower by more than runs in one sitting differ; not from single timings."""
        usage = usage or self.usage
        half = combine_halves([self.total_half_usd(usage), other.total_half_usd(usage)])
        return half is not None and other.total_usd(usage) - self.total_usd(usage) > half

    def monthly_bill_usd(self, usage: Usage | None = None) -> float:
        """Paid a month: the total spread evenly over the horizon."""
        usage = usage or self.usage
        return self.total_usd(usage) / usage.months


def half_usd(parts: Sequence[CostPart], times: float) -> float | None:
    """Half of the bounds of a sum of parts, `times` over; None where one was timed once."""
    ends = [part.bounds_usd for part in parts if part.spreads]
    return combine_halves([None if end is None else times * (end[1] - end[0]) / 2 for end in ends])


def combine_halves(halves: Sequence[float | None]) -> float | None:
    """Add up half-widths of independent parts, in quadrature; None where one is unknown."""
    return None if None in halves else math.hypot(*[half for half in halves if half])


def make_usage(
    requests_per_month: float | None = None, months: float | None = None, update_every: str | None = None
) -> Usage:
    """Build the usage that a user names; None: the default of `Usage`.

    Args:
        requests_per_month: how many questions are answered.
        months: the horizon.
        update_every: how often facts change, e.g. ``"7d"`` (`updates_per_month`).

    Raises:
        HarnessError: the horizon is not positive, or the interval cannot be read.
    """
    if months is not None and months <= 0:
        raise HarnessError(f"--months {months:g}: a horizon is longer than 0 months.")
    fields = {
        "requests_per_month": requests_per_month,
        "months": months,
        "updates_per_month": updates_per_month(update_every),
    }
    return Usage(**{name: number for name, number in fields.items() if number is not None})


def updates_per_month(update_every: str | None) -> float | None:
    """Convert how often facts change, ``6h``, ``7d``, ``2w`` or ``3m``, to a rate a month of 365.25 / 12 days.

    Raises:
        HarnessError: the text is no such interval.
    """
    if update_every is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([hdwm])", update_every.strip().lower())
    hours = float(match[1]) * HOURS[match[2]] if match else 0
    if not hours:
        raise HarnessError(f"--update-every {update_every!r}: write a number with h, d, w or m, such as 7d.")
    return HOURS["m"] / hours


def _bounds(parts: Sequence[CostPart], times: float) -> tuple[float, float] | None:
    """Bound a sum of parts; counted quantities, such as labels, add no width."""
    half = half_usd(parts, 1)
    if half is None or not any(part.spreads for part in parts):
        return None
    total = sum(part.usd for part in parts)
    return times * max(0.0, total - half), times * (total + half)


class PricingAssumptions(StoredModel):
    """Assumptions behind the money of a comparison.

    Attributes:
        usage: of the totals.
        prices: those in use, with their sources.
        hardware: that every machine is priced as; None: each by its own.
        labels: whether the labels of training items are paid for.
        engineering_hours: of work, for each step that trains or makes an index.
    """

    usage: Usage = Usage()
    prices: tuple[Price, ...] = ()
    hardware: str | None = None
    labels: bool = True
    engineering_hours: float = 0
