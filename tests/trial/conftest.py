"""Fixtures for trials in this process."""

import re

import pytest

from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.trial.run_trial import run_trial


@pytest.fixture
def run(tiny_suite, tiny_folders, tiny_embedder, tmp_path):
    """Run a strategy on a task; `rag` gets the tiny embedder."""

    def call(strategy, task="moods", *, cache=tmp_path / "cache", embedder=tiny_embedder, emit=None, **changes):
        text = re.sub(r"rag(?!\()", f"rag(k=2,embedder={str(embedder)!r})", strategy)
        config = RunConfig(
            suite=str(tiny_suite),
            models=(str(tiny_folders()),),
            tasks=(task, "quiz"),
            strategies=(text,),
            **{"requests": 0, "check_items": 0, **changes},
        )
        return run_trial(make_plan(config).trials[0], cache=cache, emit=emit or (lambda event: None))

    call.kept = lambda: sorted(path.name for path in (tmp_path / "cache" / "artifacts").iterdir())
    return call
