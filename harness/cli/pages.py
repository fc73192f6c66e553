"""Reports as files: the page."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from harness.cli.common import console, echo, select, without_garbage_collection, write_file

if TYPE_CHECKING:
    from harness.compare.cost.pricing import Economics
    from harness.compare.decide.decision import Decision
    from harness.compare.release.series import History
    from harness.compare.table.result import Comparison
    from harness.compare.trials.stored_trials import StoredTrialItems
    from harness.store.results_store import Selection, Store


@dataclass(frozen=True)
class PageOptions:
    """Files that are written.

    Attributes:
        html: of the page; None: none, unless it is opened.
        redacted: whether texts of restricted items are left out.
        opened: whether the browser opens the page.
    """

    html: Path | None = None
    redacted: bool = False
    opened: bool = False

    @property
    def page(self) -> Path | None:
        """File of the page: one among temporary files where it is opened and no other was named."""
        if self.html or not self.opened:
            return self.html
        return Path(mkdtemp(prefix="adaptbench-")) / "report.html"


@without_garbage_collection()
def write_pages(store: Store, suite: str | None, economics: Economics | None, options: PageOptions) -> None:
    """Write the page, and say where it is."""
    from harness.compare.report.comparison import compare
    from harness.compare.trials.stored_trials import read_trials

    selection = select(store, suite)
    trials = read_trials(selection.trials)
    comparison = compare(trials, [*selection.notes, *store.problems], economics)
    if html := options.page:
        page = page_of(store, selection, comparison, decisions_of(comparison, trials, economics), options.redacted)
        write_html(html, page)
        if options.opened and not webbrowser.open(html.absolute().as_uri()):
            echo(f"No browser was found: open {html} yourself.", err=True)


def page_of(
    store: Store, selection: Selection, comparison: Comparison, decisions: Sequence[Decision], redacted: bool = False
) -> str:
    """Return the page of a comparison of selected trials; `redacted` leaves out texts of restricted items."""
    from harness.compare.report.provenance import provenance
    from harness.compare.report.shown_items import examples_of
    from harness.render.html.page import render

    examples = examples_of(selection.trials, comparison, redacted=redacted)
    origin = provenance(stored.record for stored in selection.trials)
    histories = _histories(store, [suite.name for suite in comparison.suites])
    return render(comparison, examples, origin, decisions, histories)


def write_html(path: Path, page: str) -> None:
    """Write a page, and print its path and size.

    Raises:
        HarnessError: it cannot be written.
    """
    from harness.measure.units import size

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
    from harness.store.results_store import select_newest

    baselines, problems = list_baselines(store.root.absolute())
    releases = [
        history.Release(baseline.name, baseline.manifest.measured_at, baseline.trials)
        for baseline in baselines
        if baseline.manifest.suite == suite
    ]
    releases = history.append_current(releases, select_newest(store.load(suite)).trials)
    suite_history = history.history(suite, releases, strategies, metrics, read_noise(store.root))
    return suite_history.model_copy(update={"notes": (*suite_history.notes, *problems)})


def _histories(store: Store, suites: Sequence[str]) -> list[History]:
    """The histories of the suites that have several releases; without a baseline nothing is read."""
    from harness.store.baselines import list_baselines

    with_baseline = {baseline.manifest.suite for baseline in list_baselines(store.root.absolute())[0]}
    histories = [history_of(store, name) for name in suites if name in with_baseline]
    return [history for history in histories if len(history.releases) > 1]


def decisions_of(comparison: Comparison, trials: list[StoredTrialItems], economics: Economics | None) -> list[Decision]:
    """The decision without constraints for each suite in which a task has a choice."""
    from harness.compare.cost.pricing import Economics
    from harness.compare.decide.confidence import scored
    from harness.compare.decide.constraints import Constraints
    from harness.compare.decide.decision import decide_on

    decisions: list[Decision] = []
    for suite in comparison.suites:
        if any(len(scored(task)) > 1 and not task.probe for task in suite.tasks):
            suite_trials = [trial for trial in trials if trial.record.trial.suite == suite.name]
            decisions.append(decide_on(suite, suite_trials, Constraints(), economics or Economics()))
    return decisions
