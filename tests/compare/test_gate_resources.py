"""The gate on seconds and bytes: hardware, noise of repeats, and runs in turn."""

import pytest

from harness.compare.release.figures import ADAPTING_TIME
from harness.compare.release.gate import GateLimits, judge
from harness.compare.release.repeats import pair_runs
from harness.compare.release.run_noise import read_noise, write_noise
from harness.errors import HarnessError
from harness.records.measurements import Span
from tests.compare.builders import HERE, MIB
from tests.compare.release_builders import LATER, NOTHING, check, judged, measured, noise_of, pairing, trial_rows

ELSEWHERE = HERE.model_copy(update={"processor": "another"})


def test_unlike_hardware_compares_quality_and_refuses_speed_and_memory(tmp_path):
    elsewhere = trial_rows(at=LATER, slower=3.0, fatter=3.0, environment=ELSEWHERE)
    verdict = judged(tmp_path / "1", trial_rows(), elsewhere)
    assert verdict.outcome == "pass"
    refused = [check.figure for check in verdict.checks if check.outcome == "not compared"]
    assert refused == ["latency", "memory while answering"]
    assert judged(tmp_path / "2", trial_rows(), elsewhere, GateLimits(unlike_hardware=True)).outcome == "fail"
    required = judged(tmp_path / "3", trial_rows(), elsewhere, GateLimits(required=frozenset({"slowdown"})))
    assert required.outcome == "inconclusive"


def test_seconds_measured_once_stay_open_until_noise_is_known(tmp_path):
    sides = trial_rows(requests=0), trial_rows(at=LATER, requests=0)
    answering = check(judged(tmp_path / "1", *sides), "answering time")
    assert (answering.outcome, answering.low) == ("inconclusive", None)
    assert (
        check(judged(tmp_path / "2", *sides, noise=noise_of("answering time", 0.01)), "answering time").low is not None
    )
    assert (
        check(judged(tmp_path / "3", *sides, noise=noise_of("answering time", 0.01)), "answering time").outcome
        == "pass"
    )
    loud = check(judged(tmp_path / "4", *sides, noise=noise_of("answering time", 0.2)), "answering time")
    assert loud.outcome == "inconclusive"
    assert "runs of each" in loud.needed


def test_seeds_of_one_sitting_do_not_tell_the_noise_of_seconds(tmp_path):
    """Intervals of three runs in one sitting miss those of another day in five of eight."""
    sides = [
        [trial_rows(seed=seed, requests=0, slower=1 + seed / 100, at=at) for seed in range(3)]
        for at in ("2026-01-01", LATER)
    ]
    answering = check(judge(pairing(tmp_path, *sides), GateLimits(), NOTHING), "answering time")
    assert (answering.outcome, answering.high < 0.1) == ("inconclusive", True)
    assert "run 'harness repeat'" in answering.needed


def test_the_noise_of_repeats_widens_latency(tmp_path):
    quiet = check(judged(tmp_path / "1", trial_rows(), trial_rows(at=LATER)), "latency")
    noisy = check(judged(tmp_path / "2", trial_rows(), trial_rows(at=LATER), noise=noise_of("latency", 0.1)), "latency")
    assert noisy.high > quiet.high
    assert "noise between runs" in noisy.method


def test_one_run_of_each_neither_passes_nor_fails_on_speed_while_nobody_knows_how_far_runs_differ(tmp_path):
    same = check(judged(tmp_path / "0", trial_rows(), trial_rows(at=LATER)), "latency")
    assert (same.outcome, same.high < 0.1) == ("inconclusive", True)
    sides = trial_rows(), trial_rows(at=LATER, slower=1.4)
    open_yet = check(judged(tmp_path / "1", *sides), "latency")
    assert (open_yet.outcome, open_yet.low > 0.1) == ("inconclusive", True)
    assert "run 'harness repeat'" in open_yet.needed
    assert check(judged(tmp_path / "2", *sides, noise=noise_of("latency", 0.01)), "latency").outcome == "fail"
    assert check(judged(tmp_path / "3", *sides, noise=noise_of("latency", 0.2)), "latency").outcome == "inconclusive"


def test_an_adapter_that_an_earlier_trial_made_is_not_timed_again(tmp_path):
    def tuned(reused, **changes):
        spans = (
            Span(phase="adapt", wall_s=60.0, host_peak_bytes=900 * MIB, reused=reused),
            Span(phase="predict", wall_s=4.0, host_peak_bytes=800 * MIB),
        )
        return trial_rows(spans=spans, **changes)

    def figures_of(reused, where):
        return {check.figure for check in judged(tmp_path / where, tuned(False), tuned(reused, at=LATER)).checks}

    assert ADAPTING_TIME.name in figures_of(False, "1")
    assert ADAPTING_TIME.name not in figures_of(True, "2")
    assert not any("memory" in figure for figure in figures_of(True, "3"))  # its peak lacks what training left


def test_noise_is_read_as_it_was_written_and_damage_is_named(tmp_path):
    assert read_noise(tmp_path) == NOTHING
    write_noise(tmp_path, noise_of("latency", 0.1))
    assert read_noise(tmp_path) == noise_of("latency", 0.1)
    (tmp_path / "noise.json").write_text("{")
    with pytest.raises(HarnessError, match=r"noise\.json cannot be read"):
        read_noise(tmp_path)


def paired(tmp_path, factors, **changes):
    """Judge a release whose runs in turn took so many times as long as the baseline's."""
    rounds = [(measured(slower=1 + i / 5), measured(slower=(1 + i / 5) * factor)) for i, factor in enumerate(factors)]
    noise = pair_runs(rounds, noise_of("latency", 0.3))
    return check(judged(tmp_path, trial_rows(), trial_rows(at=LATER, **changes), noise=noise), "latency")


def test_runs_in_turn_tell_a_slower_release_from_slower_hours(tmp_path):
    """Each round is up to twice as slow as the first, and both sides of it are."""
    same = paired(tmp_path / "1", (1.0, 1.01, 0.99, 1.02, 1.0))
    assert (same.outcome, same.n, same.per) == ("pass", 5, "pair of runs")
    slower = paired(tmp_path / "2", (1.2, 1.21, 1.19, 1.22, 1.2))
    assert (slower.outcome, round(slower.change, 2)) == ("fail", 0.2)


@pytest.mark.parametrize(
    "changes",
    [
        {"tasks": (trial_rows()[0].tasks[0].model_copy(update={"data_hash": "another"}),)},
        {"environment": HERE.model_copy(update={"packages": {"torch": "3"}})},
        {"environment": HERE.model_copy(update={"git_commit": "c" * 40})},
    ],
    ids=["data", "packages", "commit"],
)
def test_runs_in_turn_of_another_candidate_are_not_used(tmp_path, changes):
    assert paired(tmp_path, (1.0, 1.0, 1.01), **changes).per != "pair of runs"
