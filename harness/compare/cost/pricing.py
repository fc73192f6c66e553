"""Pricing of measured seconds and tokens: fixed cost, serving, storage and updates of each strategy.

Time is paid by the second on the hardware that it was measured on, and on no other: seconds of one machine say nothing
of another's. Serving is paid at the rate at which items were answered in batches; an idle machine costs nothing. The
test items and the base model are common to all and left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from harness.api import ModelInfo
from harness.compare.cost.money import LABELS, CostPart, Money, PricingAssumptions, Usage
from harness.compare.cost.prices import Price, PriceTable, load_prices
from harness.compare.trials.groups import Group
from harness.compare.trials.traits import Traits
from harness.endpoints.providers import is_loopback
from harness.records.record import Completed

GB = 1e9
FIXED_PHASES = {"search": "searching parameters", "adapt": "preparing", "index": "indexing", "calibrate": "calibrating"}
"""Phases that are paid once, with the names of their costs; `adapt` is training where weights took a gradient."""


@dataclass(frozen=True)
class Economics:
    """Pricing of measurements.

    Attributes:
        prices: the table.
        hardware: name of the entry that these machines are; None: each by its GPU's name, else by vCPU-hours.
        usage: of the totals.
        labels: whether labels of training items are paid for.
        engineering_hours: of work for each strategy that trains or makes an index.
    """

    prices: PriceTable = field(default_factory=load_prices)
    hardware: str | None = None
    usage: Usage = field(default_factory=Usage)
    labels: bool = True
    engineering_hours: float = 0

    def assumptions(self, moneys: Iterable[Money | None]) -> PricingAssumptions:
        """Return the assumptions behind amounts: the entries used, the volume and the horizon."""
        used = {part.price for money in moneys if money for part in _parts(money)}
        return PricingAssumptions(
            usage=self.usage,
            prices=tuple(price for price in self.prices.prices if price.name in used),
            hardware=self.hardware,
            labels=self.labels,
            engineering_hours=self.engineering_hours,
        )


def make_economics(
    usage: Usage | None = None,
    *,
    prices: Path | None = None,
    hardware: str | None = None,
    labels: bool = True,
    engineering_hours: float = 0,
) -> Economics:
    """Build the pricing that a user names; it is checked before results are read.

    Args:
        usage: of the totals (`make_usage`); None: the default.
        prices: a file with entries in place of the table's.
        hardware: name of the entry that these machines are.
        labels: whether labels of training items are paid for.
        engineering_hours: of work for each strategy that trains or makes an index.

    Raises:
        HarnessError: a file, a name or a number is wrong.
    """
    table = load_prices(prices)
    if hardware:
        table.hardware(hardware)
    return Economics(
        prices=table,
        hardware=hardware,
        usage=usage or Usage(),
        labels=labels,
        engineering_hours=engineering_hours,
    )


def price_strategy(group: Group, traits: Traits, economics: Economics) -> Money | None:
    """Price one strategy; None where the hardware that it ran on, or a model elsewhere, has no price.

    Args:
        group: its seeds, at least one finished. Quantities are means over seeds, with t bounds from two on.
        traits: of the strategy.
        economics: the prices.

    Raises:
        HarnessError: `economics.hardware` is another machine than the seconds were measured on.
    """
    records = group.records
    rates = [_rate(record, economics) for record in records]
    if not all(rates) or not _is_priced(records[0].model, economics.prices):
        return None
    hours = _Hours(records, [rate for rate in rates if rate])
    table = economics.prices
    by_phase = {phase: part for phase in FIXED_PHASES if (part := hours.part(_cost_name(phase, traits), phase))}
    fixed = [*by_phase.values()]
    if economics.labels and (labels := _count_labels(records, traits)):
        fixed.append(_counted_part(table.price("label"), LABELS, labels))
    if economics.engineering_hours and (traits.changes_weights or traits.searches_corpus):
        fixed.append(_counted_part(table.price("engineering"), "engineering", economics.engineering_hours))
    stored_gb = [record.adapted_bytes / GB for record in records if record.adapted_bytes]
    return Money(
        fixed=tuple(fixed),
        per_request=_serving_parts(group, hours, table),
        per_month=(_counted_part(table.price("storage"), "storage", max(stored_gb)),) if stored_gb else (),
        per_update=_update_parts(by_phase, traits),
        usage=economics.usage,
        machine_usd_hour=None if _token_prices(records[0].model, table) else hours.machine_usd_hour,
    )


def _count_labels(records: Sequence[Completed], traits: Traits) -> int:
    """Count the items that people had to collect and label: for training, to stop or search by, and to calibrate with.

    Validation items that decided when training stopped or which parameters were chosen are labels too, and so are the
    inputs that labels' scores were calibrated on; an item that serves twice counts once.
    """
    return max(_labels_of(record, traits) for record in records)


def _labels_of(record: Completed, traits: Traits) -> int:
    task = record.tasks[0]
    logged = {name for point in record.curves for name in point}
    validated = record.search is not None or any(name.startswith("validation_") for name in logged)
    training, validation = traits.labels or 0, task.sizes.get("validation", 0) if validated else 0
    if task.calibration and task.calibration.default:
        training = max(training, task.calibration.share_labels)
        if task.calibration.source == "validation":
            validation = max(validation, task.calibration.inputs)
    return training + validation


def _cost_name(phase: str, traits: Traits) -> str:
    return "training" if phase == "adapt" and traits.changes_weights else FIXED_PHASES[phase]


def _update_parts(by_phase: Mapping[str, CostPart], traits: Traits) -> tuple[CostPart, ...]:
    """Select the costs of an update of facts: indexing where answers come from an index, else all but the search.

    Labels of changed facts are not counted. An index can be replaced without changing the model: Lewis et al. 2020
    (arXiv:2005.11401), section 4.5.
    """
    if traits.searches_corpus and "index" in by_phase:
        return (by_phase["index"],)
    return tuple(part for phase, part in by_phase.items() if phase != "search")


def _serving_parts(group: Group, hours: _Hours, table: PriceTable) -> tuple[CostPart, ...]:
    """Price one question: by the token if its model is sold so, else by its share of the seconds of a batch."""
    counts = {record.trial.seed: len(group.items.get(record.trial.seed, ())) for record in group.records}
    if prices := _token_prices(group.records[0].model, table):
        input_price, output_price = prices
        spans = [
            (span, counts[record.trial.seed])
            for record in group.records
            for span in record.spans
            if span.phase == "predict"
        ]
        input_millions = [(span.tokens_in or 0) / count / 1e6 for span, count in spans if count]
        output_millions = [(span.tokens_out or 0) / count / 1e6 for span, count in spans if count]
        if not input_millions or any(span.tokens_in is None for span, _ in spans):
            return ()  # unknown tokens are not free
        return (
            _mean_part(input_price, "tokens read", input_millions, timed=False),
            _mean_part(output_price, "tokens written", output_millions, timed=False),
        )
    part = hours.part("answering", "predict", lambda record: counts[record.trial.seed])
    return (part,) if part else ()


def _token_prices(model: ModelInfo, table: PriceTable) -> tuple[Price, Price] | None:
    """Return the prices of tokens read and written; None: the model is not sold by the token."""
    if model.endpoint is None:
        return None
    read, written = table.tokens(model.name, "in"), table.tokens(model.name, "out")
    return (read, written) if read and written else None


def _is_priced(model: ModelInfo, table: PriceTable) -> bool:
    """Whether a question has a price: the seconds that a model elsewhere takes are not paid by this machine's hour."""
    elsewhere = model.endpoint is not None and not is_loopback(model.endpoint.host)
    return not elsewhere or _token_prices(model, table) is not None


