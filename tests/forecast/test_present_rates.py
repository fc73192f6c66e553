"""A calibration is compared with the machine's speed at each run; one taken under load is none of a quiet machine."""

import json
import multiprocessing
import time

import pytest

from harness.data.cache import remember
from harness.forecast import calibration, machine_load
from harness.forecast.forecast_run import add_forecasts
from harness.forecast.machine_load import LoadWatch, quick_rates
from harness.forecast.present_rates import brought_to_present, is_outdated, load_note
from tests.forecast.test_forecasts import MACHINE, QUIET, machine, plan  # noqa: F401 - fixtures

BUSY = QUIET.model_copy(update={"matrix_flops": QUIET.matrix_flops / 8, "bandwidth": 5e9, "other_cores": 3.2})
THROTTLED = BUSY.model_copy(update={"other_cores": 0.0})
CALIBRATED = MACHINE.model_copy(update={"quick": QUIET})


def test_seconds_grow_as_products_and_copies_slow_down():
    present = brought_to_present(CALIBRATED, BUSY)
    assert present.read_long_s == pytest.approx(8 * MACHINE.read_long_s)
    assert present.step_many_s == pytest.approx(2 * MACHINE.step_many_s)
    assert present.bandwidth == pytest.approx(MACHINE.bandwidth / 2)
    assert present.base_bytes == MACHINE.base_bytes
    seconds = {name for name in type(MACHINE).model_fields if name.endswith("_s")}
    assert seconds == {*calibration._COMPUTING, *calibration._COPYING}


def test_chance_changes_nothing():
    jittered = QUIET.model_copy(update={"matrix_flops": 0.9 * QUIET.matrix_flops, "bandwidth": 1.1 * QUIET.bandwidth})
    assert brought_to_present(CALIBRATED, jittered) == CALIBRATED
    assert load_note(CALIBRATED, jittered) is None
    assert not is_outdated(CALIBRATED, jittered)


def test_a_forecast_made_under_load_is_longer_and_that_is_said_once(plan, machine, monkeypatch):  # noqa: F811
    options, measured, messages = machine
    trials = plan("zero_shot", "lora")
    add_forecasts(trials.trials, trials.prepared, options)
    file = next((options.cache / "calibrations").glob("*.json"))
    remember(file, CALIBRATED.model_dump_json())
    quiet = add_forecasts(trials.trials, trials.prepared, options)
    monkeypatch.setattr("harness.forecast.forecast_run.quick_rates", lambda threads: BUSY)
    del messages[:]
    busy = add_forecasts(trials.trials, trials.prepared, options)
    quiet_s, busy_s = (sum(trial.forecast.total_s for trial in trials if trial.forecast) for trials in (quiet, busy))
    assert 2 < busy_s / quiet_s < 8
    assert messages == [
        (
            "This machine is busy: other processes use 3.2 of 4 cores, and work takes up to 8.0 times as long as when "
            "it was calibrated. Forecasts allow for that; measured seconds hold it too, so run when it is idle to "
            "compare them."
        )
    ]
    assert len(measured) == 1


@pytest.mark.parametrize(
    ("earlier", "now", "measurements"), [(BUSY, QUIET, 2), (BUSY, BUSY, 1), (QUIET, BUSY, 1), (QUIET, QUIET, 1)]
)
def test_a_calibration_under_load_is_made_again_once_the_machine_is_quiet(
    run_with,
    earlier,
    now,
    measurements,
):
    assert run_with(earlier, now) == measurements


@pytest.fixture
def run_with(plan, machine, monkeypatch):  # noqa: F811
    """Plan with a calibration that was taken at one moment, at another; count the measurements."""

    def run(earlier, now):
        options, measured, _ = machine
        trials = plan("zero_shot", tasks=("moods",))
        add_forecasts(trials.trials, trials.prepared, options)
        file = next((options.cache / "calibrations").glob("*.json"))
        remember(file, MACHINE.model_copy(update={"quick": earlier}).model_dump_json())
        monkeypatch.setattr("harness.forecast.forecast_run.quick_rates", lambda threads: now)
        add_forecasts(trials.trials, trials.prepared, options)
        return len(measured)

    return run


def test_a_machine_that_is_slower_without_a_load_is_told_apart():
    assert load_note(CALIBRATED, THROTTLED) == (
        "Work on this machine takes up to 8.0 times as long as when it was calibrated: forecasts allow for that."
    )
    assert is_outdated(MACHINE.model_copy(update={"quick": THROTTLED}), QUIET)
    assert load_note(MACHINE, BUSY).startswith("This machine is busy: other processes use 3.2 of 4 cores.")


def test_a_calibration_holds_the_load_under_which_it_was_taken(tiny_folders, tmp_path, monkeypatch):
    rates = MACHINE.model_dump(exclude={"made_at", "memory_bytes", "slack", "quick"}) | {"other_cores": 2.5}

    class Ran:
        returncode, stdout = 0, json.dumps(rates)

    monkeypatch.setattr(calibration, "run_python", lambda *_, **__: Ran)
    monkeypatch.setattr(calibration, "quick_rates", lambda threads: QUIET)
    measured = calibration.calibrate(tiny_folders(), None, tmp_path)
    assert measured.quick.other_cores == 2.5
    assert measured.quick.busy
    assert calibration.cached_calibration(tiny_folders(), None, tmp_path) == measured


def test_the_machine_is_measured_in_half_a_second(monkeypatch):
    monkeypatch.setattr(machine_load, "_MEASURE_S", 0.02)
    rates = quick_rates(1)
    assert rates.matrix_flops > 1e8
    assert rates.bandwidth > 1e7


def _spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_what_other_processes_compute_is_seen_and_what_this_one_computes_is_not():
    _spin(0.0)
    process = multiprocessing.get_context("fork").Process(target=_spin, args=(0.6,))
    process.start()
    watch = LoadWatch()
    time.sleep(0.5)
    with_other = watch.other_cores()
    process.join()
    assert with_other > 0.2
    start_own = LoadWatch()
    before = machine_load._own_s()
    _spin(0.3)
    assert machine_load._own_s() - before > 0.1
    assert start_own.other_cores() >= 0
