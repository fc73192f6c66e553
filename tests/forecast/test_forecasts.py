"""Forecasts of trials: more work takes longer, calibrations are cached by machine and model, plans show forecasts."""

import json
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from harness.data.cache import remember
from harness.errors import HarnessError
from harness.forecast import calibration, fits
from harness.forecast.calibration import MachineCalibration, cached_calibration, calibrate, calibration_key
from harness.forecast.forecast_run import SWITCH, ForecastOptions, add_forecasts
from harness.forecast.machine_load import QuickRates
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.render.plan import listing
from harness.trial import ablations

MACHINE = MachineCalibration(
    made_at="2026-01-01T00:00:00+00:00",
    layers=2,
    base_bytes=4e8,
    first_use_bytes=7e7,
    retrieval_bytes=8e7,
    matrix_flops=4e11,
    bandwidth=1e10,
    open_s=0.2,
    read_short_s=1e-4,
    read_long_s=1.2e-4,
    prediction_s=1e-4,
    step_one_s=0.005,
    step_many_s=0.02,
    besides_one_s=0.002,
    besides_many_s=0.004,
    code_bytes=1e3,
    code_s=2e-3,
    embed_s=1e-11,
    through_s=3e-4,
    weights_s=4.5e-4,
    small_s=4e-4,
    update_s=3e-9,
    quantise_s=2e-8,
    whole_s=3e-10,
    risen_bytes=3e8,
    risen_tokens=464,
    risen_predictions=48,
    risen_lengths=16,
    slack=0.4,
    memory_bytes=24 * 2**30,
)

