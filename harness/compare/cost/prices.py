"""Price table, dated and with sources (`prices.toml`); users can add their own.

Records hold no prices: money is measured quantities times prices, computed anew for every report.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from harness.errors import HarnessError, unknown
from harness.measure.settings_file import read_settings
from harness.records.measurements import StoredModel
from harness.records.record import Environment

TABLE = Path(__file__).with_name("prices.toml")
_SNAPSHOT = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")
"""Date at the end of a model's name: the same model at the same price."""

Kind = Literal["gpu", "cpu", "machine", "tokens", "storage", "label", "work"]


class Price(StoredModel):
    """One price.

    Attributes:
        name: in the table, and of ``--hardware``.
        usd: of one `unit`, US dollars, at least 0.
        seller: whose price it is, and for what exactly.
        source: address of the page; as_of: day that the page is of.
        matches: parts of a GPU's name as its driver gives it or of a machine's processor; of tokens, whole references
            of models, e.g. ``openai:gpt-5-mini``, which hold for its dated snapshots too and for nothing else.
        direction: of tokens: input or output.
    """

    name: str = Field(min_length=1)
    kind: Kind
    usd: float = Field(ge=0)
    unit: str
    seller: str = ""
    source: str
    as_of: date
    matches: tuple[str, ...] = ()
    direction: Literal["in", "out"] | None = None


class PriceTable(StoredModel):
    """All prices, by name."""

    prices: tuple[Price, ...]

    def price(self, name: str) -> Price:
        """Return the price of that name.

        Raises:
            HarnessError: there is none.
        """
        price = next((price for price in self.prices if price.name == name), None)
        if price is None:
            raise unknown("price", name, [price.name for price in self.prices], hint="--prices FILE adds one.")
        return price

    def hardware(self, name: str) -> Price:
        """Return the hourly price of a GPU, a vCPU or a machine by its name in the table.

        Raises:
            HarnessError: there is no such hardware.
        """
        hardware = [price for price in self.prices if price.kind in ("gpu", "cpu", "machine")]
        price = next((price for price in hardware if price.name == name), None)
        if price is None:
            raise unknown("hardware", name, [price.name for price in hardware], hint="--prices FILE adds one.")
        return price

    def own_hardware(self, name: str, environment: Environment) -> Price:
        """Return the hourly price of an entry that a machine can be: another seller's, or another name of it.

        An entry without ``matches`` fits any GPU, or any machine without one, if it is of that kind.

        Raises:
            HarnessError: there is no such hardware, or the machine is another: its seconds are not that one's.
        """
        price, device = self.hardware(name), environment.gpu or environment.processor
        fits = (price.kind == "gpu") == bool(environment.gpu)
        if fits and (not price.matches or any(_has_words(device, part) for part in price.matches)):
            return price
        raise HarnessError(
            f"--hardware {name}: these seconds were measured on {device}, and are not those of {name}: run the suite "
            "there, or add the price of this machine by --prices FILE."
        )

    def gpu(self, device: str) -> Price | None:
        """Return the hourly price of a GPU by its driver's name; the longest match decides."""
        return self._matching("gpu", device)

    def tokens(self, model: str, direction: Literal["in", "out"]) -> Price | None:
        """Return the price of a million tokens of an endpoint's model; None: there is none.

        Args:
            model: its reference, ``PROVIDER:MODEL``, ``URL#MODEL`` or ``endpoint:NAME``.
            direction: read or written.
        """
        sold = [price for price in self.prices if price.kind == "tokens" and price.direction == direction]
        exact = (price for price in sold if model in price.matches)
        undated = _SNAPSHOT.sub("", model)
        return next(exact, next((price for price in sold if undated in price.matches), None))

    def _matching(self, kind: Kind, text: str) -> Price | None:
        matches = [
            (len(part), price)
            for price in self.prices
            if price.kind == kind
            for part in price.matches
            if _has_words(text, part)
        ]
        return max(matches, key=lambda match: match[0])[1] if matches else None


def load_prices(file: Path | None = None) -> PriceTable:
    """Read the table, with a user's entries in place of those of the same name.

    Args:
        file: TOML in the layout of `prices.toml`; an entry of a known name needs only the fields that differ, and its
            source is this file unless it names another.

    Raises:
        HarnessError: the file cannot be read, or an entry is wrong.
    """
    if file is None:
        return _load_default()
    entries = {price.name: price for price in _load_default().prices}
    for entry in _entries(file):
        name = str(entry.get("name", ""))
        base = entries[name].model_dump() | {"source": str(file), "as_of": date.today()} if name in entries else {}  # noqa: DTZ011 - a day, as the user's calendar has it
        entries[name] = _price({"source": str(file), "as_of": date.today()} | base | entry, file)  # noqa: DTZ011 - as above
    return PriceTable(prices=tuple(entries.values()))


def _has_words(text: str, part: str) -> bool:
    """Whether a name contains a part as whole words: an L40 is no L4."""
    return re.search(rf"(?<![a-z0-9]){re.escape(part)}(?![a-z0-9])", text, re.IGNORECASE) is not None


@cache
def _load_default() -> PriceTable:
    return PriceTable(prices=tuple(_price(entry, TABLE) for entry in _entries(TABLE)))


def _entries(file: Path) -> Iterable[dict[str, Any]]:
    try:
        table = tomllib.loads(read_settings(file))
    except (OSError, ValueError, RecursionError) as error:
        raise HarnessError(f"the prices in {file} cannot be read: {error}.") from error
    entries: Any = table.pop("price", None)
    if table or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise HarnessError(f"{file} must hold entries that begin with [[price]], and nothing else.")
    return entries


def _price(entry: dict[str, Any], file: Path) -> Price:
    try:
        return Price.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        location = f"price {entry.get('name', '?')!r} in {file}"
        raise HarnessError(f"{location}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
