"""What a strategy costs in money: made once, used for every request, stored, and made again when facts change.

Every amount is a measured quantity times a price of a dated table (`harness.prices`); nothing is stored in a record, so
that another price needs no other run.
"""

from __future__ import annotations

from harness.records import Frozen


class Part(Frozen):
    """One amount: ``usd = quantity x price``.

    Attributes:
        what: what is paid for, e.g. ``training``.
        quantity: measured, in `unit`; low, high: its 95 % interval, None where it was measured once.
        unit: of the quantity, e.g. ``hours``.
        price_usd: of one unit; price: its name in the table.
    """

    what: str
    quantity: float
    low: float | None = None
    high: float | None = None
    unit: str
    price_usd: float
    price: str

    @property
    def usd(self) -> float:
        """The amount."""
        return self.quantity * self.price_usd


class Usage(Frozen):
    """What a system is to be used for.

    Attributes:
        requests_per_month: how many questions it answers.
        months: the horizon.
        updates_per_month: how often its facts change, so that it is made again; 0: never.
    """

    requests_per_month: float = 100_000
    months: float = 12
    updates_per_month: float = 0


class Money(Frozen):
    """What a strategy costs, by when it is paid; each part traces to a measurement and a price.

    Attributes:
        fixed: once: search, training, indexing, labels, engineering.
        per_request: for each question.
        per_month: as long as it is kept: storage.
        per_update: when facts change: what of `fixed` is paid again.
    """

    fixed: tuple[Part, ...] = ()
    per_request: tuple[Part, ...] = ()
    per_month: tuple[Part, ...] = ()
    per_update: tuple[Part, ...] = ()

    @property
    def fixed_usd(self) -> float:
        """Paid once."""
        return sum(part.usd for part in self.fixed)

    @property
    def per_1000_usd(self) -> float:
        """Paid for a thousand questions."""
        return 1000 * sum(part.usd for part in self.per_request)

    @property
    def monthly_usd(self) -> float:
        """Paid for a month of keeping it, whatever it is asked."""
        return sum(part.usd for part in self.per_month)

    @property
    def update_usd(self) -> float:
        """Paid when its facts change."""
        return sum(part.usd for part in self.per_update)

    def total_usd(self, usage: Usage) -> float:
        """Paid over the horizon, for everything."""
        monthly = self.monthly_usd + usage.requests_per_month * self.per_1000_usd / 1000
        return self.fixed_usd + usage.months * (monthly + usage.updates_per_month * self.update_usd)
