"""The gate on scores: margins, directions, clusters, seeds and slices."""

import pytest

from harness.compare.release.gate import GateLimits, judge
from tests.compare.release_builders import (
    LATER,
    NOTHING,
    check,
    judged,
    noise_of,
    pairing,
    share,
    trial_rows,
)

LORA = {"strategy": "lora", "steps": ({"step": "lora"},), "trained_parameters": 9}

CALM = noise_of("latency", 0.01)


def outdated(right, **changes):
    """A task whose metric counts answers that are out of date: wrong ones are."""
    stored, answers = trial_rows("qa", right=right, **changes)
    info = stored.tasks[0].model_copy(update={"metrics": ("outdated",)})
    rejected = [row.model_copy(update={"rejected": "no" if row.references == ("yes",) else "yes"}) for row in answers]
    return stored.model_copy(update={"tasks": (info,)}), rejected


def test_a_loss_that_the_items_cannot_settle_is_inconclusive_with_the_number_that_would(tmp_path):
    flips = share(0.7, 40)
    flips[0], flips[5], flips[11] = (1 - flips[i] for i in (0, 5, 11))
    accuracy = check(judged(tmp_path, trial_rows(right=share(0.7, 40)), trial_rows(right=flips, at=LATER)), "accuracy")
    assert accuracy.outcome == "inconclusive"
    assert "items" in accuracy.needed


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


@pytest.mark.parametrize(("right", "margin"), [(0.8, 0.04), (0.4, 0.02), (0.02, 1 / 200)])
def test_the_margin_is_a_share_of_the_baselines_score_and_at_least_one_item(tmp_path, right, margin):
    """As a share of the range, a system with a score of 0.05 could lose all of it."""
    verdict = judged(tmp_path, trial_rows(right=share(right)), trial_rows(right=share(right), at=LATER))
    assert check(verdict, "accuracy").limit == pytest.approx(margin)


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


def test_the_slices_of_retrained_weights_carry_the_spread_over_seeds(tmp_path):
    def width(where, **changes):
        groups, hits = ["en"] * 100 + ["de"] * 100, share(0.7)
        sides = [
            sliced(groups, at, [1 - hit if at == LATER and i in (3, 90, 150) else hit for i, hit in enumerate(hits)])
            for at in ("2026-01-01", LATER)
        ]
        sides = [
            (
                record.model_copy(
                    update={
                        "trial": record.trial.model_copy(update={"steps": changes.get("steps", ())}),
                        "trained_parameters": changes.get("trained_parameters"),
                    }
                ),
                answers,
            )
            for record, answers in sides
        ]
        verdict = judged(tmp_path / where, *sides)
        part = next(check for check in verdict.checks if check.of == "language = de")
        return part.high - part.low, part.method

    prompted, _ = width("prompt")
    trained, method = width("lora", steps=({"step": "lora"},), trained_parameters=9)
    assert "seeds" in method
    assert trained > 1.2 * prompted
