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
    stored = [one for one in store.load() if isinstance(one.record, Completed)]
    suites = sorted({one.record.trial.suite for one in stored})
    if run and run not in suites:
        found = [one for one in stored if len(run) >= SHORTEST_KEY and one.record.trial.key.startswith(run)]
        if len(found) != 1:
            what = "fits several records" if found else "is no suite, no record's folder and no beginning of a key"
            raise HarnessError(f"{run!r} {what} in {store.root}; suites there: {', '.join(suites) or 'none'}.")
        return found
    if not run and len(suites) != 1:
        what = (
            f"{store.root} has results of {', '.join(suites)}: name one" if suites else f"{store.root} has no results"
        )
        raise HarnessError(f"{what}.")
    chosen = [one for one in newest(stored).trials if one.record.trial.suite == (run or suites[0])]
    for kind, wanted, name in (("strategy", strategies, "label"), ("model", models, "model")):
        there = {getattr(one.record.trial, name) for one in chosen}
        for one in wanted:
            if one not in there:
                raise unknown(kind, one, there, where=str(store.root))
    return [
        one
        for one in chosen
        if (not strategies or one.record.trial.label in strategies) and (not models or one.record.trial.model in models)
    ]
