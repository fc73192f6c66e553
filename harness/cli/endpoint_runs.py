"""Journal and money of a run whose models are asked over HTTP: settled before anything is sent."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.compare.cost.prices import PriceTable
from harness.endpoints.external_wire import EXTERNAL
from harness.endpoints.providers import Destination, find_destination
from harness.endpoints.session import journal_path
from harness.errors import HarnessError
from harness.plan.config import RunConfig
from harness.records.planned_trial import EndpointSettings, PlannedTrial, TokenPrice

FOLDER = ".answers"
"""Folder of a results folder with the journals; no report reads it."""
DEFAULT_MAX_USD = 1.0
"""Limit of a run that asks a model outside this machine and the house."""


@dataclass(frozen=True)
class EndpointOptions:
    """Money of a run and whether it begins anew.

    Attributes:
        prices: of tokens among others.
        max_usd: most that the run may spend; ``none``: any; None: `DEFAULT_MAX_USD` where a model is elsewhere.
        fresh: whether what earlier sittings were answered is asked again.
    """

    prices: PriceTable
    max_usd: float | str | None = None
    fresh: bool = False

    @classmethod
    def of(cls, config: RunConfig, prices: PriceTable) -> EndpointOptions:
        """Take the options out of a run's configuration."""
        return cls(prices, config.max_usd, config.fresh)


def with_endpoints(trials: Sequence[PlannedTrial], options: EndpointOptions, results: Path) -> list[PlannedTrial]:
    """Return the trials, those that ask an endpoint with their journal, prices and limit.

    Args:
        trials: of the run.
        options: money.
        results: folder of the run's store.

    Raises:
        HarnessError: a model elsewhere has no price, and no limit was waived.
    """
    runnable = [planned for planned in trials if not planned.skip]
    destinations = {name: place for planned in runnable for name, place in _destinations(planned).items()}
    prices = {name: price for name in destinations if (price := _price(name, options.prices))}
    _refuse_unpriced((place for name, place in destinations.items() if name not in prices), options)
    ledger = f"spent-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"
    limit = _limit(destinations.values(), options)
    return [
        planned.model_copy(
            update={
                "endpoints": EndpointSettings(
                    folder=str(results.absolute() / FOLDER),
                    ledger=ledger,
                    max_usd=limit,
                    prices={name: prices[name] for name in names if name in prices},
                )
            }
        )
        if not planned.skip and ((names := _destinations(planned)) or planned.backend == EXTERNAL)
        else planned
        for planned in trials
    ]


def settings_for(reference: str, options: EndpointOptions, results: Path) -> EndpointSettings | None:
    """Return journal, prices and limit of one model that is asked outside a run; None: it is no endpoint.

    Raises:
        HarnessError: as `with_endpoints`.
    """
    destination = find_destination(reference)
    if destination is None:
        return None
    price = _price(reference, options.prices)
    _refuse_unpriced([] if price else [destination], options)
    return EndpointSettings(
        folder=str(results.absolute() / FOLDER),
        ledger=f"spent-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}",
        max_usd=_limit([destination], options),
        prices={reference: price} if price else {},
    )


def forget_answers(trials: Iterable[PlannedTrial]) -> None:
    """Delete the journals of trials that are to begin anew."""
    for planned in trials:
        if planned.endpoints:
            journal_path(Path(planned.endpoints.folder), planned.trial.key).unlink(missing_ok=True)


def delete_ledger(trials: Iterable[PlannedTrial]) -> None:
    """Delete the run's ledger once it has ended, and the folder if nothing is left in it."""
    settings = next((planned.endpoints for planned in trials if planned.endpoints), None)
    if settings:
        folder = Path(settings.folder)
        for file in folder.glob(f"{settings.ledger}*"):
            file.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()


def _destinations(planned: PlannedTrial) -> dict[str, Destination]:
    """Return the endpoints that a trial asks, by reference: its model and those of its steps."""
    references = [*([planned.model_reference] if planned.backend == "endpoint" else []), *planned.sources]
    destinations = {reference: find_destination(reference) for reference in references}
    return {reference: place for reference, place in destinations.items() if place}


def _price(reference: str, table: PriceTable) -> TokenPrice | None:
    read, written = table.tokens(reference, "in"), table.tokens(reference, "out")
    return TokenPrice(usd_in=read.usd, usd_out=written.usd) if read and written else None


def _refuse_unpriced(destinations: Iterable[Destination], options: EndpointOptions) -> None:
    names = [destination.name for destination in destinations if destination.away]
    if names and options.max_usd != "none":
        raise HarnessError(
            f"no price is known for {', '.join(map(repr, names))}, so that --max-usd cannot hold: give its prices by "
            "--prices FILE, or allow any cost by --max-usd none."
        )


def _limit(destinations: Iterable[Destination], options: EndpointOptions) -> float | None:
    if options.max_usd == "none":
        return None
    if options.max_usd is not None:
        return float(options.max_usd)
    return DEFAULT_MAX_USD if any(destination.away for destination in destinations) else None
