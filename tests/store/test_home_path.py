"""Records name no user: folders of the home folder are written as ``~/…``, and still open."""

import json
import shutil

import pytest

from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.records.home_path import without_home
from harness.records.record import Failed
from harness.store.results_store import Store
from harness.trial.run_trial import run_trial
from tests.store.record_builders import trial


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "ann.smith"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    return folder


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("{home}/models/m", "~/models/m"),
        ("rag(embedder='{home}/e')", "rag(embedder='~/e')"),
        ("harness run --model={home}/m {home}", "harness run --model=~/m ~"),
        ("file://{home}/x", "file://~/x"),
        ("{home}er/models/m", "{home}er/models/m"),
        ("/mnt{home}/m", "/mnt{home}/m"),
    ],
)
def test_the_home_folder_is_a_tilde_where_a_path_begins_with_it(home, text, short):
    assert without_home(text.format(home=home)) == short.format(home=home)


def test_a_trial_with_folders_of_the_home_folder_runs_and_its_record_does_not_name_it(
    home, tiny_suite, tiny_folders, tiny_embedder, tmp_path
):
    model = shutil.copytree(tiny_folders(), home / "m")
    embedder = shutil.copytree(tiny_embedder, home / "e")
    rag = f"rag(k=1,embedder={str(embedder)!r})"
    config = RunConfig(
        suite=str(tiny_suite),
        models=(str(model),),
        tasks=("facts",),
        strategies=(rag,),
    )
    (planned,) = make_plan(config).trials
    assert planned.trial.model == "~/m"
    tilde = RunConfig(**{**config.model_dump(), "models": ("~/m",), "strategies": ("rag(k=1,embedder='~/e')",)})
    assert make_plan(tilde).trials[0].trial.key == planned.trial.key
    record, rows = run_trial(planned, cache=tmp_path / "cache", emit=lambda event: None)
    environment = record.environment.model_copy(update={"command": f"harness run --model {model}"})
    store = Store(tmp_path / "results")
    folder = store.write(record.model_copy(update={"environment": environment}), rows)
    assert home.name not in str(folder.relative_to(store.root))
    for path in folder.iterdir():
        assert home.name.encode() not in path.read_bytes(), path
    (stored,) = store.load()
    assert stored.record.trial == planned.trial
    assert stored.record.environment.command == "harness run --model ~/m"


def test_reasons_and_tracebacks_do_not_name_it(home, tmp_path):
    store = Store(tmp_path / "results")
    details = f'File "{home}/venv/lib/x.py", line 3'
    folder = store.write(
        Failed(trial=trial(), started_at="2026-01-01", reason=f"{home}/m is no model", details=details)
    )
    stored = json.loads((folder / "record.json").read_text())
    assert (stored["reason"], stored["details"]) == ("~/m is no model", 'File "~/venv/lib/x.py", line 3')
