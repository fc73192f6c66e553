"""Answers that were made elsewhere, in a file of JSON lines: they are read, and nothing is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.endpoints.external_questions import Deliver, ExternalFaultError
from harness.endpoints.external_wire import (
    AnswerFaults,
    ExternalReply,
    MalformedAnswerError,
    id_of,
    read_answer,
    read_object,
)


class AnswerFile:
    """Gives the answers of a file, which is checked as a whole: each question has one, and no other is there."""

    def __init__(self, path: Path) -> None:
        """Read nothing yet."""
        self._path = path

    def ask(self, questions: Sequence[Mapping[str, Any]], deliver: Deliver) -> None:
        """Deliver the answer to each question.

        Raises:
            ExternalFaultError: one has none, several or a malformed one, or there are answers to no question.
        """
        replies, faults = read_answers(self._path, [str(question["id"]) for question in questions])
        if faults:
            raise ExternalFaultError(f"{self._path}: {faults}")
        for name, reply in replies.items():
            deliver(name, reply)


def read_answers(path: Path, names: Sequence[str]) -> tuple[dict[str, ExternalReply], AnswerFaults]:
    """Read the answers to some questions, and all that is wrong with them.

    Args:
        path: of the file.
        names: ids of the questions.

    Raises:
        ExternalFaultError: the file cannot be read.
    """
    try:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
    except OSError as error:
        raise ExternalFaultError(f"{path} cannot be read ({error.strerror or error})") from None
    faults, asked = AnswerFaults(), set(names)
    replies: dict[str, ExternalReply] = {}
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            content = read_object(line)
        except MalformedAnswerError as error:
            faults.malformed.append(f"line {number} ({error})")
            continue
        name = id_of(content)
        if name is None:
            faults.malformed.append(f"line {number} (no id)")
        elif name in seen:
            faults.duplicate.append(name)
        elif name not in asked:
            faults.extra.append(name)
        else:
            try:
                replies[name] = read_answer(content)
            except MalformedAnswerError as error:
                faults.malformed.append(f"line {number} ({error})")
        seen |= {name} if name else set()
    faults.missing.extend(name for name in names if name not in seen)
    return replies, faults
