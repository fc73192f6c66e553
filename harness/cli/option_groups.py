"""Groups of options: a frozen dataclass whose fields are the options, for commands that share them or have many."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from harness.compare.cost.pricing import Economics


def with_option_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take option groups: each field of one becomes an option where its parameter stands.

    A command then is, for example,

        @app.command()
        @with_option_groups
        def report(suite: SuiteName = None, *, prices: PricingOptions) -> None: ...

    and ``harness report mine --volume 2e5`` calls it with ``prices=PricingOptions(volume=2e5)``.
    """
    annotations = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: group for name, group in annotations.items() if is_dataclass(group)}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name in groups:
            parameters += _options(groups[parameter.name])
        else:
            parameters.append(parameter.replace(annotation=annotations[parameter.name]))

    @wraps(command)
    def call(**options: Any) -> None:
        for name, group in groups.items():
            options[name] = group(**{field.name: options.pop(field.name) for field in fields(group)})
        command(**options)

    flat: Any = call
    flat.__signature__ = inspect.Signature(parameters)
    flat.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def _options(group: Any) -> list[inspect.Parameter]:
    annotations = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=annotations[field.name],
        )
        for field in fields(group)
    ]


@dataclass(frozen=True)
class ReportOptions:
    """Contents of a report in the terminal."""

    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="A,B,...", help="Columns of the tables [default: as many as fit]."),
    ] = None
    legend: Annotated[bool, typer.Option("--legend", help="Explain marks and columns below the report.")] = False


@dataclass(frozen=True)
class PricingOptions:
    """Usage and prices of the costs."""

    volume: Annotated[
        float | None, typer.Option("--volume", metavar="N", min=0, help="Requests per month [default: 100000].")
    ] = None
    months: Annotated[
        float | None, typer.Option("--months", metavar="N", help="Cost horizon in months [default: 12].")
    ] = None
    update_every: Annotated[
        str | None,
        typer.Option(
            "--update-every", metavar="7d", help="Interval at which facts change: h, d, w or m [default: never]."
        ),
    ] = None
    prices: Annotated[
        Path | None,
        typer.Option("--prices", metavar="FILE", help="TOML file with your own prices; names as in the price table."),
    ] = None
    hardware: Annotated[
        str | None, typer.Option("--hardware", metavar="NAME", help="Entry of the price table for this machine.")
    ] = None
    no_labels: Annotated[bool, typer.Option("--no-labels", help="Exclude the cost of labelling training items.")] = (
        False
    )
    engineering_hours: Annotated[
        float,
        typer.Option(
            "--engineering-hours", metavar="H", min=0, help="Engineering hours per strategy that trains or indexes."
        ),
    ] = 0

    def economics(self) -> Economics:
        """Read the prices and put them together with the usage.

        Raises:
            HarnessError: the prices cannot be read, the hardware is not in them, or an interval is no such thing.
        """
        from harness.compare.cost.money import make_usage
        from harness.compare.cost.pricing import make_economics

        return make_economics(
            make_usage(self.volume, self.months, self.update_every),
            prices=self.prices,
            hardware=self.hardware,
            labels=not self.no_labels,
            engineering_hours=self.engineering_hours,
        )