class _Rate(NamedTuple):
    """Hourly price of one unit of hardware, and the number of units that a trial ran on."""

    price: Price
    units: float


@dataclass(frozen=True)
class _Hours:
    """Hours of each seed on its hardware."""

    records: Sequence[Completed]
    rates: Sequence[_Rate]

    @property
    def machine_usd_hour(self) -> float:
        """Price of an hour of the first seed's machine."""
        return self.rates[0].price.usd * self.rates[0].units

    def part(self, name: str, phase: str, count: Callable[[Completed], int] | None = None) -> CostPart | None:
        """Price a phase, or with a `count` of items its share of one item; None where no seed has the phase."""
        hours: list[float] = []
        first = self.rates[0].price
        for record, rate in zip(self.records, self.rates, strict=True):
            spans = [span.wall_s for span in record.spans if span.phase == phase]
            divisor = count(record) if count else 1
            if spans and divisor:
                # hours on other hardware count as hours of equal cost on the first seed's
                exchange = 1.0 if rate.price == first or not first.usd else rate.price.usd / first.usd
                hours.append(sum(spans) / divisor / 3600 * rate.units * exchange)
        return _mean_part(first, name, hours) if hours else None


def _rate(record: Completed, economics: Economics) -> _Rate | None:
    """Return the rate of the hardware that a trial ran on; None where it has no price."""
    environment = record.environment
    if economics.hardware:
        price = economics.prices.own_hardware(economics.hardware, environment)
    elif environment.gpu:
        price = economics.prices.gpu(environment.gpu)
    else:
        price = economics.prices.price("vcpu")
    return None if price is None else _Rate(price, environment.cores if price.kind == "cpu" else 1)


def _mean_part(price: Price, name: str, quantities: Sequence[float], *, timed: bool = True) -> CostPart:
    """Price the mean of a quantity over seeds, with t bounds from two on; tokens that were counted once need none."""
    mean = sum(quantities) / len(quantities)
    low = high = None
    if len(quantities) > 1:
        from harness.compare.stats.intervals import t_multiplier  # noqa: PLC0415 - scipy is only needed here

        sd = math.sqrt(sum((quantity - mean) ** 2 for quantity in quantities) / (len(quantities) - 1))
        half = t_multiplier(len(quantities) - 1) * sd / math.sqrt(len(quantities))
        low, high = max(0.0, mean - half), mean + half
    return CostPart(
        what=name,
        quantity=mean,
        low=low,
        high=high,
        unit=price.unit,
        price_usd=price.usd,
        price=price.name,
        spreads=timed or len(quantities) > 1,
    )


def _counted_part(price: Price, name: str, quantity: float) -> CostPart:
    """Price a quantity that is counted, not timed."""
    return CostPart(what=name, quantity=quantity, unit=price.unit, price_usd=price.usd, price=price.name, spreads=False)


def _parts(money: Money) -> tuple[CostPart, ...]:
    return (*money.fixed, *money.per_request, *money.per_month, *money.per_update)
