"""Spread over seeds: pooled within a kind of method, assumed from reference runs, and said to be so."""

from math import inf
from pathlib import Path

import numpy as np
import pytest

from harness.compare.report.comparison import compare
from harness.compare.stats.estimates import difference, estimate
from harness.compare.trials.seed_noise import TABLE, assumed_noise, seed_kind, seed_sds, with_seed_noise
from harness.metrics import get
from tests.compare.builders import completed, pattern
from tests.compare.decision_builders import trial
from tests.compare.samples import sample
from tests.seed_sds import REFERENCE, table

ITEMS = np.random.default_rng(0).random(100) * 0.5


def moved(*shifts):
    return sample([ITEMS + shift for shift in shifts])


def steps(*names):
    made = completed("qa", "+".join(names), pattern(0.5))
    update = {"steps": tuple({"step": name} for name in names)}
    return [made.record.model_copy(update={"trial": made.record.trial.model_copy(update=update)})]


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (("zero_shot",), None),
        (("rag",), None),
        (("few_shot",), "examples"),
        (("few_shot", "rag"), "examples"),
        (("rag", "lora"), "tuning"),
        (("lora", "dpo"), "preferences"),
        (("self_consistency",), "sampling"),
    ],
)
def test_every_random_step_has_a_kind_and_a_deterministic_chain_has_none(names, kind):
    assert seed_kind(steps(*names)) == kind


def test_the_variance_is_pooled_over_the_repeated_systems_of_a_kind():
    repeated, single, examples = [moved(0, 0.02), moved(0.1, 0.16)], moved(0.3), moved(0.2)
    samples = with_seed_noise([*repeated, single, examples], ["tuning", "tuning", "tuning", "examples"])
    pooled = ((0.02**2 / 2 + 0.06**2 / 2) / 2) ** 0.5
    noise = samples[2].noise
    assert (noise.basis, noise.sd, noise.df, noise.rows) == ("measured", pytest.approx(pooled), 2, 2)
    assert samples[3].noise.basis == "assumed"


def test_a_system_with_seeds_of_its_own_is_never_taken_to_be_steadier_than_its_kind_but_may_be_less_steady():
    steady, unsteady = with_seed_noise([moved(0, 0.001), moved(0, 0.05)], ["tuning", "tuning"])
    assert steady.noise.sd == pytest.approx(((0.001**2 + 0.05**2) / 4) ** 0.5)
    assert unsteady.noise is None


def test_systems_of_one_kind_share_the_estimate_of_their_variance():
    """Counted as two estimates, the pooled variance would have twice its degrees of freedom."""
    many = [moved(0, 0.1 * k) for k in range(1, 7)]
    *_, first, second = with_seed_noise([*many, moved(0.2), moved(0.25)], ["tuning"] * 8)
    change = difference(first, second)
    assert change.error.seeds_df == first.noise.df == 6
    assert change.error.seeds == pytest.approx(first.noise.sd * 2**0.5)


def test_without_repeated_systems_the_spread_is_assumed_from_reference_runs():
    (alone,) = with_seed_noise([moved(0)], ["tuning"])
    assert (alone.noise.basis, alone.noise.sd, alone.noise.df) == ("assumed", seed_sds()["tuning"]["token_f1"], inf)
    interval = estimate(alone)
    assert interval.high - interval.low > estimate(moved(0)).high - estimate(moved(0)).low
    assert "assumed SD over seeds" in interval.method


def test_seeds_that_answer_alike_are_not_random_and_not_pooled():
    similar, single = with_seed_noise([moved(0, 0), moved(0.1)], ["examples", "examples"])
    assert similar.noise is None
    assert single.noise.basis == "assumed"


def test_what_is_assumed_of_a_metric_that_was_not_repeated():
    assert assumed_noise("preferences", get("accuracy"), 0.5).sd == max(e["accuracy"] for e in seed_sds().values())
    assert assumed_noise("tuning", get("rouge1"), 0.5).sd == max(
        sd for name, sd in seed_sds()["tuning"].items() if get(name).bounds == (0.0, 1.0)
    )
    assert assumed_noise("tuning", get("bits_per_byte"), 2.0).sd == 2 * seed_sds()["tuning"]["bits_per_byte"]
    assert assumed_noise("tuning", get("exposure"), 2.0).basis == "unknown"


@pytest.mark.skipif(not (REFERENCE / "quickstart").is_dir(), reason="reference results are not here")
def test_the_table_is_what_the_reference_runs_give():
    assert Path(TABLE).read_text(encoding="utf-8") == table(), "write it again: python -m tests.seed_sds"


def test_a_gain_that_rests_on_an_assumed_spread_is_probable_never_clear():
    stored = [trial("zero_shot", 0.2, task="sentiment"), trial("few_shot", 0.8, task="sentiment")]
    (task,) = compare(stored).suites[0].tasks
    text = " ".join(task.verdict)
    assert task.rows[0].one_seed
    assert "`few_shot` is probably the best on" in text
    assert "Probably better than `zero_shot`: `few_shot`" in text
    assert ", assumed from reference runs" in text
    assert "clearly the best" not in text


def test_deterministic_chains_have_no_spread_and_are_clear():
    stored = [trial("zero_shot", 0.2, task="qa"), trial("rag", 0.8, task="qa", index=True)]
    (task,) = compare(stored).suites[0].tasks
    assert not task.rows[0].one_seed
    assert task.rows[0].scores["token_f1"].seed_basis is None
    assert "`rag` is clearly the best on" in " ".join(task.verdict)
