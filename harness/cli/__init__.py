"""The command ``harness``: argv becomes one call each. Nothing else in the project prints or exits.

Every command imports what it needs when it runs, so that ``harness --help`` loads no more than the parser.
"""

from __future__ import annotations

import os
import sys
import traceback
from io import TextIOWrapper
from typing import Annotated, Any

import typer

from harness.cli.application import app, is_verbose, prepare_completion
from harness.cli.common import echo
from harness.errors import HarnessError, first_line

from harness.cli import material  # isort: skip
from harness.cli import metric_catalogue  # isort: skip
from harness.cli import runs  # isort: skip
from harness.cli import score  # isort: skip
from harness.cli import reports  # isort: skip
from harness.cli import choosing  # isort: skip
from harness.cli import releases  # isort: skip
from harness.cli import repeating  # isort: skip
from harness.cli import drift  # isort: skip
from harness.cli import labelling  # isort: skip
from harness.cli import shipping  # isort: skip

__all__ = [
    "app",
    "choosing",
    "drift",
    "labelling",
    "main",
    "material",
    "metric_catalogue",
    "releases",
    "repeating",
    "reports",
    "runs",
    "score",
    "shipping",
]


HTTP_LIBRARIES = ("httpx2", "httpcore2", "httpx", "httpcore", "requests", "urllib3", "huggingface_hub")


def main() -> None:
    """Run the command line and exit.

    Codes: 0 done, 1 a trial failed or a gate says no, 2 the user can put it right, 3 a gate is inconclusive, 70 a bug,
    130 interrupted, 141 the reader of the output went away.
    """
    sys.exit(_main())


@app.callback(invoke_without_command=True)
def _harness(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        echo(f"adaptbench {installed('adaptbench')}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _main() -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # half a character of the user's data must not end a report
            stream.reconfigure(errors="backslashreplace")
    prepare_completion()
    try:
        code: Any = app(standalone_mode=False, prog_name="harness")
        sys.stdout.flush()
    except HarnessError as error:
        if is_verbose():
            echo("".join(traceback.format_exception(error)), err=True)
        return _complain(str(error))
    except typer.TyperException as error:
        return _complain(f"{error.format_message().rstrip('.')}. See 'harness --help'.")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more when it ends
        return 141
    except Exception as error:  # noqa: BLE001 - the last handler: whatever happens is one line
        return _complain(text) if (text := _cause(error)) else _report_bug(error)
    return code if isinstance(code, int) else 0


def _cause(error: Exception) -> str:
    """Name what the machine or the input lacks; empty: the error is a bug."""
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror or error}{where}."
    if type(error).__module__.partition(".")[0] in HTTP_LIBRARIES:  # a hub's library lets its client's errors through
        return f"the network request failed: {first_line(error).rstrip('.')}. Check the network, and run again."
    if isinstance(error, MemoryError):
        return "out of memory."
    return "the input is nested too deeply." if isinstance(error, RecursionError) else ""


def _report_bug(error: Exception) -> int:
    """Keep the traceback in a file and say so in one line."""
    import tempfile

    from harness.endpoints.keys import without_keys

    text = without_keys("".join(traceback.format_exception(error)))
    options: Any = {"prefix": "adaptbench-", "suffix": ".txt", "delete": False, "encoding": "utf-8"}
    try:
        with tempfile.NamedTemporaryFile("w", **options) as file:
            file.write(text.encode("utf-8", "backslashreplace").decode())
        report = f"Please report it with {file.name}"
    except OSError as unwritten:
        report = f"Please report it; its traceback could not be written ({unwritten.strerror or unwritten})"
    _complain(f"a bug in adaptbench: {type(error).__name__}: {error}. {report}.")
    return 70


def _complain(message: str) -> int:
    from harness.endpoints.keys import without_keys
    from harness.render.text.escape import plain

    typer.echo(f"error: {plain(without_keys(message))}", err=True)
    return 2
