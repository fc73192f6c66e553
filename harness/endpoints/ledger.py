"""Ledger of a run's money: the most that a request can cost is reserved before it is sent, and settled by its reply.

The file is shared by the trials of a run, one after the other. What a killed process had reserved stays reserved, as
it may have been billed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from threading import Condition

from harness.endpoints.checked_lines import seal, unseal
from harness.errors import HarnessError


class SpentError(HarnessError):
    """The next request could exceed the run's limit."""


class Ledger:
    """What a run has spent so far, US dollars; threads may reserve at once.

    Attributes:
        max_usd: never exceeded by what was settled and reserved; None: no limit.
    """

    def __init__(self, path: Path | None, max_usd: float | None) -> None:
        """Read what the run's earlier trials have spent.

        Args:
            path: of the file; None: nothing is shared.
            max_usd: limit of the run.
        """
        self.max_usd = max_usd
        self._path = path
        self._committed = _read(path) if path else 0.0
        self._reserved = 0.0
        self._condition = Condition()

    @property
    def spent_usd(self) -> float:
        """Settled by replies, with what earlier trials left reserved."""
        return self._committed

    def reserve(self, most_usd: float) -> None:
        """Set aside what a request can cost at most; waits while requests under way may leave enough.

        Raises:
            SpentError: it does not fit.
        """
        if not most_usd:
            return
        with self._condition:
            while self.max_usd is not None and self._committed + self._reserved + most_usd > self.max_usd:
                if not self._reserved:
                    raise SpentError(
                        f"--max-usd {self.max_usd:g} is reached: {self._committed:.4f} USD are spent, and the next "
                        f"question may cost {most_usd:.4f}: allow more, and the same command goes on from there."
                    )
                self._condition.wait()
            self._reserved += most_usd
            self._append(most_usd)

    def settle(self, most_usd: float, usd: float) -> None:
        """Replace what was set aside by what the reply cost; 0 where nothing is billed."""
        if not most_usd:
            return
        with self._condition:
            self._reserved = max(0.0, self._reserved - most_usd)
            if self._reserved < 1e-12:
                self._reserved = 0.0
            self._committed += usd
            self._append(usd - most_usd)
            self._condition.notify_all()

    def _append(self, usd: float) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, (seal(json.dumps(usd)) + "\n").encode())
            finally:
                os.close(file)
        except OSError as error:
            raise HarnessError(f"the ledger {self._path} cannot be written ({error.strerror or error}).") from error


def _read(path: Path) -> float:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        return max(0.0, sum(float(unseal(line) or "") for line in lines if line))
    except FileNotFoundError:
        return 0.0
    except (OSError, ValueError) as error:
        raise HarnessError(f"the ledger {path} cannot be read ({error}): delete it.") from error
