"""What all endpoints of one trial share while it runs: journal, ledger, prices, and the phase that is measured.

A trial is a process of its own, so there is one session; the model, a teacher and a judge of the same trial spend from
one ledger.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.endpoints.journal import Journal
from harness.endpoints.ledger import Ledger
from harness.records.measurements import Phase
from harness.records.planned_trial import EndpointSettings, TokenPrice

TIMED: frozenset[Phase] = frozenset({"serve"})
"""Phases whose questions are timed one by one: none is answered from a journal."""


@dataclass
class Session:
    """Journal, ledger and prices of the running trial.

    Attributes:
        journal: None: nothing is kept.
        prices: of a million tokens by reference of the model.
        phase: that is measured.
        run_file: begins the names of files that all trials of a run share; None: they share none.
    """

    journal: Journal | None = None
    ledger: Ledger = field(default_factory=lambda: Ledger(None, None))
    prices: dict[str, TokenPrice] = field(default_factory=dict[str, TokenPrice])
    phase: Phase | None = None
    run_file: Path | None = None
    _counts: Counter[str] = field(default_factory=Counter[str])

    def probed(self, identity: str, probe: Callable[[], dict[str, str]]) -> dict[str, str]:
        """Return what a probe of an endpoint told, of this trial or of an earlier one of the run.

        Args:
            identity: of the endpoint.
            probe: asks it.
        """
        if self.run_file is None:
            return probe()
        file = self.run_file.with_name(f"{self.run_file.name}-{identity.rpartition(':')[2][:16]}.json")
        try:
            return dict(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            answers = probe()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(answers), encoding="utf-8")
        return answers

    def question_key(self, parts: Any) -> str | None:
        """Name a question: by what is asked, in which phase, and how often it came before; None: it is timed.

        So two samples of one question are two questions, and a resumed trial names them as the first one did.
        """
        if self.journal is None or self.phase in TIMED:
            return None
        digest = hashlib.sha256(json.dumps([self.phase, parts], sort_keys=True).encode()).hexdigest()
        self._counts[digest] += 1
        return f"{digest}-{self._counts[digest]}"


_current = [Session()]


def current() -> Session:
    """Return the session of the running trial."""
    return _current[0]


def begin(settings: EndpointSettings | None, trial_key: str = "") -> Session:
    """Open the session of a trial; None: nothing is kept, and there is no limit of money.

    Raises:
        HarnessError: the journal or the ledger cannot be read.
    """
    if settings is None:
        _current[0] = Session()
    else:
        folder = Path(settings.folder)
        _current[0] = Session(
            Journal(journal_path(folder, trial_key)),
            Ledger(folder / settings.ledger, settings.max_usd),
            dict(settings.prices),
            run_file=folder / settings.ledger,
        )
    return _current[0]


def journal_path(folder: Path, trial_key: str) -> Path:
    """Return the file of a trial's journal."""
    return folder / f"{trial_key}.jsonl"
