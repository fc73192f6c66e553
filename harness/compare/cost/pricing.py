"""From measured seconds and tokens to money: what each strategy costs to make, use, keep and make again.

Time is paid by the second on the hardware that it was measured on; serving at the rate at which items were answered in
batches, so that an idle machine costs nothing. The test items and the unchanged model are common to all and left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.compare.cost.money import CostPart, Money, PricingAssumptions, Usage, updates_per_month
from harness.compare.cost.prices import Price, PriceTable, load_prices
from harness.compare.trials.groups import Group
from harness.compare.trials.traits import Traits
from harness.errors import HarnessError
from harness.records.record import Completed

GB = 1e9
MADE = {"search": "searching parameters", "adapt": "preparing", "index": "indexing"}
"""Phases that are paid once; `adapt` is called training where weights took a gradient."""


@dataclass(frozen=True)
class Economics:
    """How measurements are priced.

    Attributes:
        prices: the table.
        hardware: name of the entry that every machine is priced as; None: each by its GPU's name, else by vCPU-hours.
        usage: what totals are for.
        labels: whether labels of training items are paid for.
        engineering_hours: of work for each strategy that trains or makes an index.
    """

    prices: PriceTable = field(default_factory=load_prices)
    hardware: str | None = None
    usage: Usage = field(default_factory=Usage)
    labels: bool = True
    engineering_hours: float = 0

    def assumed(self, moneys: Iterable[Money | None]) -> PricingAssumptions:
        """Return what these prices rest on: the entries used, the volume and the horizon."""
        used = {part.price for money in moneys if money for part in _parts(money)}
        return PricingAssumptions(
            usage=self.usage,
            prices=tuple(price for price in self.prices.prices if price.name in used),
            hardware=self.hardware,
            labels=self.labels,
            engineering_hours=self.engineering_hours,
        )


def make_economics(
    usage: tuple[float | None, float | None, str | None] = (None, None, None),
    *,
    prices: Path | None = None,
    hardware: str | None = None,
    labels: bool = True,
    engineering_hours: float = 0,
) -> Economics:
    """Build the pricing that a user asks for, checked before anything is read.

    Args:
        usage: requests a month, months, and how often facts change, e.g. ``"7d"``; None: the default of each.
        prices: a file with entries in place of the table's.
        hardware: name of the entry that every machine is priced as.
        labels: whether labels of training items are paid for.
        engineering_hours: of work for each strategy that trains or makes an index.

    Raises:
        HarnessError: a file, a name or a number is wrong.
    """
    volume, months, every = usage
    if months is not None and months <= 0:
        raise HarnessError(f"--months {months:g}: a horizon is longer than 0 months.")
    given = {"requests_per_month": volume, "months": months, "updates_per_month": updates_per_month(every)}
    table = load_prices(prices)
    if hardware:
        table.hardware(hardware)
    return Economics(
        prices=table,
        hardware=hardware,
        usage=Usage(**{name: value for name, value in given.items() if value is not None}),
        labels=labels,
        engineering_hours=engineering_hours,
    )


def money_of(group: Group, traits: Traits, economics: Economics) -> Money | None:
    """Price one strategy; None where the hardware that it ran on has no price.

    Args:
        group: its seeds, at least one finished. Quantities are means over seeds, with a t interval from two on.
        traits: what it does.
        economics: how it is priced.
    """
    records = group.records
    rates = [_rate(record, economics) for record in records]
    if not all(rates):
        return None
    hours = _Hours(records, [rate for rate in rates if rate])
    table = economics.prices
    made = {name: part for name in MADE if (part := hours.part(_made(name, traits), name))}
    fixed = [*made.values()]
    if economics.labels and traits.labels:
        fixed.append(_counted(table.named("label"), "labels", traits.labels))
    if economics.engineering_hours and (traits.changes_weights or traits.searches_corpus):
        fixed.append(_counted(table.named("engineering"), "engineering", economics.engineering_hours))
    stored = [record.adapted_bytes / GB for record in records if record.adapted_bytes]
    return Money(
        fixed=tuple(fixed),
        per_request=_serving(group, hours, table),
        per_month=(_counted(table.named("storage"), "storage", max(stored)),) if stored else (),
        per_update=_again(made, traits),
        usage=economics.usage,
    )


def _made(phase: str, traits: Traits) -> str:
    return "training" if phase == "adapt" and traits.changes_weights else MADE[phase]


def _again(made: Mapping[str, CostPart], traits: Traits) -> tuple[CostPart, ...]:
    """Choose what is made again when facts change: the index where answers come from one, else all that was learned.

    Parameters are not searched again, and labels of changed facts are not counted. That an index can be exchanged under
    a model as it is: Lewis et al. 2020 (arXiv:2005.11401), section 4.5.
    """
    if traits.searches_corpus and "index" in made:
        return (made["index"],)
    return tuple(part for name, part in made.items() if name != "search")


def _serving(group: Group, hours: _Hours, table: PriceTable) -> tuple[CostPart, ...]:
    """Price one question: by the token where its model is sold so, else by the seconds that one took in a batch."""
    asked = {record.trial.seed: len(group.items.get(record.trial.seed, ())) for record in group.records}
    model = group.records[0].model.name
    sold = table.tokens(model, "in"), table.tokens(model, "out")
    if sold[0] and sold[1]:
        spans = [
            (span, asked[record.trial.seed])
            for record in group.records
            for span in record.spans
            if span.phase == "predict"
        ]
        read = [(span.tokens_in or 0) / items / 1e6 for span, items in spans if items]
        written = [(span.tokens_out or 0) / items / 1e6 for span, items in spans if items]
        return (_of(sold[0], "tokens read", read), _of(sold[1], "tokens written", written)) if read else ()
    part = hours.part("answering", "predict", lambda record: asked[record.trial.seed])
    return (part,) if part else ()


@dataclass(frozen=True)
class _Hours:
    """Hours of the hardware that each seed ran on: (price, units of it)."""

    records: Sequence[Completed]
    rates: Sequence[tuple[Price, float]]

    def part(self, what: str, phase: str, per: Callable[[Completed], int] | None = None) -> CostPart | None:
        """Price a phase, or its share of one item; None where no seed has it."""
        taken: list[float] = []
        first = self.rates[0][0]
        for record, (price, units) in zip(self.records, self.rates, strict=True):
            spans = [span.wall_s for span in record.spans if span.phase == phase]
            items = per(record) if per else 1
            if spans and items:
                # seeds that ran on other hardware count as so many hours of the first one's as cost the same
                worth = 1.0 if price == first or not first.usd else price.usd / first.usd
                taken.append(sum(spans) / items / 3600 * units * worth)
        return _of(first, what, taken) if taken else None


def _rate(record: Completed, economics: Economics) -> tuple[Price, float] | None:
    """Return the hourly price of the hardware that a trial ran on, and how many units of it that is."""
    there = record.environment
    if economics.hardware:
        price = economics.prices.hardware(economics.hardware)
    elif there.gpu:
        price = economics.prices.gpu(there.gpu)
    else:
        price = economics.prices.named("vcpu")
    return None if price is None else (price, there.cores if price.kind == "cpu" else 1)


def _of(price: Price, what: str, quantities: Sequence[float]) -> CostPart:
    """Make a part of the quantities that several seeds took: their mean, with a t interval from two on."""
    mean = sum(quantities) / len(quantities)
    low = high = None
    if len(quantities) > 1:
        from harness.compare.stats.intervals import t_multiplier  # noqa: PLC0415 - scipy is only needed here

        sd = math.sqrt(sum((one - mean) ** 2 for one in quantities) / (len(quantities) - 1))
        half = t_multiplier(len(quantities) - 1) * sd / math.sqrt(len(quantities))
        low, high = max(0.0, mean - half), mean + half
    return CostPart(
        what=what, quantity=mean, low=low, high=high, unit=price.unit, price_usd=price.usd, price=price.name
    )


def _counted(price: Price, what: str, quantity: float) -> CostPart:
    """Make a part of what is counted, not timed."""
    return CostPart(what=what, quantity=quantity, unit=price.unit, price_usd=price.usd, price=price.name, spreads=False)


def _parts(money: Money) -> tuple[CostPart, ...]:
    return (*money.fixed, *money.per_request, *money.per_month, *money.per_update)
