"""A trial refuses data that are no longer those that it was planned with."""

import shutil

import pytest

from harness.errors import HarnessError
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.trial.run_trial import run_trial


@pytest.mark.parametrize("train_sizes", [(), (4,)])
def test_a_file_that_changed_between_plan_and_run_fails_the_trial_in_one_line(
    tiny_suite, tiny_folders, tmp_path, train_sizes
):
    suite = shutil.copytree(tiny_suite, tmp_path / "tiny")
    config = RunConfig(
        suite=str(suite),
        models=(str(tiny_folders()),),
        tasks=("moods",),
        strategies=("few_shot",),
        train_sizes=train_sizes,
        requests=0,
        check_items=0,
    )
    planned = make_plan(config).trials[0]
    record, _ = run_trial(planned, cache=tmp_path / "cache", emit=lambda event: None)
    assert record.trial.key == planned.trial.key
    rows = (suite / "moods.csv").read_text()
    (suite / "moods.csv").write_text(rows.replace(",good", ",bad", 1))
    with pytest.raises(HarnessError, match=r"data of task 'moods' of .*suite\.toml changed after .*run again"):
        run_trial(planned, cache=tmp_path / "cache", emit=lambda event: None)
