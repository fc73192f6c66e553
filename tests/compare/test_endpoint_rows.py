"""Rows of models that were asked over HTTP: no bytes of theirs, seconds of nobody's machine, aliases that moved."""

from dataclasses import replace

from harness.api import EndpointInfo, ReturnedModel
from harness.compare.decide.constraints import Constraints
from harness.compare.decide.decision import decide
from harness.compare.prose.warnings import machine_warnings
from harness.compare.report.comparison import compare
from harness.compare.report.provenance import provenance
from tests.compare.builders import HERE_MODEL, completed, pattern


def asked(*names):
    day = "2026-11-28T10:00:00+00:00"
    returned = tuple(ReturnedModel(model=name, replies=8, first=day, last=day) for name in names)
    endpoint = EndpointInfo(host="api.openai.com", away=True, model="gpt-5-mini", returned=returned)
    return HERE_MODEL.model_copy(update={"hash": None, "endpoint": endpoint})


def test_memory_of_a_model_elsewhere_is_unknown_and_its_seconds_are_compared_with_none():
    here = completed("qa", "zero_shot", pattern(0.5))
    there = completed("qa", "few_shot", pattern(0.6), model="openai:gpt-5-mini", model_info=asked("gpt-5-mini-1"))
    rows = {row.label: row for row in compare([here, there]).suites[0].tasks[0].rows}
    assert rows["zero_shot"].cost.host_peak_bytes
    assert rows["few_shot"].cost.host_peak_bytes is None
    assert rows["few_shot"].cost.total_s == rows["zero_shot"].cost.total_s
    warning = next(text for text in machine_warnings([here.record, there.record]) if "2 kinds of machine" in text)
    assert "api.openai.com over HTTP, asked from x86-64" in warning


def test_an_alias_behind_which_another_model_answers_is_named():
    records = [
        completed("qa", name, pattern(0.5), model="openai:gpt-5-mini", model_info=asked(*names)).record
        for name, names in (("zero_shot", ("v1",)), ("few_shot", ("v1", "v2")))
    ]
    assert machine_warnings(records[:1]) == []
    assert machine_warnings(records) == [
        "compare scores with care: 2 models or configurations answered as openai:gpt-5-mini, v1 and v2."
    ]


def test_what_sends_data_out_of_the_house_is_excluded_where_data_stay():
    here = [completed("qa", name, pattern(0.5)) for name in ("zero_shot", "few_shot")]
    there = completed("qa", "zero_shot", pattern(0.9), model="openai:gpt-5-mini", model_info=asked("gpt-5-mini-1"))
    steps = ({"step": "synthesise", "teacher": "openai:gpt-5-mini"}, {"step": "lora"})
    taught = completed("qa", "synthesise(teacher='openai:gpt-5-mini')+lora", pattern(0.8))
    trial = taught.record.trial.model_copy(update={"steps": steps})
    taught = replace(taught, record=taught.record.model_copy(update={"trial": trial}))
    trials = [*here, there, taught]
    (task,) = decide(trials, Constraints(data_stays=True)).tasks
    excluded = {(option.strategy, option.model): option.reason for option in task.options if option.excluded}
    assert "leaves the house: api.openai.com" in excluded["zero_shot", "openai:gpt-5-mini"]
    assert task.chosen in {(trial.record.trial.strategy, trial.record.trial.model) for trial in here}
    decision = decide(trials, Constraints())
    assert decision.tasks[0].chosen == ("zero_shot", "openai:gpt-5-mini")
    assert any("api.openai.com, as gpt-5-mini-1, 2026-11-28. Prices and the model" in note for note in decision.notes)


def test_a_page_names_who_answered_and_when():
    there = completed("qa", "zero_shot", pattern(0.9), model="openai:gpt-5-mini", model_info=asked("gpt-5-mini-1"))
    told = provenance([there.record, there.record])
    assert told.answering == ("openai:gpt-5-mini: api.openai.com, as gpt-5-mini-1, 2026-11-28",)
    assert len(told.models) == 1
