"""The form of a model's prompts: measured once on validation items, the same for every strategy, charged to each."""

import json
from dataclasses import replace

import pytest

from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.predict import answering
from harness.trial import prompt_form
from harness.trial.recorder import Recorder
from harness.trial.run_trial import run_trial
from tests import tiny


@pytest.fixture(scope="module")
def suite(tiny_suite, tmp_path_factory):
    """The tiny suite with validation items enough to choose on."""
    folder = tmp_path_factory.mktemp("forms") / "tiny"
    folder.mkdir()
    for file in tiny_suite.iterdir():
        (folder / file.name).write_text(
            file.read_text().replace("train = 12, validation = 4", "train = 4, validation = 12")
        )
    return folder


@pytest.fixture
def run(suite, tiny_folders, tmp_path):
    def call(strategy="zero_shot", task="moods", **changes):
        config = RunConfig(
            suite=str(suite),
            models=(str(tiny_folders(**changes)),),
            tasks=(task,),
            strategies=(strategy,),
            requests=0,
            check_items=0,
        )
        return run_trial(make_plan(config).trials[0], cache=tmp_path / "cache", emit=lambda event: None)

    return call


def form_spans(record):
    return [span for span in record.spans if span.phase == "form"]


@pytest.mark.parametrize("task", ["moods", "facts"])
def test_all_strategies_of_a_model_are_asked_in_the_form_with_the_better_validation_score(run, task):
    (first, rows), (second, other) = run("zero_shot", task), run("few_shot(k=2)", task)
    choice = first.tasks[0].form
    assert choice is not None
    assert choice.items == 12
    assert choice.scores[choice.form] == max(choice.scores.values())
    assert second.tasks[0].form == choice
    for row in (*rows, *other):
        assert ("<|assistant|>" in row.prompt) == (choice.form == "chat")
    (measured,), (charged,) = form_spans(first), form_spans(second)
    assert not measured.reused
    assert charged.reused
    assert charged.wall_s == measured.wall_s > 0
    assert [span.phase for span in first.spans][:2] == ["load", "form"]


def test_the_scores_are_those_of_the_bare_model_in_each_form(suite, tiny_folders, tiny_cache, tmp_path):
    data = prepare(load_suite(suite), "facts").task_data
    model = tiny.open_tiny(tiny_folders(), tiny_cache)
    (chosen,), choice = prompt_form.choose(Recorder(tmp_path, lambda event: None), [data], "tiny", lambda: model)
    assert chosen == replace(data, task=replace(data.task, form=choice.form))
    for form in ("chat", "plain"):
        system = answering.System(model, replace(data.task, form=form))
        outputs = answering.predict(system, [example.query for example in data.validation])
        exact = sum(p.answer in e.references for p, e in zip(outputs, data.validation, strict=True))
        assert exact / 12 <= choice.scores[form]  # token F1 is no lower than exact match


def test_equal_scores_leave_a_model_its_chat_form_and_a_better_plain_score_does_not(
    suite, tiny_folders, tiny_cache, tmp_path
):
    data = prepare(load_suite(suite), "facts").task_data
    model = tiny.open_tiny(tiny_folders(), tiny_cache)

    def choice_for(references, folder):
        validation = tuple(replace(e, references=r) for e, r in zip(data.validation, references, strict=True))
        changed = replace(data, validation=validation)
        return prompt_form.choose(Recorder(folder, lambda event: None), [changed], "tiny", lambda: model)[1]

    system = answering.System(model, replace(data.task, form="plain"))
    plain = [(p.answer or "?",) for p in answering.predict(system, [e.query for e in data.validation])]
    assert choice_for([("zebra",)] * 12, tmp_path / "a").form == "chat"
    better = choice_for(plain, tmp_path / "b")
    assert better.form == "plain"
    assert better.scores["plain"] > better.scores["chat"]


def test_a_model_without_a_chat_template_has_no_choice(run):
    record, rows = run(template=None)
    assert record.tasks[0].form is None
    assert not form_spans(record)
    assert all("<|assistant|>" not in row.prompt for row in rows)


def test_a_task_with_few_validation_items_has_no_choice_and_needs_no_model_for_it(tiny_suite, tmp_path):
    few = prepare(load_suite(tiny_suite), "facts").task_data

    def refuse():
        raise AssertionError("no model is needed")

    assert prompt_form.choose(Recorder(tmp_path, lambda event: None), [few], "tiny", refuse) == ([few], None)


def test_a_damaged_choice_is_measured_again(run, tmp_path):
    first, _ = run()
    (file,) = (tmp_path / "cache" / "artifacts").glob("*/content/form.json")
    file.write_text(json.dumps({"form": "bare"}))
    again, _ = run()
    assert again.tasks[0].form == first.tasks[0].form
    assert not form_spans(again)[0].reused


def test_another_models_choice_is_not_taken(run):
    assert not form_spans(run()[0])[0].reused
    assert not form_spans(run(seed=1)[0])[0].reused
