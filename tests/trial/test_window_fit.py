"""One item longer than the window: named in the plan, unanswered in the test, left out of training."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.api import Prompt
from harness.data.long_items import long_items
from harness.errors import HarnessError
from harness.models.tokenizer import open_tokenizer
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.predict.answering import TOO_LONG
from harness.trial.run_trial import run_trial
from tests.data.suite_files import CLASSES, suite_with, words
from tests.trial.trial_results import LORA

LONG = "word " * 600


@pytest.fixture
def config(tmp_path, tiny_folders):
    def call(strategy="zero_shot", *, long_test=1, long_train=1, **changes):
        toml = CLASSES.replace('data = "rows.csv"', 'train = "train.csv"\nvalidation = "val.csv"\ntest = "test.csv"')
        files = {"train": (30, long_train), "val": (12, 0), "test": (20, long_test)}
        tables = {
            f"{name}__csv": "text,label\n"
            + "".join(f"text {words(len(name) * 100 + n)},{'ab'[n % 2]}\n" for n in range(rows))
            + "".join(f"{LONG}{words(number)},a\n" for number in range(long))
            for name, (rows, long) in files.items()
        }
        suite = suite_with(tmp_path / "s", toml, **tables)
        return RunConfig(
            suite=str(suite),
            models=(str(tiny_folders()),),
            strategies=(strategy,),
            requests=2,
            check_items=2,
            **changes,
        )

    return call


def test_the_plan_names_what_does_not_fit(config):
    plan = make_plan(config())
    notes = [note for note in plan.tasks[0].warnings if "longer than the window" in note]
    assert [note.split(" longer")[0] for note in notes] == ["1 training item is", "1 test item is"]
    assert notes[0].endswith("left out: train.csv:32.")
    assert notes[1].endswith("and unanswered, which counts as wrong: test.csv:22.")
    assert plan.trials[0].skip is None


@pytest.mark.parametrize("strategy", ["zero_shot", "few_shot(k=2)", LORA])
def test_a_test_item_that_does_not_fit_is_unanswered_for_every_strategy(config, tmp_path, strategy):
    (planned,) = make_plan(config(strategy)).trials
    record, rows = run_trial(planned, cache=tmp_path / "cache", emit=lambda event: None)
    tests = [row for row in rows if row.role == "target" and row.task == "t"]
    assert len(tests) == 21
    assert [row.id for row in tests if row.parsed == TOO_LONG] == ["test.csv:22"]
    assert next(row for row in tests if row.id == "test.csv:22").answer is None
    right = sum(row.answer in row.references for row in tests)
    assert record.scores["t/accuracy"] == pytest.approx(right / 21)
    assert any("1 of 21 items did not fit" in note and "test.csv:22" in note for note in record.notes)
    assert any("1 training item is longer" in note and "train.csv:32" in note for note in record.notes)


def test_many_items_that_do_not_fit_are_a_reason_to_skip(config):
    (planned,) = make_plan(config(long_test=3)).trials
    assert "3 test items are longer than the window" in planned.skip
    assert "max_bad_rows = 0.01 lets 1 be too long" in planned.skip


def test_a_strict_plan_takes_none(config):
    with pytest.raises(HarnessError, match="1 training item is longer than the window"):
        make_plan(config(strict=True))


def test_more_exemplars_than_the_window_holds_fail_the_trial(config, tmp_path):
    (planned,) = make_plan(config("few_shot(k=16)", long_test=0, long_train=0)).trials
    with pytest.raises(HarnessError, match=r"fits? the model's window as .* use fewer exemplars"):
        run_trial(planned, cache=tmp_path / "cache", emit=lambda event: None)


def test_a_window_that_is_exactly_filled_fits(config, tmp_path):
    plan = make_plan(config(long_test=0))
    task = plan.prepared["t"]
    tokens = open_tokenizer(Path(plan.trials[0].model_reference), "tiny", tmp_path)
    needed = max(tokens.count_answers(*_prompt_and_answers(task)))
    prompt = tokens.count_prompts([_prompt_and_answers(task)[0]])[0]
    fits, short = (replace(tokens, context_tokens=prompt + needed - less) for less in (0, 1))
    assert task.test[0] not in long_items(task.test[:1], task.task_data.task, fits)
    assert task.test[0] in long_items(task.test[:1], task.task_data.task, short)


def _prompt_and_answers(task):
    return Prompt(task.task_data.task, task.test[0].query.input), list(task.task_data.task.choices)
