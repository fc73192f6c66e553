"""A run on results that it cannot read: what is in its way is set aside, and newer results are refused."""

import json

import pytest
from run_doubles import RUNNER, plan

from harness.errors import HarnessError
from harness.execute.events import SetAside
from harness.execute.local_executor import execute
from harness.store.results_store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def run(store, observe=lambda event: None):
    return execute(plan("one"), store, cache=store.root.parent, observe=observe, runner=RUNNER)


def test_a_run_says_what_it_sets_aside(store):
    run(store)
    (record,) = store.root.rglob("record.json")
    record.write_text("{}")
    events = []
    run(Store(store.root), events.append)
    (event,) = [event for event in events if isinstance(event, SetAside)]
    assert (event.folder / "record.json").read_text() == "{}"
    assert store.load()[0].record.status == "completed"


def test_a_run_on_results_of_a_newer_version_is_refused(store):
    run(store)
    (path,) = store.root.rglob("record.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    with pytest.raises(HarnessError, match="newer version"):
        run(store)
