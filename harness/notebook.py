"""The Python API, for scripts and notebooks: the commands `run` and `report` as functions, with typed results."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.common import DEFAULT_RESULTS, open_store, select, without_garbage_collection, write_file
from harness.errors import HarnessError

if TYPE_CHECKING:
    from pandas import DataFrame

    from harness.compare.decide.decision import Decision
    from harness.compare.table.result import Comparison
    from harness.execute.local_executor import RunCounts
    from harness.store.results_store import Selection, Store

PAGE_PIXELS = 900
"""Height of a page in a notebook."""


def run(  # noqa: PLR0913 - one for each flag that most runs need
    suite: str | Path,
    *,
    strategies: str | Sequence[str] = (),
    models: str | Sequence[str] = (),
    tasks: str | Sequence[str] = (),
    seeds: int | Sequence[int] | None = None,
    results: str | Path = DEFAULT_RESULTS,
    progress: bool = True,
    **settings: Any,
) -> Results:
    """Run all trials without a stored result, as ``harness run`` does, and return what is stored of the suite.

    Args:
        suite: name of a suite, or path of its folder.
        strategies: texts such as ``rag(k=1)+lora``; empty: those that the suite names.
        models: pinned names, folders, hub ids or ``PROVIDER:MODEL``; empty: the default model.
        tasks: only these; empty: all.
        seeds: a number N for seeds 0 to N-1, or the seeds; None: seed 0.
        results: folder of the results.
        progress: whether progress is written to standard error.
        settings: further keys of a configuration file, e.g. ``limits={"test": 40}`` or ``max_minutes=30``.

    Raises:
        HarnessError: a setting is wrong, a model cannot be had, or another run writes to the folder. A trial that fails
            raises nothing: `Results.counts` counts it and the table says why.
        KeyboardInterrupt: it was interrupted; finished trials are stored, and the same call continues the run.
    """
    from harness.cli import commands
    from harness.cli.endpoint_runs import EndpointOptions
    from harness.compare.cost.prices import load_prices
    from harness.plan.config import load_config, refuse_unknown_keys
    from harness.render.text.safe_console import SafeConsole

    refuse_unknown_keys(settings, "h.run")
    options: dict[str, Any] = {"suite": str(suite), "results": Path(results), "seeds": seeds, **settings}
    listed = {"strategies": strategies, "models": models, "tasks": tasks}
    options |= {name: (text,) if isinstance(text, str) else tuple(text) for name, text in listed.items()}
    config = load_config(options)
    console = SafeConsole(emoji=False, stderr=True, quiet=not progress, force_jupyter=False)
    planned = commands.plan(config, console)
    counts = commands.run(
        planned,
        console,
        share_gpu=config.share_gpu,
        limits=config.run_limits,
        endpoints=EndpointOptions.of(config, load_prices()),
    )
    return Results(planned.store, planned.plan.suite, counts)


def load(results: str | Path = DEFAULT_RESULTS, suite: str | None = None) -> Results:
    """Read stored results, as ``harness report`` does; no model is loaded.

    Args:
        results: folder of the results.
        suite: only this one; None: all.

    Raises:
        HarnessError: there are none.
    """
    store = open_store(Path(results))
    stored = Results(store, suite)
    if not stored.suites:
        reason = store.problems[0] if store.problems else "'harness run' makes results, or name another folder."
        raise HarnessError(f"{store.root} has no results: {reason}")
    return stored


@dataclass(frozen=True)
class ReportPage:
    """The report as one HTML page: charts, tables, examples and provenance."""

    html: str

    def write(self, path: str | Path) -> Path:
        """Write the page to a file, which needs no other, and return its path.

        Raises:
            HarnessError: it cannot be written.
        """
        write_file(Path(path), self.html)
        return Path(path)

    def _repr_html_(self) -> str:
        """Return a frame with the page; its scripts reach nothing of the notebook."""
        style = f"width: 100%; height: {PAGE_PIXELS}px; border: 1px solid #8884"
        return f'<iframe sandbox="allow-scripts" style="{style}" srcdoc="{html.escape(self.html)}"></iframe>'


class Results:
    """Stored results as a report compares them. Read once: `load` again after a further run.

    In a notebook it shows verdict and tables; `page` has the charts too.

    Attributes:
        folder: of the results.
        counts: how many trials ended how in the run that returned it; None: it was loaded.
    """

    def __init__(self, store: Store, suite: str | None = None, counts: RunCounts | None = None) -> None:
        self.folder = store.root
        self._store = store
        self.counts = counts
        self._suite = suite

    @property
    def suites(self) -> tuple[str, ...]:
        """Names of the suites with results."""
        return tuple(suite.name for suite in self._comparison.suites)

    @property
    def verdicts(self) -> Mapping[str, str]:
        """What to do, in a sentence or two, by suite; a suite where nothing can be chosen is missing."""
        return {decision.suite: decision.verdict for decision in self._decisions}

    @property
    def notes(self) -> tuple[str, ...]:
        """Records that were left out, and why."""
        return self._comparison.notes

    def table(self) -> DataFrame:
        """Return a row for each suite, task, strategy and model, with the columns of ``harness report --format csv``.

        Base units (seconds, bytes, USD); what is unknown or does not apply is missing (NaN or None).

        Raises:
            HarnessError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise HarnessError("pandas is not installed: pip install pandas.") from error
        from harness.render.report.csv import flat_rows

        return pd.DataFrame(flat_rows(self._comparison))

    def page(self, *, redacted: bool = False) -> ReportPage:
        """Return the report as one HTML page, as ``harness report --html`` writes it.

        Args:
            redacted: whether texts of restricted items are left out.
        """
        from harness.cli.pages import page_of

        return ReportPage(page_of(self._store, self._selection, self._comparison, self._decisions, redacted))

    def __repr__(self) -> str:
        from harness.render.text.escape import plain

        lines = [f"{name}: {self.verdicts.get(name, 'nothing to choose from')}" for name in self.suites]
        return "\n".join(map(plain, lines)) or f"no results in {self._store.root}"

    def _repr_html_(self) -> str:
        from harness.render.html.notebook_summary import summary

        return summary(self._comparison, self.verdicts)

    @cached_property
    def _selection(self) -> Selection:
        return select(self._store, self._suite)

    @cached_property
    def _comparison(self) -> Comparison:
        return self._compared[0]

    @cached_property
    def _decisions(self) -> list[Decision]:
        return self._compared[1]

    @cached_property
    @without_garbage_collection()
    def _compared(self) -> tuple[Comparison, list[Decision]]:
        from harness.cli.pages import decisions_of
        from harness.compare.report.comparison import compare
        from harness.compare.trials.stored_trials import read_trials

        trials = read_trials(self._selection.trials)
        comparison = compare(trials, [*self._selection.notes, *self._store.problems])
        return comparison, decisions_of(comparison, trials, None)
