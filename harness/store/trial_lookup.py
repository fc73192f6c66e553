"""Look up finished trials of a store by a suite's name, a record's folder or the first characters of a key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import HarnessError, unknown
from harness.records.record import Completed
from harness.store import record_file
from harness.store.results_store import Store, StoredTrial, select_newest

SHORTEST_KEY = 6
"""Characters of a key that a user must give, at least."""


def find_trials(
    store: Store, run: str | None, strategies: Sequence[str] = (), models: Sequence[str] = ()
) -> list[StoredTrial]:
    """Find finished trials of a store: of a suite, in a record's folder, or by the first characters of a key.

    Args:
        store: to search.
        run: a suite's name, a record's folder or the first characters of a key; None: the only suite in the store.
        strategies: only these; empty: all.
        models: only these; empty: all.

    Raises:
        HarnessError: there is no match, or several.
    """
    if run and (Path(run) / "record.json").is_file():
        return [StoredTrial(record_file.read(Path(run)), Path(run))]
    stored = [trial for trial in store.load() if isinstance(trial.record, Completed)]
    suites = sorted({trial.record.trial.suite for trial in stored})
    if run and run not in suites:
        matches = [trial for trial in stored if len(run) >= SHORTEST_KEY and trial.record.trial.key.startswith(run)]
        if len(matches) != 1:
            problem = "fits several records" if matches else "is no suite, no record's folder and no beginning of a key"
            raise HarnessError(f"{run!r} {problem} in {store.root}; suites there: {', '.join(suites) or 'none'}.")
        return matches
    if not run and len(suites) != 1:
        problem = (
            f"{store.root} has results of {', '.join(suites)}: name one" if suites else f"{store.root} has no results"
        )
        raise HarnessError(f"{problem}.")
    matches = [trial for trial in select_newest(stored).trials if trial.record.trial.suite == (run or suites[0])]
    for kind, requested, field in (("strategy", strategies, "label"), ("model", models, "model")):
        names = {getattr(trial.record.trial, field) for trial in matches}
        for name in requested:
            if name not in names:
                raise unknown(kind, name, names, where=str(store.root))
    return [
        trial
        for trial in matches
        if (not strategies or trial.record.trial.label in strategies)
        and (not models or trial.record.trial.model in models)
    ]
