"""Journal of a trial's questions and their answers: what was paid for is not lost, and not asked again.

A line before a question is sent, a line after its answer has come, each on the disk before anything else happens. A
file is read only to finish the trial that it is named after. Faults and refusals are no answers: they are asked again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from harness.endpoints.checked_lines import seal, unseal
from harness.endpoints.wire import Reply
from harness.errors import HarnessError

AnyReply = TypeVar("AnyReply", bound=BaseModel)
REPLAYED = frozenset({"answered", "cut"})
"""Outcomes that are not asked again."""


class Journal:
    """One trial's file; threads may write at once.

    Attributes:
        path: of the file.
        lost: questions of an earlier sitting that were under way when it ended: they may have been billed.
    """

    def __init__(self, path: Path) -> None:
        """Read what an earlier sitting has written; half a line at the end is none."""
        self.path = path
        self._lock = Lock()
        self._replies, under_way = _read(path)
        self.lost = len(under_way)
        self._file: int | None = None

    def reply(self, key: str) -> Reply | None:
        """Return the reply to a question of an earlier sitting; None: there is none that counts."""
        return self.reply_as(Reply, key)

    def reply_as(self, form: type[AnyReply], key: str) -> AnyReply | None:
        """Return such a reply as it is written where a whole system was asked, not a model."""
        try:
            return form.model_validate(self._replies[key]) if key in self._replies else None
        except ValidationError:
            return None

    def write_sent(self, key: str, most_usd: float | None) -> None:
        """Note that a question is about to be sent.

        Raises:
            HarnessError: the file cannot be written: nothing may be asked then.
        """
        self._write({"key": key, "event": "sent", "at": _now(), "most_usd": most_usd})

    def write_reply(self, key: str, reply: BaseModel, usd: float | None) -> None:
        """Note a reply and what it cost."""
        self._write({"key": key, "event": "reply", "at": _now(), "usd": usd, "reply": reply.model_dump()})

    def write_fault(self, key: str) -> None:
        """Note that a question came back without an answer, so that it is not under way any more."""
        self._write({"key": key, "event": "fault", "at": _now()})

    def _write(self, line: Mapping[str, Any]) -> None:
        content = (seal(json.dumps(line)) + "\n").encode()
        try:
            with self._lock:
                if self._file is None:
                    self._file = _open(self.path)
                os.write(self._file, content)
                os.fsync(self._file)
        except OSError as error:
            raise HarnessError(f"the journal {self.path} cannot be written ({error.strerror or error}).") from error


def _open(path: Path) -> int:
    """Open a file at its end, on a line of its own: a killed process may have left half a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        os.write(file, b"\n")
    return file


def _read(path: Path) -> tuple[dict[str, Any], set[str]]:
    """Return the replies by key, and the keys of the questions that were under way at the end."""
    replies: dict[str, Any] = {}
    sent: set[str] = set()
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return replies, sent
    except OSError as error:
        raise HarnessError(f"the journal {path} cannot be read ({error.strerror or error}).") from error
    for line in lines:
        try:
            event: Any = json.loads(unseal(line, bare=True) or "")  # a damaged line counts as none
            key = str(event["key"])
            if event["event"] == "sent":
                sent.add(key)
            elif event["event"] == "fault":
                sent.discard(key)
            elif event["event"] == "reply":
                outcome = event["reply"]["outcome"]
                sent.discard(key)
                if outcome in REPLAYED:
                    replies[key] = event["reply"]
        except (ValueError, KeyError, TypeError):
            continue
    return replies, sent


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
