"""Rows of models that were asked over HTTP: no bytes of theirs, seconds of nobody's machine, aliases that moved."""

from harness.api import EndpointInfo, ReturnedModel
from harness.compare.prose.warnings import machine_warnings
from harness.compare.report.comparison import compare
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
        "scores only with care: 2 models or configurations answered as openai:gpt-5-mini, v1 and v2."
    ]
