"""Reports as files: the page and its charts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.common import console, select

if TYPE_CHECKING:
    from harness.compare.decision import Decision
    from harness.compare.economics import Economics
    from harness.compare.result import Comparison
    from harness.compare.stored import Stored
    from harness.store import Store


def write_pages(
    store: Store, suite: str | None, economics: Economics | None, *, html: Path | None, figures: Path | None
) -> None:
    """Write the page, the charts, or both, and say where they are."""
    from harness.compare.comparison import compare
    from harness.compare.provenance import provenance
    from harness.compare.stored import read
    from harness.compare.words import count, size
    from harness.errors import HarnessError

    chosen = select(store, suite)
    stored = read(chosen.trials)
    comparison = compare(stored, [*chosen.notes, *store.problems], economics)
    came = provenance(one.record for one in chosen.trials)
    screen = console()
    if html:
        from harness.compare.examples import examples_of
        from harness.render.html.page import render

        examples = examples_of(chosen.trials, comparison)
        content = render(comparison, examples, came, _decisions(comparison, stored, economics)).encode()
        try:
            html.parent.mkdir(parents=True, exist_ok=True)
            html.write_bytes(content)
        except OSError as error:
            raise HarnessError(f"{html} cannot be written ({error.strerror or error}): free or change it.") from error
        screen.print(f"{html}: {size(len(content))}, opens in any browser", highlight=False, markup=False)
    if figures:
        from harness.render.html.figures import save

        written = save(comparison, figures, came.models)
        screen.print(f"{figures}: {count(len(written), 'file')}", highlight=False, markup=False)


def _decisions(comparison: Comparison, stored: list[Stored], economics: Economics | None) -> list[Decision]:
    """What to choose, without constraints, of each suite in which a task has a choice."""
    from harness.compare.constraints import Constraints
    from harness.compare.decision import decide
    from harness.compare.outlook import scored

    suites = [suite.name for suite in comparison.suites if any(len(scored(task)) > 1 for task in suite.tasks)]
    own = [[one for one in stored if one.record.trial.suite == name] for name in suites]
    return [decide(records, Constraints(), economics) for records in own]
