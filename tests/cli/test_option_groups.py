"""Option groups: fields of a dataclass are options, in the order of the command's parameters."""

from dataclasses import dataclass
from typing import Annotated

import typer

from harness.cli.option_groups import with_option_groups


@dataclass(frozen=True)
class Limits:
    most: Annotated[int, typer.Option("--most", metavar="N")] = 3
    strict: Annotated[bool, typer.Option("--strict")] = False


def run(*arguments):
    """Call a command with a group between two options of its own; return what it was called with."""
    app, calls = typer.Typer(rich_markup_mode=None), []

    @app.command()
    @with_option_groups
    def check(
        name: Annotated[str, typer.Argument()],
        *,
        first: Annotated[str, typer.Option("--first")] = "a",
        limits: Limits,
        last: Annotated[str, typer.Option("--last")] = "z",
    ) -> None:
        """Check a name."""
        calls.append((name, first, limits, last))

    app(args=arguments, standalone_mode=False)
    return calls


def test_fields_of_a_group_are_options_with_their_defaults():
    assert run("x") == [("x", "a", Limits(), "z")]
    assert run("x", "--most", "5", "--strict", "--last", "y") == [("x", "a", Limits(5, strict=True), "y")]


def test_help_lists_options_of_a_group_where_its_parameter_stands(capsys):
    run("--help")
    text = capsys.readouterr().out
    assert "Check a name." in text
    positions = [text.index(flag) for flag in ("--first", "--most", "--strict", "--last")]
    assert positions == sorted(positions)
    assert "--limits" not in text
