"""What things cost: a dated table in which every price says where it was read (`prices.toml`); users bring their own.

A price is never written into a record: money is measured quantities times prices, made anew for every report.
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
from harness.records.measurements import StoredModel

TABLE = Path(__file__).with_name("prices.toml")

Kind = Literal["gpu", "cpu", "machine", "tokens", "storage", "label", "work"]


class Price(StoredModel):
    """One price.

    Attributes:
        name: what it is called in the table, and by ``--hardware``.
        usd: of one `unit`, US dollars, at least 0.
        seller: whose price it is, and for what exactly.
        source: address of the page that it was read on; as_of: the day for which that page holds.
        matches: parts of the name that a GPU's driver, or a record's model, is called.
        direction: of tokens: read or written.
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

    def named(self, name: str) -> Price:
        """Return the price of that name.

        Raises:
            HarnessError: there is none.
        """
        found = next((price for price in self.prices if price.name == name), None)
        if found is None:
            raise unknown("price", name, [price.name for price in self.prices], hint="--prices FILE adds one.")
        return found

    def hardware(self, name: str) -> Price:
        """Return what an hour of named hardware costs: a GPU, a vCPU or a machine.

        Raises:
            HarnessError: there is no such hardware.
        """
        known = [price for price in self.prices if price.kind in ("gpu", "cpu", "machine")]
        found = next((price for price in known if price.name == name), None)
        if found is None:
            raise unknown("hardware", name, [price.name for price in known], hint="--prices FILE adds one.")
        return found

    def gpu(self, device: str) -> Price | None:
        """Return what an hour of a GPU costs, by the name that its driver gives; the longest match decides."""
        return self._matching("gpu", device)

    def tokens(self, model: str, direction: Literal["in", "out"]) -> Price | None:
        """Return what a million tokens of an endpoint's model cost; None: it is not sold by the token."""
        return self._matching("tokens", model, direction)

    def _matching(self, kind: Kind, text: str, direction: str | None = None) -> Price | None:
        found = [
            (len(part), price)
            for price in self.prices
            if price.kind == kind and price.direction == direction
            for part in price.matches
            if _holds(text, part)
        ]
        return max(found, key=lambda pair: pair[0])[1] if found else None


def load_prices(file: Path | None = None) -> PriceTable:
    """Read the table, with a user's own entries in place of those of the same name.

    Args:
        file: TOML in the layout of `prices.toml`; an entry of a known name needs only what differs, and says that its
            price is from this file unless it names another source.

    Raises:
        HarnessError: the file cannot be read, or an entry is wrong.
    """
    if file is None:
        return _own()
    entries = {price.name: price for price in _own().prices}
    for entry in _entries(file):
        name = str(entry.get("name", ""))
        base = entries[name].model_dump() | {"source": str(file), "as_of": date.today()} if name in entries else {}  # noqa: DTZ011 - a day, as the user's calendar has it
        entries[name] = _price({"source": str(file), "as_of": date.today()} | base | entry, file)  # noqa: DTZ011 - as above
    return PriceTable(prices=tuple(entries.values()))


def _holds(text: str, part: str) -> bool:
    """Tell whether a name has a part as whole words: an L40 is no L4."""
    return re.search(rf"(?<![a-z0-9]){re.escape(part)}(?![a-z0-9])", text, re.IGNORECASE) is not None


@cache
def _own() -> PriceTable:
    return PriceTable(prices=tuple(_price(entry, TABLE) for entry in _entries(TABLE)))


def _entries(file: Path) -> Iterable[dict[str, Any]]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
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
        where = f"price {entry.get('name', '?')!r} in {file}"
        raise HarnessError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
