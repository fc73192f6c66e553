"""A system elsewhere as a child process: a question a line on its standard input, an answer a line on its output."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from queue import Empty, Queue
from threading import Thread
from typing import Any
from weakref import finalize

from harness.endpoints.external_questions import Deliver, ExternalFaultError, as_line
from harness.endpoints.external_wire import AnswerFaults, MalformedAnswerError, id_of, read_answer, read_object
from harness.measure.child_process import SAFE_PATH, kill_tree


class ExternalProcess:
    """Starts with the first question and answers until the trial ends; answers may come in any order."""

    def __init__(self, arguments: Sequence[str], timeout_s: float) -> None:
        """Start nothing yet.

        Args:
            arguments: of the command; no shell reads them.
            timeout_s: longest time without an answer.
        """
        self._arguments = list(arguments)
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: Queue[bytes | None] = Queue()
        self._asked: set[str] = set()

    def ask(self, questions: Sequence[Mapping[str, Any]], deliver: Deliver) -> None:
        """Ask questions with ids that were never used before.

        Args:
            questions: one JSON object each.
            deliver: takes each answer as it comes.

        Raises:
            ExternalFaultError: not every question has one good answer; the ids are named.
        """
        process = self._process or self._start()
        waiting = {str(question["id"]) for question in questions}
        self._asked |= waiting
        Thread(target=_write, args=(process, [as_line(question) for question in questions]), daemon=True).start()
        faults = AnswerFaults()
        while waiting:
            try:
                line = self._lines.get(timeout=self._timeout_s)
            except Empty:
                self._stop(faults, waiting, f"no answer for {self._timeout_s:g} s: does it flush each line?")
            else:
                if line is None:
                    code = process.wait()
                    self._stop(faults, waiting, f"the command ended with exit code {code}")
                elif line.strip():
                    self._take(line, waiting, faults, deliver)
        if faults:
            self._stop(faults, (), "")

    def _take(self, line: bytes, waiting: set[str], faults: AnswerFaults, deliver: Deliver) -> None:
        try:
            content = read_object(line)
        except MalformedAnswerError as error:
            faults.malformed.append(str(error))
            return
        name = id_of(content)
        if name in waiting:
            waiting.discard(name)
            try:
                reply = read_answer(content)
            except MalformedAnswerError as error:
                faults.malformed.append(f"{name} ({error})")
            else:
                deliver(name, reply)
        elif name in self._asked:
            faults.duplicate.append(name)
        else:
            faults.extra.append("one without an id" if name is None else name)

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **SAFE_PATH},
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ExternalFaultError(f"{self._arguments[0]!r} cannot be run ({reason})") from None
        self._process = process
        finalize(self, _end, process)
        Thread(target=_read, args=(process, self._lines), daemon=True).start()
        return process

    def _stop(self, faults: AnswerFaults, waiting: Sequence[str] | set[str], reason: str) -> None:
        """End the process, whose further answers could not be told from those of another round."""
        faults.missing.extend(sorted(waiting))
        if self._process:
            _end(self._process)
        self._process, self._lines = None, Queue()
        raise ExternalFaultError("; ".join(filter(None, [reason, str(faults)])))


def _write(process: subprocess.Popen[bytes], lines: Sequence[bytes]) -> None:
    with suppress(OSError, ValueError):  # it has ended, which its reader says
        for line in lines:
            assert process.stdin is not None  # noqa: S101 - a pipe was asked for
            process.stdin.write(line)
            process.stdin.flush()


def _read(process: subprocess.Popen[bytes], lines: Queue[bytes | None]) -> None:
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    with suppress(OSError, ValueError):
        for line in process.stdout:
            lines.put(line)
    lines.put(None)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close its input, and end it with all that it has started."""
    kill_tree(process.pid)
    process.wait()
    for stream in (process.stdin, process.stdout):
        with suppress(OSError, ValueError):
            if stream:
                stream.close()
