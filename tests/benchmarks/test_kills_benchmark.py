"""A thousand kills of a run at random moments: nothing finished is lost or changed: pytest --benchmark-only.

`KILLS` shortens it. Trials are the stand-ins of tests/execute, of 30 ms each; store, executor and processes are real.
Counts are written after every run of twelve trials; a benchmark that was stopped goes on from there.
"""

import os
import sys
from pathlib import Path

import pytest
import side_by_side

sys.path.insert(0, str(Path(__file__).parents[1] / "execute"))

from test_kill_and_resume import COUNT, finished, kill_and_resume, plan, record

KILLS = int(os.environ.get("KILLS", "1000"))
COUNTS = ("runs", "kills", "finished trials", "lost", "changed", "left behind")


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_thousand_kills_lose_nothing(benchmark, tmp_path):
    counts = side_by_side.read("kills", dict.fromkeys(COUNTS, 0))
    expected = {planned.trial.key: record(planned.trial) for planned in plan(*(f"slow(k={i})" for i in range(COUNT)))}

    def kill_runs():
        while counts["kills"] < KILLS:
            folder = tmp_path / str(counts["runs"])
            folder.mkdir()
            most = min(COUNT, KILLS - counts["kills"])
            store, before_the_end, kills = kill_and_resume(folder, most, seed=counts["runs"])
            records = {key: stored for key, (stored, _) in finished(store).items()}
            counts["runs"] += 1
            counts["kills"] += kills
            counts["finished trials"] += len(records)
            counts["lost"] += len(before_the_end.keys() - records.keys()) + len(expected.keys() - records.keys())
            counts["changed"] += sum(expected[key] != stored for key, stored in records.items())
            counts["left behind"] += len(list(store.root.rglob(".tmp-*"))) + len(store.problems)
            side_by_side.write("kills", counts, [])

    benchmark.pedantic(kill_runs, rounds=1, iterations=1)
    assert (counts["lost"], counts["changed"], counts["left behind"]) == (0, 0, 0)
