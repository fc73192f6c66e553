"""Child processes that run no file of the working folder as code: not its ``random.py``, ``pip.py`` or git monitors."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

import psutil

from harness.errors import HarnessError

SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""Environment of a Python child: the working folder is no place to import from (as with ``python -P``)."""
_GIT = ("git", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "--no-pager")
_GIT_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}


def run_python(
    module: str,
    arguments: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a module of this interpreter, with its output as text.

    Args:
        module: as in ``python -m``.
        arguments: of the module.
        environment: variables besides those of this process.
        timeout_s: seconds after which it is killed, with all processes that it has started.

    Raises:
        subprocess.TimeoutExpired: it took longer.
    """
    command = [sys.executable, "-P", "-m", module, *map(str, arguments)]
    with subprocess.Popen(
        command,
        env={**os.environ, **(environment or {}), **SAFE_PATH},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=timeout_s)
        except BaseException:  # the user's interruption too: a fork server and its children would go on
            kill_tree(process.pid)
            raise
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def run_harness(
    python: str, arguments: Sequence[str | Path], *, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run the command line of the harness that an interpreter has, another release's too, with its output as text.

    Args:
        python: path of the interpreter.
        arguments: of the command line.
        environment: variables besides those of this process, of which another interpreter gets none that steers this.

    Raises:
        HarnessError: there is no such interpreter.
    """
    steering = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"} if python != sys.executable else set[str]()
    variables = {name: setting for name, setting in os.environ.items() if name not in steering}
    try:
        return subprocess.run(
            [python, "-P", "-c", "from harness.cli import main; main()", *map(str, arguments)],
            env={**variables, **environment, **SAFE_PATH},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise HarnessError(f"{python} cannot be run ({error.strerror or error}): name a Python interpreter.") from error


def kill_tree(pid: int) -> None:
    """End a process and all that it has started."""
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for child in [*parent.children(recursive=True), parent]:
            with suppress(psutil.NoSuchProcess):
                child.kill()


@contextmanager
def safe_path() -> Generator[None]:
    """Let Python processes that start within the ``with`` block import nothing from the working folder.

    Nor do those of `multiprocessing` run the main module again: a script that has no ``if __name__ == "__main__"`` may
    start trials.
    """
    before = {name: os.environ.get(name) for name in SAFE_PATH}
    main_module = sys.modules["__main__"]
    os.environ.update(SAFE_PATH)
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main_module
        for name, setting in before.items():
            if setting is None:
                del os.environ[name]
            else:
                os.environ[name] = setting


def git(*arguments: str) -> str | None:
    """Return what git prints, without the repository's hooks, monitors and filters; None: it fails, or takes 10 s."""
    names = _git(["config", "--name-only", "--get-regexp", r"^filter\..*\.(clean|smudge|process|required)$"]) or ""
    overrides = [part for name in names.splitlines() for part in ("-c", f"{name}=")]
    return _git([*overrides, *arguments])


def _git(arguments: Sequence[str]) -> str | None:
    try:
        process = subprocess.run(
            [*_GIT, *arguments],
            env={**os.environ, **_GIT_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return process.stdout.strip()
