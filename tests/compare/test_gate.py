"""The gate: what passes, fails and stays open, and that limits and pairs mean what they say."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.compare.release.gate import GateLimits, judge
from harness.compare.release.outcome import EXIT_CODES, gate
from harness.compare.release.pairing import group_systems, only_systems, read_measured
from harness.errors import HarnessError
from harness.render.release.gate_report import as_json, markdown_summary
from harness.render.release.junit import render as junit
from tests.compare.builders import HERE
from tests.compare.release_builders import (
    LATER,
    NOTHING,
    V1,
    check,
    judged,
    noise_of,
    pairing,
    share,
    store_of,
    trial_rows,
)

ELSEWHERE = HERE.model_copy(update={"processor": "another"})


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


@pytest.mark.parametrize(
    ("policy", "element", "code"),
    [(None, "error", 3), ("warn", "skipped", 0), ("fail", "failure", 1), ("pass", None, 0)],
)
def test_an_inconclusive_gate_counts_as_the_user_says(tmp_path, policy, element, code):
    pairs = pairing(tmp_path, [trial_rows()], [trial_rows(at=LATER)])
    outcome = gate(V1, pairs, GateLimits(), NOTHING, inconclusive=policy)
    assert (outcome.verdict.outcome, outcome.exit_code) == ("inconclusive", code)
    case = ET.fromstring(junit(outcome)).find(".//testcase[@name='mood · zero_shot · latency']")  # noqa: S314 - ours
    assert [child.tag for child in case] == ([element] if element else [])
    failing = gate(
        V1,
        pairing(tmp_path / "worse", [trial_rows()], [trial_rows(right=share(0.4), at=LATER)]),
        GateLimits(),
        NOTHING,
        inconclusive=policy,
    )
    assert failing.exit_code == 1


def test_the_named_systems_alone_are_gated(tmp_path):
    before = [trial_rows(), trial_rows("know"), trial_rows("know", strategy="lora")]
    after = [trial_rows(at=LATER), trial_rows("know", at=LATER, right=share(0.2))]
    pairs = pairing(tmp_path, before, after)
    one = only_systems(pairs, ["mood.zero_shot"])
    assert [pair.candidate.name for pair in one.pairs] == ["mood · zero_shot"]
    assert (one.missing, judge(one, GateLimits(), noise_of("latency", 0.01)).outcome) == ((), "pass")
    both = only_systems(pairs, ["zero_shot"])
    assert sorted(pair.candidate.name for pair in both.pairs) == ["know · zero_shot", "mood · zero_shot"]
    unmeasured = only_systems(pairs, ["know.lora"])
    assert judge(unmeasured, GateLimits(), NOTHING).outcome == "inconclusive"
    with pytest.raises(HarnessError, match=r"unknown system 'mood\.zero' in either release: did you mean"):
        only_systems(pairs, ["mood.zero"])
    assert only_systems(pairs, []) is pairs
