"""Reports as files: the page and its charts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.common import console, no_collection, select, write_file

if TYPE_CHECKING:
    from harness.compare.cost.pricing import Economics
    from harness.compare.decide.decision import Decision
    from harness.compare.release.series import History
    from harness.compare.table.result import Comparison
    from harness.compare.trials.stored_trials import StoredTrialItems
    from harness.store.results_store import Store


@no_collection()
def write_pages(
    store: Store, suite: str | None, economics: Economics | None, *, html: Path | None, figures: Path | None
) -> None:
    """Write the page, the charts, or both, and say where they are."""
    from harness.compare.prose.numbers import count
    from harness.compare.report.comparison import compare
    from harness.compare.report.provenance import provenance
    from harness.compare.trials.stored_trials import read

    chosen = select(store, suite)
    stored = read(chosen.trials)
    comparison = compare(stored, [*chosen.notes, *store.problems], economics)
    came = provenance(one.record for one in chosen.trials)
    if html:
        from harness.compare.report.shown_items import examples_of
        from harness.render.html.page import render

        examples = examples_of(chosen.trials, comparison)
        histories = _histories(store, [one.name for one in comparison.suites])
        write_html(html, render(comparison, examples, came, _decisions(comparison, stored, economics), histories))
    if figures:
        from harness.render.html.all_charts import save

        written = save(comparison, figures, came.models)
        console().print(f"{figures}: {count(len(written), 'file')}", highlight=False, markup=False)


def write_html(path: Path, page: str) -> None:
    """Write a page, and say where it is and how large.

    Raises:
        HarnessError: it cannot be written.
    """
    from harness.compare.prose.numbers import size

    write_file(path, page)
    console().print(f"{path}: {size(len(page.encode()))}, opens in any browser", highlight=False, markup=False)


def history_of(store: Store, suite: str, strategies: Sequence[str] = (), metrics: Sequence[str] = ()) -> History:
    """Follow a suite through its baselines up to what is stored now.

    Raises:
        HarnessError: a strategy or metric is in no release, or rows are damaged.
    """
    from harness.compare.release import history
    from harness.compare.release.run_noise import read_noise
    from harness.store.baselines import list_baselines
    from harness.store.results_store import newest

    kept, problems = list_baselines(store.root.absolute())
    own = [
        history.Release(one.name, one.manifest.measured_at, one.trials) for one in kept if one.manifest.suite == suite
    ]
    releases = history.with_current(own, newest(store.load(suite)).trials)
    found = history.history(suite, releases, strategies, metrics, read_noise(store.root))
    return found.model_copy(update={"notes": (*found.notes, *problems)})


def _histories(store: Store, suites: Sequence[str]) -> list[History]:
    """The suites that have several releases; without a baseline nothing is read."""
    from harness.store.baselines import list_baselines

    named = {one.manifest.suite for one in list_baselines(store.root.absolute())[0]}
    found = [history_of(store, name) for name in suites if name in named]
    return [one for one in found if len(one.releases) > 1]


def _decisions(comparison: Comparison, stored: list[StoredTrialItems], economics: Economics | None) -> list[Decision]:
    """What to choose, without constraints, of each suite in which a task has a choice."""
    from harness.compare.cost.pricing import Economics
    from harness.compare.decide.confidence import scored
    from harness.compare.decide.constraints import Constraints
    from harness.compare.decide.decision import decide_on

    made: list[Decision] = []
    for suite in comparison.suites:
        if any(len(scored(task)) > 1 for task in suite.tasks):
            own = [one for one in stored if one.record.trial.suite == suite.name]
            made.append(decide_on(suite, own, Constraints(), economics or Economics()))
    return made
