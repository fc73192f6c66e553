"""Call a command in this process with a limit of time, and say what is wrong with how it ended."""

import contextlib
import io
import signal
import sys
from functools import cache
from pathlib import Path
from unittest.mock import patch

import typer

from harness import cli

LIMIT_S = 30
EXIT_CODES = {0, 1, 2, 3}


class TooLongError(BaseException):
    """A command took longer than `LIMIT_S`; no handler of `Exception` takes it for an error of its own."""


@cache
def parser():
    """Return the command line's parser, built once: building it takes as long as a command."""
    return typer.main.get_command(cli.app)


def call(*arguments):
    """Call the command line: (exit code, stdout, stderr).

    Raises:
        TooLongError: it hangs.
    """

    def stop(signum, frame):
        raise TooLongError

    out, err = io.StringIO(), io.StringIO()
    argv, sys.argv = sys.argv, ["harness", *map(str, arguments)]
    handler = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_S)
    try:
        with patch.object(cli, "app", parser()), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli._main()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
        sys.argv = argv
    return code, out.getvalue(), err.getvalue()


def fault(arguments):
    """Call a command; return the kind of its fault and what was printed, or two empty texts: it ended as documented.

    Kinds: traceback, hang, and lines: an error that is not one line.
    """
    try:
        code, out, err = call(*arguments)
    except TooLongError:
        return "hang", f"more than {LIMIT_S} s"
    except BaseException as error:  # noqa: BLE001 - whatever leaves the last handler is a fault
        return "traceback", repr(error)
    if code not in EXIT_CODES or "Traceback" in out + err:
        report = Path(err.rstrip().rpartition(" ")[2].rstrip("."))
        return "traceback", err[-1500:] + (report.read_text() if report.is_file() else "")
    if code == 2:
        lines = err.strip().splitlines()
        if not lines or not lines[-1].startswith("error: ") or sum(line.startswith("error: ") for line in lines) != 1:
            return "lines", err[-1500:]
    return "", ""
