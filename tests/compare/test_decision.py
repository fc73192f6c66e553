"""Decisions: constraints only ever take options away, each exclusion is explained, and what is unknown does not fit."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.compare.cost.money import make_usage
from harness.compare.cost.pricing import make_economics
from harness.compare.decide.constraints import Constraints, parse_bar
from harness.compare.decide.decision import Decision, decide
from harness.compare.decide.sensitivity import adjusted_p
from harness.compare.stats.estimates import Difference
from harness.compare.trials.stored_trials import read_trials
from harness.errors import HarnessError
from harness.store.results_store import Store, select_newest
from tests.compare.builders import HERE_MODEL, completed, info, pattern
from tests.compare.decision_builders import fitting, only, reason, served, trial

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
QUICK = settings(max_examples=25, deadline=None)


def test_without_constraints_the_best_is_chosen_with_what_is_tied(stored):
    found = only(stored)
    assert found.chosen == ("rag", "small")  # the simpler: 0.05 less may be the one seed of the other
    assert found.verdict == (
        "On `qa` choose `rag`: token F1 0.50 [0.44, 0.56], up from 0.10 today (200 test items, `small`). 2 strategies "
        "cannot be told apart (0.50\N{EN DASH}0.55); it is the simplest (no training)."
    )
    assert found.changes[0] == "Highest score: `rag+lora` 0.55 [0.48, 0.62], not distinguishable from these."
    assert "`rag+lora` ran with one seed; a rerun may reorder the top. Measure it: harness run quick --seeds 3" in (
        found.changes
    )
    assert [option.place for option in found.options if option.place] == list(
        range(1, 1 + sum(bool(option.place) for option in found.options))
    )


def test_the_objective_ranks_those_that_are_not_clearly_worse():
    stored = [trial("rag", 0.55, seconds=9, index=True), trial("rag+lora", 0.55, trained=9, seconds=4, index=True)]
    assert only(stored, objective="latency").chosen[0] == "rag+lora"
    assert only(stored, objective="cost").chosen[0] == "rag"  # no labels to pay
    assert "lowest total cost" in only(stored, objective="cost").verdict


def test_a_clear_winner_is_called_so(stored):
    found = only(stored, must_cite=True, data_private=True)
    assert found.confidence == "only"
    assert "the only one of 5 options that is known to fit." in found.verdict
    assert only([trial("zero_shot", 0.1), trial("rag", 0.6)]).confidence == "clear"


@pytest.mark.parametrize(
    ("limits", "strategy", "told"),
    [
        ({"max_memory_gb": 1.0}, "lora", "1.46 GiB of memory, 0.46 over --max-memory-gb 1"),
        ({"min_metrics": (parse_bar("qa.token_f1=0.4"),)}, "lora", "0.1 short of --min-metric qa.token_f1=0.4"),
        ({"max_retention_loss": 0.05}, "lora", "accuracy on know -0.20"),
        ({"labels": 0}, "lora", "80 labelled items, --no-training-data allows none"),
        ({"labels": 50}, "lora", "--labels 50 allows 50 (--train-sizes 50 measures it with fewer)"),
        ({"data_private": True}, "lora", "breaks --data-private (rule private-weights)"),
        ({"must_cite": True}, "zero_shot", "breaks --must-cite (rule cite-passages)"),
        ({"permissions": True}, "rag+lora", "breaks --permissions (rule permissions-weights)"),
        ({"expertise": "none"}, "lora", "breaks --expertise none (rule no-expertise)"),
    ],
)
def test_each_exclusion_has_a_line_with_the_figure_and_the_limit(stored, limits, strategy, told):
    found = only(stored, **limits)
    assert strategy not in fitting(found)
    assert told in reason(found, strategy)


def test_a_month_that_costs_too_much_is_excluded_with_both_amounts(stored):
    economics = make_economics(make_usage(1_000_000))
    bills = {option.strategy: option.usd_month for option in only(stored, economics).options}
    limit = (bills["zero_shot"] + bills["rag"]) / 2
    found = only(stored, economics, max_usd_month=limit)
    assert "zero_shot" in fitting(found)
    assert "USD a month" in reason(found, "rag")
    assert f"over --max-usd-month {limit:g}" in reason(found, "rag")


def test_a_bar_that_the_interval_leaves_open_is_decided_by_the_value_and_said(stored):
    found = only(stored, min_metrics=(parse_bar("token_f1=0.54"),))
    assert fitting(found) == {"rag+lora"}
    assert "It meets --min-metric token_f1=0.54 by its value; the interval reaches beyond." in found.verdict


def test_what_was_not_measured_does_not_fit_and_nothing_can_be_decided_without_it(stored):
    decision = only(stored, max_gpu_gb=24, max_latency_p95_ms=800)
    assert decision.chosen is None
    assert decision.verdict.startswith(
        "On `qa` cannot be decided: GPU memory of 5 options is unknown and p95 latency of 5 options is unknown; "
    )
    assert "'harness run quick --requests 60' measures it" in decision.verdict
    assert (
        "--max-latency-p95-ms 800 is open for 5 options (p95 latency was not measured): 'harness run quick "
        "--requests 60' measures it."
    ) in decision.unknown


def test_a_strategy_without_the_figure_is_not_chosen_before_one_that_fits():
    stored = [served(trial("zero_shot", 0.5), 0.2), trial("rag", 0.6, index=True)]
    decision = only(stored, max_latency_p95_ms=800)
    assert fitting(decision) == {"zero_shot"}
    assert reason(decision, "rag") == "p95 latency was not measured"
    assert "1 other may fit too, but was not measured." in decision.verdict
    assert "On `qa` keep `zero_shot`" in decision.verdict


def test_what_was_measured_and_is_too_slow_leaves_the_unmeasured_open():
    stored = [served(trial("zero_shot", 0.5), 2.0), trial("rag", 0.6, index=True)]
    assert only(stored, max_latency_p95_ms=800).verdict == (
        "On `qa` cannot be decided: p95 latency of 1 option is unknown; 'harness run quick --requests 60' measures it."
    )


def test_of_those_tied_the_simplest_is_chosen_and_the_highest_named():
    decision = only([trial("few_shot", 0.6), trial("rag", 0.6, index=True), trial("lora", 0.65, shift=9, trained=9)])
    assert decision.confidence == "tied"
    assert decision.chosen[0] == "few_shot"
    assert "3 strategies cannot be told apart" in decision.verdict
    assert "it is the simplest (no training, no index)." in decision.verdict
    assert decision.changes[0].startswith("Highest score: `lora` 0.6")
    assert [option.strategy for option in decision.options] == ["few_shot", "rag", "lora"]


def test_a_measured_latency_excludes_by_its_p95():
    stored = [served(trial("zero_shot", 0.5), 0.2), served(trial("rag", 0.6, index=True), 2.0)]
    found = only(stored, max_latency_p95_ms=800)
    assert fitting(found) == {"zero_shot"}
    assert "ms of p95 latency" in reason(found, "rag")


def test_too_few_requests_leave_the_p95_open():
    stored = [served(trial("zero_shot", 0.5), 0.2, count=20), served(trial("rag", 0.6, index=True), 0.3, count=20)]
    found = only(stored, max_latency_p95_ms=800)
    assert len(fitting(found)) == 2
    assert any("--max-latency-p95-ms 800" in text for text in found.unknown)


def test_nothing_fits_names_what_binds_and_the_nearest(stored):
    found = only(stored, max_memory_gb=0.4)
    assert found.chosen is None
    assert "all 5 options break --max-memory-gb 0.4" in found.nothing_fits
    assert "Nearest is `zero_shot`: 0.49 GiB of memory" in found.nothing_fits
    assert "(22% off)" in found.nothing_fits


def test_nothing_fits_names_the_constraint_that_would_free_most(stored):
    found = only(stored, must_cite=True, max_memory_gb=0.6)
    assert "--must-cite binds; without it 2 of 5 would fit" in found.nothing_fits
    assert "Nearest is `rag`: 0.88 GiB of memory, 0.28 over --max-memory-gb 0.6 (46% off)" in found.nothing_fits


def test_relaxing_a_limit_that_would_admit_a_better_one_is_named(stored):
    found = only(stored, max_memory_gb=1.0)
    assert found.chosen[0] == "rag"
    assert any("Relaxing --max-memory-gb 1 to 2.45 would admit `rag+lora`" in text for text in found.changes)


def test_items_that_would_separate_the_tied_are_told():
    found = only([trial("rag", 0.55, index=True), trial("rag+lora", 0.6, trained=9, index=True)])
    assert found.confidence == "tied"
    assert any("would be needed to detect a difference of" in text for text in found.changes)


def test_the_smallest_model_that_meets_the_bar_is_named_with_its_licence():
    def sized(name, parameters, share):
        info = HERE_MODEL.model_copy(update={"parameters": parameters, "licence": "MIT"})
        return trial("rag", share, index=True, model=name, model_info=info)

    stored = [sized("large", 7e9, 0.7), sized("middle", 1e9, 0.5), sized("tiny", 1e8, 0.2)]
    found = only(stored, min_metrics=(parse_bar("token_f1=0.4"),))
    assert "`middle` (1,000 M parameters, MIT) with `rag`" in found.smallest_model


def test_several_tasks_are_decided_apart_and_together():
    stored = [
        *[trial(name, share) for name, share in (("zero_shot", 0.1), ("few_shot", 0.5))],
        *[trial(name, share, task="sentiment") for name, share in (("zero_shot", 0.9), ("few_shot", 0.4))],
    ]
    made = decide(stored, Constraints())
    assert {task.task: task.chosen[0] for task in made.tasks} == {"qa": "few_shot", "sentiment": "zero_shot"}
    assert made.overall is None  # each is clearly worse on one task
    assert made.verdict == (
        "Choose `few_shot` for qa (token F1 0.50, up from 0.10 today, 200 items) and `zero_shot` for sentiment "
        "(accuracy 0.90, 200 items), with `small`."
    )


def test_one_strategy_for_all_tasks_is_named_where_it_is_tied_for_best_on_each():
    shares = {"qa": (0.1, 0.5, 0.55), "sentiment": (0.5, 0.8, 0.5)}
    stored = [
        trial(name, share, task=task, **more)
        for task, of_task in shares.items()
        for (name, more), share in zip(
            (("zero_shot", {}), ("lora", {"trained": 9}), ("rag", {"index": True})), of_task, strict=True
        )
    ]
    made = decide(stored, Constraints())
    assert {task.task: task.chosen[0] for task in made.tasks} == {"qa": "rag", "sentiment": "lora"}
    assert made.verdict.endswith("One strategy for all 2 tasks: `lora`, tied for best on each.")


def test_a_probe_has_no_decision_unless_it_is_named_and_a_task_with_one_strategy_is_said(stored):
    probes = [
        completed("know", name, pattern(0.6), tasks=(info("know", "probe"),)) for name in ("zero_shot", "few_shot")
    ]
    alone = completed("sentiment", "zero_shot", pattern(0.6))
    made = decide([*stored[:-1], *probes, alone], Constraints())
    assert [task.task for task in made.tasks] == ["qa"]
    assert made.notes == ("Nothing to choose on sentiment: a single option finished.",)
    assert made.verdict == made.tasks[0].verdict  # a single task is said once
    assert [task.task for task in decide(probes, Constraints(), tasks=["know"]).tasks] == ["know"]


limits = st.fixed_dictionaries(
    {
        "max_memory_gb": st.none() | st.floats(0.1, 4),
        "max_usd_month": st.none() | st.floats(0.001, 5),
        "max_retention_loss": st.none() | st.floats(0, 0.5),
        "labels": st.none() | st.integers(0, 100),
        "data_private": st.booleans(),
        "must_cite": st.booleans(),
    }
)


@given(loose=limits, by=st.floats(0, 1))
@QUICK
def test_tightening_a_constraint_never_adds_an_option(stored, loose, by):
    tight = {name: value * by if isinstance(value, float) else value for name, value in loose.items()}
    tight |= {"labels": None if loose["labels"] is None else int(loose["labels"] * by)}
    assert fitting(only(stored, **tight)) <= fitting(only(stored, **loose))


@given(loose=limits, objective=st.sampled_from(["quality", "cost", "latency", "memory"]))
@QUICK
def test_the_chosen_fits_is_tied_for_best_and_every_excluded_has_a_reason(stored, loose, objective):
    found = only(stored, **loose, objective=objective)
    for option in found.options:
        assert option.excluded == (option.reason is not None)
        assert option.place is None or (option.tied and not option.excluded)
    if found.chosen:
        first = found.options[0]
        assert ((first.strategy, first.model), first.place) == (found.chosen, 1)
    else:
        assert found.nothing_fits


@pytest.mark.parametrize("text", ["token_f1", "token_f1=", "=0.5", "qa.=0.5", "qa.token_f1=high"])
def test_a_bar_that_is_none_is_refused(text):
    with pytest.raises(HarnessError, match=r"TASK\.METRIC=X"):
        parse_bar(text)


def test_a_bar_for_what_is_not_there_is_refused(stored):
    with pytest.raises(HarnessError, match="unknown metric"):
        parse_bar("qa.token_f2=0.5")
    with pytest.raises(HarnessError, match="unknown task"):
        decide(stored, Constraints(min_metrics=(parse_bar("qb.token_f1=0.5"),)))
    with pytest.raises(HarnessError, match="unknown model"):
        decide(stored, Constraints(), models=["large"])
    with pytest.raises(HarnessError, match="did you mean 'qa'"):
        decide(stored, Constraints(), tasks=["qaa"])


def test_what_machines_read_keeps_its_fields():
    fields = set(Decision.model_json_schema()["properties"])
    assert fields == {"suite", "verdict", "constraints", "assumed", "tasks", "overall", "rules", "notes"}
    task = set(Decision.model_json_schema()["$defs"]["TaskDecision"]["properties"])
    assert task >= {
        "task",
        "metric",
        "verdict",
        "confidence",
        "chosen",
        "options",
        "nothing_fits",
        "changes",
        "unknown",
    }
    option = set(Decision.model_json_schema()["$defs"]["RankedOption"]["properties"])
    assert option >= {"strategy", "model", "score", "usd_month", "findings", "excluded", "reason", "tied", "place"}


@pytest.mark.skipif(not (REFERENCE / "quickstart").is_dir(), reason="reference results are not here")
def test_three_sets_of_constraints_lead_to_three_explained_recommendations():
    stored = read_trials(select_newest(Store(REFERENCE).load("quickstart")).trials)
    asked = [
        Constraints(max_retention_loss=0.1),
        Constraints(data_private=True, must_cite=True),
        Constraints(labels=0, max_memory_gb=1.0, objective="cost"),
    ]
    made = [decide(stored, one, tasks=["questions"]).tasks[0] for one in asked]
    assert len({one.chosen for one in made}) == 3
    for one in made:
        assert one.verdict.startswith(("On `questions` choose `", "On `questions` keep `"))
        assert f" `{one.chosen[0]}`: token F1" in one.verdict
        assert all(option.reason for option in one.options if option.excluded)


@pytest.mark.parametrize(("high", "text"), [(-0.01, "; adjusted for all pairs, p 0.0512"), (0.01, "")])
def test_a_tie_whose_interval_alone_looks_clear_shows_the_adjusted_p(high, text):
    gap = Difference(value=-0.1, low=-0.2, high=high, p=0.01, p_holm=0.0512, n=100, detectable=0.1, method="t")
    assert adjusted_p(gap) == text


def test_the_cheaper_of_those_tied_is_not_preferred_by_single_timings():
    decision = only([trial("rag+lora", 0.6, trained=9, index=True), trial("rag", 0.58, index=True, seconds=4000)])
    assert decision.confidence == "tied"
    assert decision.chosen[0] == "rag"
    assert any(
        text.startswith("Cost a month for 100,000 requests") and "Timed once." in text for text in decision.changes
    )


def test_money_says_what_is_a_lower_bound_and_what_a_machine_costs_that_is_always_on():
    found = only([trial("few_shot", 0.6), trial("lora", 0.9, trained=9, seconds=4)])
    (cost,) = [text for text in found.changes if text.startswith("Cost a month")]
    assert (
        "USD at full load (a lower bound) and 59.6 USD with a machine that is always on. Labels: 0.96 USD, once."
        in cost
    )
    option = found.options[0]
    assert option.busy_usd_month + option.labels_usd / 12 == pytest.approx(option.usd_month)
    assert option.always_on_usd_month > 59 > option.busy_usd_month


def test_a_budget_that_only_a_busy_machine_keeps_is_said_to_be_so():
    found = only([trial("few_shot", 0.6), trial("rag", 0.2, index=True)], max_usd_month=10.0)
    assert "It meets --max-usd-month 10 at full load only: a machine that is always on costs 59.6 USD a month." in (
        found.verdict
    )


def test_what_costs_less_but_is_clearly_worse_is_named():
    better = trial("rag+lora", 0.55, memory=2500, trained=9, index=True, seconds=10)
    found = only([trial("rag", 0.3, memory=900, index=True, seconds=9), better], objective="cost")
    assert any("`rag` has" in text and "less total cost, but is probably worse" in text for text in found.changes)


def test_a_budget_of_nothing_is_kept_by_nobody():
    found = only([trial("zero_shot", 0.1), trial("rag", 0.5, index=True)], max_usd_month=0.0)
    assert found.chosen is None
    assert "--max-usd-month 0" in found.nothing_fits