QUIET = QuickRates(matrix_flops=1e11, bandwidth=1e10, other_cores=0.1, cores=4)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Options with a fixed calibration, the folders that were measured, and the messages."""
    monkeypatch.setenv(SWITCH, "on")
    measured, messages = [], []

    def measure(folder, threads, cache):
        measured.append(str(folder))
        remember(calibration._cache_file(folder, threads, cache), MACHINE.model_dump_json())
        return MACHINE

    @contextmanager
    def busy(message):
        messages.append(message)
        yield

    monkeypatch.setattr("harness.forecast.forecast_run.calibrate", measure)
    monkeypatch.setattr("harness.forecast.forecast_run.quick_rates", lambda threads: QUIET)
    return ForecastOptions(tmp_path, busy, messages.append), measured, messages


@pytest.fixture
def plan(tiny_suite, tiny_folders):
    def make(*strategies, **options):
        config = RunConfig(suite=str(tiny_suite), models=(str(tiny_folders()),), strategies=strategies, **options)
        return make_plan(config)

    return make


def forecasts(plan, options):
    trials = add_forecasts(plan.trials, plan.prepared, options)
    return {(planned.trial.task, planned.trial.label): planned.forecast for planned in trials}


def test_more_work_is_expected_to_take_longer(plan, machine):
    by_strategy = forecasts(plan("zero_shot", "few_shot", "lora(epochs=3)", "lora", tasks=("moods",)), machine[0])
    assert by_strategy["moods", "zero_shot"].total_s < by_strategy["moods", "few_shot"].total_s
    adapt_s = [by_strategy["moods", name].phases_s["adapt"] for name in ("lora(epochs=3)", "lora")]
    assert 0 < adapt_s[0] < adapt_s[1]


def test_a_training_that_may_stop_early_has_a_range(plan, machine):
    by_strategy = forecasts(
        plan("lora(min_steps=2,evaluate_every=2,patience=1,epochs=40)", "lora(patience=0,epochs=40)", tasks=("moods",)),
        machine[0],
    )
    early, whole = by_strategy.values()
    assert 0 < early.floor_phases_s["adapt"] < early.phases_s["adapt"] / 2
    assert whole.floor_phases_s == {}


def test_fewer_training_items_are_expected_to_take_less_time(plan, machine):
    sizes = plan("lora", tasks=("moods",), train_sizes=(6, 12))
    small, large = (planned.forecast for planned in add_forecasts(sizes.trials, sizes.prepared, machine[0]))
    assert small.phases_s["adapt"] < large.phases_s["adapt"]
    assert small.tokens_in < large.tokens_in


def test_no_more_exemplars_and_passages_are_forecast_than_the_task_has(plan, machine, tiny_embedder):
    def twins(task, *names):
        by_strategy = forecasts(plan(*names, tasks=(task,)), machine[0])
        asked, available = (by_strategy[task, name] for name in names)
        assert asked == available

    (train,) = {task.sizes["train"] for task in plan("few_shot", tasks=("moods",)).tasks if task.name == "moods"}
    twins("moods", "few_shot(k=100000)", f"few_shot(k={train})")
    rag = f"rag(k={{}},embedder='{tiny_embedder}')"
    twins("facts", rag.format(100000), rag.format(24))


def test_passages_are_read_with_each_question(plan, machine, tiny_embedder):
    name = f"rag(k=2,embedder='{tiny_embedder}')"
    by_strategy = forecasts(plan("zero_shot", name, tasks=("facts",)), machine[0])
    with_passages = by_strategy["facts", name]
    assert with_passages.tokens_in > by_strategy["facts", "zero_shot"].tokens_in
    assert "index" in with_passages.phases_s


def test_canary_probes_are_forecast(tiny_suite, tiny_folders, tmp_path, machine):
    folder = tmp_path / "leaky"
    shutil.copytree(tiny_suite, folder)
    text, anchor = (folder / "suite.toml").read_text(), 'evidence = "page"\n'
    (folder / "suite.toml").write_text(text.replace(anchor, f"{anchor}canaries = 6\n"))
    zero_shot = []
    for suite in (tiny_suite, folder):
        config = RunConfig(
            suite=str(suite), models=(str(tiny_folders()),), strategies=("zero_shot",), tasks=("facts",), requests=0
        )
        zero_shot.append(forecasts(make_plan(config), machine[0])["facts", "zero_shot"])
    usual, leaky = zero_shot
    assert leaky.phases_s["probe"] > usual.phases_s.get("probe", 0)
    assert leaky.tokens_in > usual.tokens_in + 6 * 256  # a canary has two tokens, of which sixteen share the first
    assert leaky.host_peak_bytes > usual.host_peak_bytes


def test_ablations_are_forecast_with_the_budget_that_they_run_with(
    tiny_suite, tiny_folders, tmp_path, machine, monkeypatch
):
    folder = tmp_path / "paraphrased"
    shutil.copytree(tiny_suite, folder)
    text, anchor = (folder / "suite.toml").read_text(), "max_new_tokens = 4"
    paraphrases = 'paraphrases = ["Reply briefly.", "Give a short answer.", "Answer in a few words."]'
    (folder / "suite.toml").write_text(text.replace(anchor, f"{paraphrases}\n{anchor}"))
    config = RunConfig(suite=str(folder), models=(str(tiny_folders()),), strategies=("zero_shot",), tasks=("facts",))
    check_s = []
    for tokens in (10**6, 1):
        monkeypatch.setattr(ablations, "PARAPHRASE_TOKENS", tokens)
        check_s.append(forecasts(make_plan(config), machine[0])["facts", "zero_shot"].phases_s["check"])
    assert check_s[0] == pytest.approx(3 * check_s[1], rel=0.2)


def test_the_budget_of_ablations_is_imported_without_torch():
    code = "import sys, harness.trial.ablations; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_full_tuning_is_expected_to_need_the_most_memory(plan, machine):
    by_strategy = forecasts(plan("zero_shot", "lora", "full", tasks=("moods",)), machine[0])
    peaks = [by_strategy["moods", name].host_peak_bytes for name in ("zero_shot", "lora", "full")]
    assert peaks == sorted(peaks)
    assert peaks[0] > MACHINE.base_bytes


def test_a_search_with_a_larger_budget_is_expected_to_take_longer(plan, machine):
    from harness.records.record import Budget

    totals = [
        forecasts(plan("lora", tasks=("moods",), budget=budget), machine[0]).popitem()[1].total_s
        for budget in (None, Budget(unit="trials", amount=4), Budget(unit="trials", amount=8))
    ]
    assert totals[0] < totals[1] < totals[2]


def test_a_machine_is_measured_once_and_that_is_said(plan, machine):
    options, measured, messages = machine
    trials = plan("zero_shot", "lora")
    for _ in range(2):
        add_forecasts(trials.trials, trials.prepared, options)
    assert len(measured) == len(messages) == 1
    add_forecasts(trials.trials, trials.prepared, replace(options, recalibrate=True))
    assert len(measured) == 2


def test_a_machine_that_cannot_be_measured_costs_the_forecasts_and_not_the_run(plan, machine, monkeypatch):
    def fail(*_):
        raise HarnessError("it is too busy.")

    options, _, messages = machine
    monkeypatch.setattr("harness.forecast.forecast_run.calibrate", fail)
    assert not any(forecasts(plan("zero_shot"), options).values())
    assert "it is too busy" in messages[-1]


def test_nothing_is_measured_where_forecasts_are_switched_off(plan, machine, monkeypatch):
    options, measured, _ = machine
    monkeypatch.setenv(SWITCH, "off")
    assert not any(forecasts(plan("zero_shot"), options).values())
    assert not measured


def test_a_calibration_belongs_to_its_model_its_threads_and_its_packages(tiny_folders, monkeypatch):
    first, other = tiny_folders(), tiny_folders("gpt2")
    keys = {calibration_key(first, None), calibration_key(first, 7), calibration_key(other, None)}
    assert len(keys) == 3
    environment = calibration.current_environment("calibration")
    upgraded = environment.model_copy(update={"packages": {**environment.packages, "torch": "99"}})
    with monkeypatch.context() as patch:
        patch.setattr(calibration, "current_environment", lambda command: upgraded)
        assert calibration_key(first, None) not in keys
    monkeypatch.setattr(calibration.gpu, "device_name", lambda: "NVIDIA H100")
    assert calibration_key(first, None) not in keys


def test_a_damaged_calibration_counts_as_none(tiny_folders, tmp_path):
    file = calibration._cache_file(tiny_folders(), None, tmp_path)
    remember(file, MACHINE.model_dump_json())
    assert cached_calibration(tiny_folders(), None, tmp_path) == MACHINE
    content = file.read_bytes()
    digit = next(i for i in range(len(content) - 1, 0, -1) if content[i : i + 1].isdigit())
    changed = content[:digit] + bytes([content[digit] ^ 1]) + content[digit + 1 :]  # another number, and still JSON
    for damaged in (content[:100], changed, b"", b"\xff" * 9):
        file.write_bytes(damaged)
        assert cached_calibration(tiny_folders(), None, tmp_path) is None


@pytest.mark.e2e
def test_this_machine_can_be_measured(tiny_folders, tmp_path):
    measured = calibrate(tiny_folders(), 1, tmp_path)
    assert cached_calibration(tiny_folders(), 1, tmp_path) == measured
    rates = {name: rate for name, rate in measured.model_dump().items() if name.endswith("_s")}
    assert all(rate >= 0 for rate in rates.values()), json.dumps(rates)
    assert measured.read_short_s > 0
    assert measured.base_bytes > 1e7


def test_a_plan_shows_memory_time_and_what_does_not_fit(plan, machine):
    planned = plan("zero_shot", "lora", tasks=("moods",))
    trials = add_forecasts(planned.trials, planned.prepared, machine[0])
    huge = trials[0].forecast.model_copy(update={"host_peak_bytes": 2**60})
    trials[0] = trials[0].model_copy(update={"forecast": huge})
    screen = Console(file=StringIO(), width=140)
    for part in listing.planned_trials(replace(planned, trials=tuple(trials)), trials):
        screen.print(part)
    text = " ".join(screen.file.getvalue().split())
    assert "memory time" in text
    assert re.search(r"Forecast: [\d.]+ \w+( to [\d.]+ \w+)? in all", text)
    assert "Forecast:" in text
    assert "Warning: zero_shot on moods is expected to need" in text
    assert "Warning: lora" not in text


def test_sizes_can_be_given_in_place_of_a_model(tmp_path):
    sizes = "hidden=4096,layers=32,heads=32,kv_heads=8,intermediate=14336,vocab=128256"
    assert fits.find_architecture(sizes, tmp_path) == fits.KNOWN_ARCHITECTURES["llama-3.1-8b"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hidden=64,layers=2", "names no heads"),
        ("hidden=many,layers=2", "is no size"),
        ("depth=3", "unknown size 'depth'"),
        ("llama-3.1-9b", "did you mean 'llama-3.1-8b'"),
    ],
)
def test_a_model_that_is_none_is_told_of(name, message, tmp_path):
    with pytest.raises(HarnessError, match=message):
        fits.find_architecture(name, tmp_path)


def test_an_unknown_gpu_is_told_of_with_the_nearest_one():
    with pytest.raises(HarnessError, match="did you mean 'rtx4090'"):
        fits.find_gpu("rtx4091")
