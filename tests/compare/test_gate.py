"""The gate: what passes, fails and stays open, and that limits, directions and hardware mean what they say."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.compare.release.figures import ADAPTING_TIME
from harness.compare.release.gate import GateLimits, judge
from harness.compare.release.outcome import EXIT_CODES, gate
from harness.compare.release.pairing import group_systems, read_measured
from harness.compare.release.repeats import pair_runs
from harness.compare.release.run_noise import Noise, read_noise, write_noise
from harness.errors import HarnessError
from harness.records.measurements import Span
from harness.render.release.gate_report import as_json, markdown_summary
from harness.render.release.junit import render as junit
from tests.compare.builders import HERE, MIB
from tests.compare.release_builders import V1, measured, noise_of, pairing, share, store_of, trial_rows

LATER = "2026-02-01"
NOTHING = Noise()


def judged(folder, before, after, limits=None, noise=NOTHING):
    return judge(pairing(folder, [before], [after]), limits or GateLimits(), noise)


def check(verdict, figure):
    return next(check for check in verdict.checks if check.figure == figure)


def test_a_system_measured_again_passes(tmp_path):
    verdict = judged(tmp_path, trial_rows(), trial_rows(at=LATER), noise=noise_of("latency", 0.01))
    assert {check.figure: check.outcome for check in verdict.checks} == {
        "accuracy": "pass",
        "latency": "pass",
        "memory while answering": "pass",
        "tokens a question": "pass",
    }
    assert verdict.outcome == "pass"


def test_the_baselines_own_record_is_no_candidate(tmp_path):
    verdict = judged(tmp_path, trial_rows(), trial_rows())
    assert verdict.outcome == "inconclusive"
    assert "nothing was measured again" in verdict.checks[0].reason


@pytest.mark.parametrize(
    ("worse", "figure"),
    [
        ({"right": share(0.5)}, "accuracy"),
        ({"slower": 1.4}, "latency"),
        ({"fatter": 1.2}, "memory while answering"),
        ({"tokens": 30}, "tokens a question"),
    ],
)
def test_one_thing_that_is_clearly_worse_fails_the_release(tmp_path, worse, figure):
    verdict = judged(tmp_path, trial_rows(), trial_rows(at=LATER, **worse), noise=noise_of("latency", 0.01))
    assert [check.figure for check in verdict.checks if check.outcome == "fail"] == [figure]
    assert verdict.outcome == "fail"


@pytest.mark.parametrize("better", [{"right": share(0.9)}, {"slower": 0.5}, {"fatter": 0.5}, {"tokens": 5}])
def test_getting_better_passes(tmp_path, better):
    verdict = judged(tmp_path, trial_rows(), trial_rows(at=LATER, **better), noise=noise_of("latency", 0.01))
    assert verdict.outcome == "pass"


def test_a_loss_that_the_items_cannot_settle_is_inconclusive_with_the_number_that_would(tmp_path):
    flips = share(0.7, 40)
    flips[0], flips[5], flips[11] = (1 - flips[i] for i in (0, 5, 11))
    accuracy = check(judged(tmp_path, trial_rows(right=share(0.7, 40)), trial_rows(right=flips, at=LATER)), "accuracy")
    assert accuracy.outcome == "inconclusive"
    assert "items" in accuracy.needed


def outdated(right, **changes):
    """A task whose metric counts answers that are out of date: wrong ones are."""
    stored, answers = trial_rows("qa", right=right, **changes)
    info = stored.tasks[0].model_copy(update={"metrics": ("outdated",)})
    rejected = [row.model_copy(update={"rejected": "no" if row.references == ("yes",) else "yes"}) for row in answers]
    return stored.model_copy(update={"tasks": (info,)}), rejected


def test_a_metric_where_lower_is_better_is_turned(tmp_path):
    worse = judged(tmp_path / "1", outdated(share(0.8)), outdated(share(0.6), at=LATER))
    assert check(worse, "outdated").outcome == "fail"
    assert check(worse, "outdated").change == pytest.approx(0.2)
    better = judged(tmp_path / "2", outdated(share(0.6)), outdated(share(0.8), at=LATER))
    assert check(better, "outdated").outcome == "pass"


def test_clusters_widen_the_interval(tmp_path):
    before, after = share(0.7), [hit if i < 190 else 0 for i, hit in enumerate(share(0.7))]
    together = [f"c{i // 10}" for i in range(200)]
    alone = check(judged(tmp_path / "1", trial_rows(right=before), trial_rows(right=after, at=LATER)), "accuracy")
    grouped = judged(
        tmp_path / "2",
        trial_rows(right=before, clusters=together),
        trial_rows(right=after, at=LATER, clusters=together),
    )
    clustered = check(grouped, "accuracy")
    assert clustered.low < alone.low
    assert "clustered" in clustered.method


def test_items_that_changed_under_the_same_id_are_not_compared(tmp_path):
    stored, answers = trial_rows(at=LATER)
    other = [row.model_copy(update={"references": ("maybe",)}) if i < 100 else row for i, row in enumerate(answers)]
    assert check(judged(tmp_path, trial_rows(), (stored, other)), "accuracy").n == 100


def test_scores_of_another_protocol_are_not_compared_and_its_costs_are(tmp_path):
    verdict = judged(tmp_path, trial_rows(), trial_rows(at=LATER, right=share(0.2), protocol=2))
    quality = check(verdict, "accuracy")
    assert (quality.outcome, quality.change) == ("inconclusive", None)
    assert "protocols 1 and 2 are not comparable" in quality.reason
    assert check(verdict, "memory while answering").outcome == "pass"
    assert verdict.outcome == "inconclusive"


def test_a_strategy_that_was_not_measured_again_keeps_the_release_from_passing(tmp_path):
    sides = [[trial_rows(), trial_rows(task="know")], [trial_rows(at=LATER)]]
    verdict = judge(pairing(tmp_path, *sides), GateLimits(), noise_of("latency", 0.01))
    assert verdict.outcome == "inconclusive"
    assert [check.task for check in verdict.checks if check.outcome != "pass"] == ["know"]


def test_another_model_is_the_next_release_of_the_same_strategy(tmp_path):
    assert pairing(tmp_path, [trial_rows(model="a")], [trial_rows(model="b")]).pairs[0].candidate.model == "b"


def test_of_several_models_each_meets_itself(tmp_path):
    pairs = pairing(
        tmp_path,
        [trial_rows(model="a"), trial_rows(model="b")],
        [trial_rows(model="b", at=LATER), trial_rows(model="c")],
    )
    assert [(p.baseline.model, p.candidate.model) for p in pairs.pairs] == [("b", "b")]
    assert [system.model for system in pairs.missing] == ["a"]


def test_a_strategy_may_be_held_against_one_of_another_name(tmp_path):
    pairs = pairing(
        tmp_path, [trial_rows()], [trial_rows(strategy="prompt"), trial_rows(strategy="rag")], ["prompt"], "zero_shot"
    )
    assert [(p.baseline.strategy, p.candidate.strategy) for p in pairs.pairs] == [("zero_shot", "prompt")]
    with pytest.raises(HarnessError, match="unknown strategy 'rga' in the candidate's results"):
        pairing(tmp_path / "x", [trial_rows()], [trial_rows()], ["rga"])


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
    assert "harness repeat SUITE --against BASELINE" in answering.needed


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
    assert "harness repeat SUITE --against BASELINE" in open_yet.needed
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


def test_margins_are_found_by_task_and_metric_and_others_refused(tmp_path):
    worse = trial_rows(right=share(0.6), at=LATER)
    for number, key in enumerate(("mood.accuracy", "mood", "accuracy", "")):
        limits = GateLimits(margins={key: 0.3})
        verdict = judged(tmp_path / str(number), trial_rows(), worse, limits, noise_of("latency", 0.01))
        assert check(verdict, "accuracy").limit == 0.3
        assert verdict.outcome == "pass"
    with pytest.raises(HarnessError, match="unknown task or metric 'acuracy' in --margin: did you mean 'accuracy'"):
        judged(tmp_path / "x", trial_rows(), worse, GateLimits(margins={"acuracy": 0.3}))
    with pytest.raises(HarnessError, match="0 or more"):
        judged(tmp_path / "y", trial_rows(), worse, GateLimits(margins={"": -0.3}))


def test_a_second_metric_is_checked_where_it_has_a_margin(tmp_path):
    sides = trial_rows("qa"), trial_rows("qa", at=LATER)
    assert "exact_match" not in {judged_check.figure for judged_check in judged(tmp_path / "1", *sides).checks}
    verdict = judged(tmp_path / "2", *sides, limits=GateLimits(margins={"qa.exact_match": 0.1}))
    assert check(verdict, "exact_match").outcome == "pass"


hits = st.lists(st.integers(0, 1), min_size=2, max_size=60)


@settings(max_examples=25, deadline=None)
@given(right=hits, slower=st.floats(0.5, 2))
def test_a_system_against_itself_never_fails(tmp_path_factory, right, slower):
    folder = tmp_path_factory.mktemp("same")
    before = trial_rows(right=right, slower=slower)
    again = before[0].model_copy(update={"started_at": "2026-05-05T00:00:00+00:00"}), before[1]
    assert judged(folder, before, again).outcome != "fail"


@settings(max_examples=25, deadline=None)
@given(before=hits, seed=st.integers(0, 9), narrow=st.floats(0, 0.5), wider=st.floats(0, 0.5))
def test_a_wider_margin_never_makes_an_outcome_worse(tmp_path_factory, before, seed, narrow, wider):
    rank = ["fail", "inconclusive", "pass"]
    after = [hit if (i * 7 + seed) % 5 else 1 - hit for i, hit in enumerate(before)]
    pairs = pairing(tmp_path_factory.mktemp("margin"), [trial_rows(right=before)], [trial_rows(right=after, at=LATER)])
    outcomes = [
        judge(pairs, GateLimits(margins={"": m}, slowdown=m, memory=m, cost=m), NOTHING)
        for m in (narrow, narrow + wider)
    ]
    for first, second in zip(outcomes[0].checks, outcomes[1].checks, strict=True):
        assert rank.index(first.outcome) <= rank.index(second.outcome)
    assert rank.index(outcomes[0].outcome) <= rank.index(outcomes[1].outcome)


@pytest.mark.parametrize("worse", [{}, {"right": share(0.4)}, {"environment": ELSEWHERE}, {"requests": 0}])
def test_junit_markdown_and_json_say_what_the_gate_says(tmp_path, worse):
    pairs = pairing(tmp_path, [trial_rows(strategy="a|<&\x07b")], [trial_rows(strategy="a|<&\x07b", at=LATER, **worse)])
    gate_outcome = gate(V1, pairs, GateLimits(), NOTHING)
    root = ET.fromstring(junit(gate_outcome))  # noqa: S314 - our own text
    assert len(root.findall(".//testcase")) == len(gate_outcome.verdict.checks) == int(root[0].get("tests"))
    for tag, outcome in (("failure", "fail"), ("error", "inconclusive"), ("skipped", "not compared")):
        assert len(root.findall(f".//testcase/{tag}")) == sum(c.outcome == outcome for c in gate_outcome.verdict.checks)
    assert gate_outcome.verdict.outcome.upper() in markdown_summary(gate_outcome)
    assert f'"exit_code": {EXIT_CODES[gate_outcome.verdict.outcome]}' in as_json(gate_outcome)


def test_every_seed_of_a_strategy_belongs_to_one_system(tmp_path):
    (system,) = group_systems(read_measured(store_of(tmp_path, *[trial_rows(seed=seed) for seed in range(3)]).load()))
    assert [record.trial.seed for record in system.records] == [0, 1, 2]


@pytest.mark.parametrize(("right", "margin"), [(0.8, 0.04), (0.4, 0.02), (0.02, 1 / 200)])
def test_the_margin_is_a_share_of_the_baselines_score_and_at_least_one_item(tmp_path, right, margin):
    """As a share of the range, a system with a score of 0.05 could lose all of it."""
    verdict = judged(tmp_path, trial_rows(right=share(right)), trial_rows(right=share(right), at=LATER))
    assert check(verdict, "accuracy").limit == pytest.approx(margin)


LORA = {"strategy": "lora", "steps": ({"step": "lora"},), "trained_parameters": 9}


def test_retrained_systems_carry_the_spread_over_seeds_on_both_sides_and_the_same_weights_do_not(tmp_path):
    def width(where, before, after):
        accuracy = check(judge(pairing(tmp_path / where, before, after), GateLimits(), NOTHING), "accuracy")
        return accuracy.high - accuracy.low, accuracy.method

    other = [1 - hit if i in (3, 90) else hit for i, hit in enumerate(share(0.7))]
    before = [trial_rows(**LORA)]
    same, _ = width("same", before, [trial_rows(at=LATER, **LORA)])
    assert same < 0.06
    retrained, method = width("again", before, [trial_rows(at=LATER, right=other, **LORA)])
    assert "seeds" in method
    assert retrained > 2 * same
    prompted, _ = width("prompt", [trial_rows()], [trial_rows(at=LATER, right=other)])
    assert prompted < retrained


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


def sliced(groups, at, right):
    """A trial whose items have a language."""
    stored, answers = trial_rows(right=right, at=at)
    info = stored.tasks[0].model_copy(update={"groups": ("language",)})
    return stored.model_copy(update={"tasks": (info,)}), [
        row.model_copy(update={"groups": (groups[i],)}) for i, row in enumerate(answers)
    ]


def slice_outcomes(folder, before, after, groups):
    verdict = judged(folder, sliced(groups, "2026-01-01", before), sliced(groups, LATER, after), noise=CALM)
    return verdict, {check.of: check.outcome for check in verdict.checks if check.of}


CALM = noise_of("latency", 0.01)


def test_a_release_that_breaks_one_slice_fails_though_the_whole_passes(tmp_path):
    groups = ["en"] * 170 + ["de"] * 30
    before = [1] * 200
    after = [1] * 170 + [1, 1, 0] * 10
    limits = GateLimits(margins={"accuracy": 0.1})
    pair = (sliced(groups, "2026-01-01", before), sliced(groups, LATER, after))
    verdict = judged(tmp_path, *pair, limits, noise=CALM)
    assert {check.of: check.outcome for check in verdict.checks if check.figure == "accuracy"} == {
        None: "pass",
        "language = de": "fail",
        "language = en": "pass",
    }
    assert verdict.outcome == "fail"


def test_a_slice_that_is_not_concluded_holds_no_release_up(tmp_path):
    groups = ["en"] * 170 + ["de"] * 25 + ["fr"] * 5
    verdict, outcomes = slice_outcomes(tmp_path, [1] * 200, [1] * 172 + [0] + [1] * 27, groups)
    assert outcomes == {"language = de": "not compared", "language = en": "pass"}  # five items are no slice
    assert verdict.outcome == "pass"
    assert "at the level of 2 slices" in next(check.reason for check in verdict.checks if check.of == "language = de")
