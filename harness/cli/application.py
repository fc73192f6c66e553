"""The application: how its commands are listed, found and completed, and how much they print."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from harness.cli.option_groups import with_option_groups

PANELS = ("Measure", "Read results", "Release", "Deploy and export", "Look up", "Set up")
"""Headings of the list of commands, in their order."""
COMPLETION_VARIABLE = "_HARNESS_COMPLETE"
_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)
_VERBOSE: ContextVar[bool] = ContextVar("verbose", default=False)
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress; of a report the verdict only.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Reports with all details, errors with a traceback.")]


class CommandGroup(TyperGroup):
    """A group whose help lists the commands by task."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list, a section a panel; commands without a panel stand in one of their own."""
        del ctx
        panels: dict[str, list[tuple[str, Any]]] = {panel: [] for panel in PANELS}
        for name, command in self.commands.items():
            if not command.hidden:
                panels.setdefault(getattr(command, "rich_help_panel", None) or "Commands", []).append((name, command))
        widest = max(map(len, self.commands), default=0)
        for panel, listed in panels.items():
            if listed:
                with formatter.section(panel):
                    limit = formatter.width - 6 - widest
                    formatter.write_dl(
                        [(name.ljust(widest), command.get_short_help_str(limit)) for name, command in listed]
                    )


app = typer.Typer(
    name="harness",
    cls=CommandGroup,
    help="Compare ways of customising a language model on the same tasks.",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": str.lower},
)


def command(panel: str | None, name: str | None = None, group: typer.Typer = app) -> Callable[[Any], Any]:
    """Register a function as a command under a heading of the help.

    Its parameters that are option groups become their options (`with_option_groups`), and it takes ``-q`` and ``-v``.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        flat = _with_verbosity(with_option_groups(function))
        group.command(name, rich_help_panel=panel)(flat)
        return flat

    return register


def is_quiet() -> bool:
    """True where the command was called with ``-q``."""
    return _QUIET.get()


def is_verbose() -> bool:
    """True where the command was called with ``-v``."""
    return _VERBOSE.get()


def prepare_completion() -> None:
    """Let the shell be answered if it asks what could stand at the cursor."""
    if COMPLETION_VARIABLE in os.environ:
        import_module("typer.completion").completion_init()


def completion_script(shell: str) -> str:
    """Return the script that makes a shell complete ``harness``."""
    return import_module("typer.completion").get_completion_script(
        prog_name="harness", complete_var=COMPLETION_VARIABLE, shell=shell
    )


def _with_verbosity(function: Callable[..., None]) -> Callable[..., None]:
    """Add ``-q`` and ``-v`` to a command, for `is_quiet` and `is_verbose`."""

    @wraps(function)
    def call(*, quiet: bool, verbose: bool, **options: Any) -> None:
        _QUIET.set(quiet)
        _VERBOSE.set(verbose)
        function(**options)

    keyword, flags = inspect.Parameter.KEYWORD_ONLY, {"quiet": Quiet, "verbose": Verbose}
    added = [inspect.Parameter(name, keyword, default=False, annotation=flag) for name, flag in flags.items()]
    flat: Any = call
    flat.__signature__ = inspect.Signature([*inspect.signature(function).parameters.values(), *added])
    flat.__annotations__ = {name: parameter.annotation for name, parameter in flat.__signature__.parameters.items()}
    return call
