"""Finished trials of a store by what a user writes: a suite's name, a record's folder or the beginning of a key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import HarnessError, unknown
from harness.records.record import Completed
from harness.store import record_file
from harness.store.results_store import Store, StoredTrial, newest

SHORTEST_KEY = 6
"""Characters of a key from which on it is looked for."""


def choose(
    store: Store, run: str | None, strategies: Sequence[str] = (), models: Sequence[str] = ()
) -> list[StoredTrial]:
    """Choose finished trials of a store: of a suite, a record's folder, or by the beginning of a key.

    Args:
        store: looked through.
        run: a suite's name, a record's folder or the beginning of a key; None: the only suite that there is.
        strategies: keep only these; empty: all.
        models: keep only these; empty: all.

    Raises:
        HarnessError: nothing or too much fits.
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
    chosen = [trial for trial in newest(stored).trials if trial.record.trial.suite == (run or suites[0])]
    for kind, choices, name in (("strategy", strategies, "label"), ("model", models, "model")):
        names = {getattr(trial.record.trial, name) for trial in chosen}
        for choice in choices:
            if choice not in names:
                raise unknown(kind, choice, names, where=str(store.root))
    return [
        trial
        for trial in chosen
        if (not strategies or trial.record.trial.label in strategies)
        and (not models or trial.record.trial.model in models)
    ]
