"""Live display of a run: time left, one line a trial without a terminal, a display with one."""

import io
import time

import pytest
from rich.console import Console
from run_doubles import RUNNER, plan, record

from harness.execute.events import Finished, Interrupted, Progress, Started
from harness.execute.interrupted import RunningTrial
from harness.execute.local_executor import execute
from harness.records.measurements import Forecast, Span
from harness.records.record import Failed, Skipped
from harness.render.plan.live import TimeLeft, download_bar, ending, time_left, watch
from harness.store.results_store import Store


def test_nothing_is_said_of_the_time_left_before_a_trial_ended():
    left = TimeLeft(plan("a", "b"))
    left.start(plan("a")[0], now=0.0)
    assert left.seconds(now=100.0) is None
    assert time_left(None) == "estimating the time left"


def foreseen(planned, *seconds):
    return [
        one.model_copy(update={"forecast": Forecast(phases_s={"predict": value})})
        for one, value in zip(planned, seconds, strict=True)
    ]


def without_spans(planned):
    return record(planned.trial).model_copy(update={"spans": ()})


def test_the_time_left_is_the_forecast_corrected_by_what_trials_took():
    first, second, third = foreseen(plan("a", "b", "c"), 10.0, 30.0, 10.0)
    left = TimeLeft([first, second, third])
    left.start(first, now=0.0)
    assert left.seconds(now=0.0) == pytest.approx(50)
    left.end(first, 5.0, without_spans(first))
    assert left.seconds(now=5.0) == pytest.approx(0.5 * 40)
    left.start(second, now=5.0)
    assert left.seconds(now=9.0) == pytest.approx(0.5 * 40 - 4)
    assert left.seconds(now=1000.0) == pytest.approx(5.0)


def test_trials_count_alike_where_one_has_no_forecast():
    first, second, third = plan("a", "b", "c")
    left = TimeLeft([*foreseen([first], 100.0), second, third])
    left.end(first, 5.0, without_spans(first))
    assert left.seconds(now=5.0) == pytest.approx(10.0)


def test_each_phase_is_corrected_by_what_it_took_itself():
    first, second = (
        planned.model_copy(update={"forecast": Forecast(phases_s=phases)})
        for planned, phases in zip(
            plan("a", "b"), ({"adapt": 100.0, "predict": 100.0}, {"adapt": 1000.0, "predict": 10.0}), strict=True
        )
    )
    left = TimeLeft([first, second])
    spans = tuple(Span(phase=phase, wall_s=seconds) for phase, seconds in (("adapt", 300.0), ("predict", 100.0)))
    left.end(first, 402.0, record(first.trial).model_copy(update={"spans": spans}))
    assert left.seconds(now=0.0) == pytest.approx(3000 + 10 + 2, rel=0.01)


def test_a_later_trial_is_recorded_with_the_forecast_that_the_first_one_corrected(tmp_path):
    planned = foreseen(plan("fine", "fine(k=2)"), 100.0, 200.0)
    store = Store(tmp_path / "results")
    execute(planned, store, cache=tmp_path, observe=lambda event: None, runner=RUNNER)
    first, second = (store.find_completed(trial.trial.key).forecast for trial in planned)
    assert (first.total_s, first.corrected_by) == (100.0, 0)
    assert second.corrected_by == 1
    assert second.total_s < 100


@pytest.mark.parametrize(
    ("skipped", "remedy"), [(False, "it runs again; --skip-interrupted leaves it out."), (True, "it is left out now.")]
)
def test_a_trial_that_an_earlier_run_died_with_is_named(skipped, remedy):
    console = Console(file=io.StringIO(), width=60)
    running = RunningTrial(trial=plan("lora")[0].trial, started_at="", folder="", phase="adapt")
    with watch(console, []) as observe:
        observe(Interrupted(running, skipped))
    assert console.file.getvalue() == (f"An earlier run died while t · lora · m was running in phase adapt: {remedy}\n")


def test_a_failed_trial_says_nothing_about_speed():
    first, second = plan("a", "b")
    left = TimeLeft([first, second])
    left.end(first, 0.1, Failed(trial=first.trial, started_at="2026-01-01T00:00:00+00:00", reason="killed"))
    assert left.seconds(now=1.0) is None


def events(planned):
    first, second, third = planned
    yield Started(first)
    yield Progress(first, "adapt", "a", 3, 10)
    yield Finished(first, record(first.trial), wall_s=12.0)
    yield Started(second)
    yield Finished(
        second, Failed(trial=second.trial, started_at="2026-01-01T00:00:00+00:00", reason="killed [bold]"), 3.0
    )
    yield Finished(third, Skipped(trial=third.trial, reason="no corpus"))


def test_without_a_terminal_there_is_one_line_a_trial():
    out = io.StringIO()
    planned = plan("a", "b", "c")
    with watch(Console(file=out, width=40), planned[:2]) as observe:
        for event in events(planned):
            observe(event)
    assert out.getvalue().splitlines() == [
        "[1/2] t · a · m: completed in 12 s, token_f1 0.100 (about 12 s left)",
        "[2/2] t · b · m: failed: killed [bold]",
    ]


def test_a_terminal_shows_what_is_running_and_keeps_what_ended():
    out = io.StringIO()
    planned = plan("a", "b", "c")
    console = Console(file=out, width=120, force_terminal=True, color_system=None)
    with watch(console, planned[:2]) as observe:
        for event in events(planned):
            observe(event)
    text = out.getvalue()
    assert "✓ t · a · m: completed in 12 s, token_f1 0.100" in text
    assert "✗ t · b · m: failed: killed [bold]" in text
    assert "no corpus" not in text  # the report says that once
    assert "0 of 2, estimating the time left" in text
    assert "2 of 2, done" in text


def test_an_ending_shows_a_score_of_its_own_task_where_another_task_begins_with_its_name():
    (planned,) = plan("a")
    completed = record(planned.trial).model_copy(update={"scores": {"t2/accuracy": 0.9, "t/token_f1": 0.1}})
    assert ending(planned, completed, 12.0) == "t · a · m: completed in 12 s, token_f1 0.100"


def test_a_training_shows_where_its_curves_are():
    curves = {"step": 4, "loss": 0.312, "train_accuracy": 0.9, "validation_accuracy": 0.844, "validation_loss": 0.45}
    out = io.StringIO()
    console = Console(file=out, width=120, force_terminal=True, color_system=None)
    (planned,) = plan("a")
    with watch(console, [planned]) as observe:
        observe(Progress(planned, "adapt", "a", 4, 10, curves))
        time.sleep(0.3)  # the display draws itself a few times a second
    assert "adapt a 4/10 · loss 0.31 · val 0.45 · accuracy 0.84" in out.getvalue()


def test_a_download_that_is_not_needed_shows_nothing():
    out = io.StringIO()
    with download_bar(Console(file=out, force_terminal=True), "data"):
        pass
    assert out.getvalue() == ""


def test_a_download_shows_how_far_it_is():
    out = io.StringIO()
    with download_bar(Console(file=out, force_terminal=True, width=120), "smollm2") as report:
        report(10_000_000, 40_000_000)
    assert "fetching smollm2" in out.getvalue()
    assert "10.0/40.0 MB" in out.getvalue()
