"""Forecasts of steps that read a whole corpus: the cached prefix, and what a teacher writes."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.api.architecture import Architecture, Footprint, Linear
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.forecast.memory import cache_bytes
from harness.forecast.token_lengths import task_token_lengths
from harness.forecast.workload import answering_workload, prompt_shape, request_workload
from harness.plan import window
from tests.forecast.test_forecasts import forecasts, machine, plan  # noqa: F401 - fixtures

FACTS = {"tasks": ("facts",)}


@pytest.fixture(autouse=True)
def _long_windows(monkeypatch):
    monkeypatch.setattr(window, "shortage", lambda task, model: None)  # the tiny model's is too short for the corpus


@pytest.fixture
def shapes(plan, machine):  # noqa: F811
    """Give the prompts of a strategy as they are forecast."""
    planned = plan("zero_shot", **FACTS).trials[0]
    task = prepare(load_suite(planned.suite_folder), "facts")
    lengths = task_token_lengths(task, Path(planned.model_reference), "tiny", machine[0].cache)
    return lengths, lambda **changes: prompt_shape(lengths, [Footprint(**changes)], 4)


def test_the_corpus_is_read_once_and_no_request_reads_it_again(shapes):
    lengths, shape = shapes
    long, plain = shape(whole_corpus=True), shape()
    assert long.prefix_tokens - plain.prefix_tokens == pytest.approx(lengths.corpus)
    assert request_workload(long).tokens < request_workload(plain).tokens + 1
    assert request_workload(long).mean_cache_tokens > lengths.corpus
    assert answering_workload(long, 8).tokens < lengths.corpus
    assert answering_workload(long, 8).input_tokens > 8 * lengths.corpus


def test_copies_of_the_prefix_bound_what_is_decoded_together(shapes):
    long = replace(shapes[1](whole_corpus=True), prefix_tokens=6000.0)
    assert answering_workload(long, 64).peak_cache_tokens <= 32_768


def test_the_prefix_and_its_memory_are_forecast(plan, machine):  # noqa: F811
    predicted = forecasts(plan("zero_shot", "long_context", **FACTS), machine[0])
    plain, long = predicted["facts", "zero_shot"], predicted["facts", "long_context"]
    assert long.phases_s["index"] > 0
    assert "index" not in plain.phases_s
    assert long.host_peak_bytes > plain.host_peak_bytes
    assert long.tokens_in > 8 * plain.tokens_in


def test_keys_and_values_of_the_default_model_are_counted():
    shape = Architecture(576, 30, 9, 192, 1536, 49152, (Linear("q_proj", 576, 576),), dtype_bytes=4.0)
    assert cache_bytes(shape, 6000) == 6000 * 2 * 192 * 30 * 4


def test_writing_and_what_is_learned_of_it_are_forecast(plan, machine):  # noqa: F811
    strategies = (
        "lora",
        "synthesise+lora",
        "synthesise(per_passage=6)+lora",
        "synthesise(per_passage=6,add=false)+lora",
    )
    predicted = forecasts(plan(*strategies, **FACTS), machine[0])
    seconds = {name: predicted["facts", name].phases_s["adapt"] for name in strategies}
    assert seconds["lora"] < seconds["synthesise+lora"] < seconds["synthesise(per_passage=6)+lora"]
    assert seconds["synthesise(per_passage=6,add=false)+lora"] < seconds["synthesise(per_passage=6)+lora"]
    assert predicted["facts", "synthesise+lora"].tokens_out > predicted["facts", "lora"].tokens_out
