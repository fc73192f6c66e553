"""A reduced quickstart through the command line: a real model, real data, and a report of the promised shape."""

import math
import time

import pytest

pytestmark = pytest.mark.e2e

SIZES = ("--limit", "test=16,train=16,validation=8", "--requests", "5", "--check-items", "4")
TRIAL = {"suite", "task", "strategy", "model", "seed", "status", "reason", "scores", "spans"}
SPAN = {"wall_s", "host_peak_bytes", "gpu_peak_bytes", "tokens_in", "tokens_out"}


@pytest.fixture(scope="module")
def printed(harness):
    return harness("run", "quickstart", *SIZES)


@pytest.fixture(scope="module")
def trials(harness, printed):
    return harness.report("quickstart")


def test_the_run_prints_a_table_of_every_task(printed):
    for word in ("sentiment", "questions", "knowledge", "zero_shot", "few_shot", "lora", "full", "rag"):
        assert word in printed


def test_every_strategy_is_completed(trials):
    compared = {}
    for trial in trials:
        assert (trial["status"], trial["reason"]) == ("completed", None)
        compared.setdefault(trial["task"], set()).add(trial["strategy"])
    assert compared == {
        "sentiment": {"zero_shot", "majority", "few_shot", "full", "lora"},
        "questions": {
            "zero_shot",
            "few_shot",
            "rag(k=1)",
            "few_shot(k=4)+rag(k=1)",
            "lora",
            "rag(k=1)+lora",
            "lora+rag(k=1)",
        },
        "knowledge": {"zero_shot"},
    }


def test_the_report_has_the_promised_shape(trials):
    for trial in trials:
        assert trial.keys() >= TRIAL
        assert trial["suite"] == "quickstart"
        for score in trial["scores"].values():
            assert score.keys() == {"value", "low", "high", "n"}
        for span in trial["spans"].values():
            assert span.keys() >= SPAN


def test_every_score_lies_within_its_interval(trials):
    for trial in completed(trials):
        scores = {name: score for name, score in trial["scores"].items() if score["low"] is not None}
        assert scores
        for score in scores.values():
            assert score["low"] <= score["value"] <= score["high"]
            assert all(math.isfinite(score[key]) for key in ("value", "low", "high"))


def test_every_phase_was_measured(trials):
    for trial in completed(trials):
        steps = steps_of(trial)
        expected = {"load", "predict", "serve", "score"} | ({"index"} if "rag" in steps else set())
        expected |= {"adapt"} if {"lora", "full", "few_shot"} & set(steps) else set()
        assert expected <= trial["spans"].keys()
        assert all(span["wall_s"] > 0 and span["host_peak_bytes"] > 0 for span in trial["spans"].values())
        assert bool(trial["spans"]["predict"]["tokens_in"]) == (steps != ["majority"])
        if trial["task"] == "questions":
            assert trial["spans"]["predict"]["tokens_out"] > 0


def test_requests_were_answered_one_by_one_and_a_batch_reads_and_writes_faster(trials):
    for trial in completed(trials):
        latency = trial["latency"]
        assert 5 <= latency["requests"] <= 20
        if steps_of(trial) == ["majority"]:  # reads nothing
            continue
        assert latency["wall"][0]["share"] == 0.5
        assert latency["prefill_tokens_per_s"] > 0
        assert trial["prefill_tokens_per_s"] > 0
        if trial["task"] == "questions":
            assert latency["first_token"][0]["value_s"] < latency["wall"][0]["value_s"]
            assert 0 < latency["decode_tokens_per_s"] < trial["decode_tokens_per_s"]


def test_tuned_strategies_say_what_became_of_general_knowledge(trials):
    for trial in completed(trials):
        tuned = {"lora", "full"} & set(steps_of(trial))
        assert ("retention/knowledge" in trial["scores"]) == bool(tuned)


def test_the_report_says_how_well_passages_were_found(trials):
    for trial in completed(trials):
        if trial["task"] == "questions":
            retrieves = "rag" in trial["strategy"]
            assert ("recall@1" in trial["scores"]) == retrieves
            assert ("mrr" in trial["scores"]) == retrieves


def test_running_again_runs_nothing(harness, trials):
    before = sorted(path.stat().st_mtime_ns for path in (harness.folder / "results").rglob("record.json"))
    began = time.monotonic()
    printed = harness("run", "quickstart", *SIZES)
    assert time.monotonic() - began < 30  # no trial takes less than loading its libraries
    assert "completed in" not in printed
    completed_before = len(completed(trials))
    assert len(before) >= completed_before
    assert harness.report("quickstart") == trials


def steps_of(trial):
    """Names of the steps of a trial's strategy."""
    return [step.partition("(")[0] for step in trial["strategy"].split("+")]


def completed(trials):
    return [trial for trial in trials if trial["status"] == "completed"]
