"""The search of parameters: on the validation split, within its budget, the defaults first, and paid for."""

import json
from contextlib import suppress

import pytest
from pydantic import ValidationError

from harness.api import Choice, Range
from harness.errors import HarnessError
from harness.plan.chain import build
from harness.plan.config import RunConfig
from harness.plan.discover import find_step, list_strategies
from harness.plan.hyperparameters import space_of
from harness.plan.planner import make_plan
from harness.records.record import Budget, Candidate
from harness.trial import hyperparameter_search as module
from harness.trial.hyperparameter_search import best
from harness.trial.run_trial import run_trial

LORA = "lora(batch_size=4)"


@pytest.fixture
def run(tiny_suite, tiny_folders, tiny_embedder, tmp_path):
    """Run the first trial of a strategy, with a budget or without."""

    def call(strategy, task="moods", *, emit=None, **changes):
        text = strategy.replace("rag", f"rag(embedder={str(tiny_embedder)!r})")
        where = {"suite": str(tiny_suite), "models": (str(tiny_folders()),), "tasks": (task, "quiz")}
        plan = make_plan(RunConfig(strategies=(text,), **where, **changes))
        return run_trial(plan.trials[0], cache=tmp_path / "cache", emit=emit or (lambda event: None))

    return call


def answers(rows):
    return [(row.id, row.role, row.answer, row.choice_scores) for row in rows]


def tried(score, loss=None):
    return Candidate(parameters={}, score=score, validation_loss=loss, wall_s=1, tokens=1)


def test_the_defaults_come_first_and_no_candidate_twice(run):
    record, _ = run(LORA, budget="trials=3")
    found = record.search.candidates
    assert len(found) == 3
    assert found[0].parameters == {"lora.learning_rate": 5e-4, "lora.rank": 8}
    assert len({json.dumps(one.parameters) for one in found}) == 3
    assert record.search.items == 4
    assert record.trial.steps[0]["rank"] == 8


def test_the_final_system_has_the_chosen_parameters(run):
    record, rows = run(LORA, budget=3)
    chosen = record.search.candidates[record.search.chosen].parameters
    (step,) = record.search.steps
    assert all(step[name.partition(".")[2]] == value for name, value in chosen.items())
    values = ",".join(f"{name.partition('.')[2]}={value!r}" for name, value in chosen.items())
    _, written_out = run(f"lora(batch_size=4,{values})")
    assert answers(rows) == answers(written_out)


def test_the_cost_of_every_candidate_is_in_the_record(run):
    record, _ = run(LORA, budget=2)
    spans = [span for span in record.spans if span.phase == "search"]
    assert [(span.wall_s, span.tokens_in) for span in spans] == [
        (one.wall_s, one.tokens) for one in record.search.candidates
    ]
    assert all(span.wall_s > 0 and span.tokens_in > 0 and span.host_peak_bytes > 0 for span in spans)
    assert [span.phase for span in record.spans if not span.reused][:4] == ["search", "search", "load", "adapt"]


def test_a_search_asks_validation_items_and_never_test_items(run, monkeypatch):
    asked = []
    original = module.answering.predict

    def predict(system, queries, *args, **more):
        asked.append({query.id for query in queries})
        return original(system, queries, *args, **more)

    monkeypatch.setattr(module.answering, "predict", predict)
    _, rows = run("few_shot", budget=2)
    test = {row.id for row in rows if row.role == "target"}
    assert len(asked[0]) == 4
    assert not (asked[0] | asked[1]) & test
    assert asked[2] == test


def test_a_candidate_without_memory_costs_itself_and_not_the_search(run, monkeypatch):
    calls, adapt = [], module.adapt

    def adapt_or_run_out(*args):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("CUDA error: out of memory")
        return adapt(*args)

    monkeypatch.setattr(module, "adapt", adapt_or_run_out)
    record, _ = run("few_shot", budget=3)
    reasons = [candidate.reason for candidate in record.search.candidates]
    assert reasons[0] is None
    assert reasons[2] is None
    assert reasons[1].startswith("out of GPU memory (CUDA error: out of memory): try a smaller")


def test_the_same_seed_tries_the_same_candidates(run):
    first, second = (run(LORA, budget=3)[0].search for _ in range(2))
    assert [(one.parameters, one.score) for one in first.candidates] == [
        (one.parameters, one.score) for one in second.candidates
    ]
    other = run(LORA, budget=3, seeds=(1,))[0].search
    assert other.candidates[1].parameters != first.candidates[1].parameters


def test_a_budget_of_tokens_ends_the_search_once_it_is_spent(run):
    one = run(LORA, budget="tokens=1")[0].search.candidates
    assert len(one) == 1
    more = run(LORA, budget=f"tokens={one[0].tokens + 1}")[0].search.candidates
    assert len(more) == 2


def test_a_budget_of_seconds_ends_the_search_once_it_is_spent(run):
    assert len(run("few_shot", budget="seconds=1")[0].search.candidates) >= 1


def test_a_space_that_is_exhausted_ends_the_search(run):
    record, _ = run("few_shot", budget=50)
    assert sorted(one.parameters["few_shot.k"] for one in record.search.candidates) == [2, 4, 8, 16]


def test_a_candidate_that_fails_is_kept_with_the_reason_and_not_chosen(run, monkeypatch):
    monkeypatch.setattr(find_step("lora"), "space", {"learning_rate": Choice((5e-4, 1e30))})
    record, _ = run(LORA, budget=2)
    first, second = record.search.candidates
    assert (first.reason, second.score) == (None, None)
    assert "diverged" in second.reason
    assert second.wall_s > 0
    assert record.search.chosen == 0


def test_nothing_of_a_search_is_kept_but_what_was_chosen(run, tmp_path):
    run(LORA, budget=3)
    assert len(list((tmp_path / "cache" / "artifacts").iterdir())) == 1


def test_parameters_that_do_not_go_together_are_not_tried(run):
    record, _ = run("rag+few_shot(k=1)", "facts", budget=8)
    candidates = [candidate.parameters for candidate in record.search.candidates]
    assert len(candidates) == 8
    assert all(candidate.reason is None for candidate in record.search.candidates)
    assert not [one for one in candidates if one["rag.overlap"] and one["rag.passage_words"] is None]
    assert {one["rag.retriever"] for one in candidates} > {"dense"}
    assert candidates[0]["rag.passage_words"] is None


def test_an_index_is_built_once_for_all_candidates(run):
    record, _ = run("rag", "facts", budget=3)
    tokens = [one.tokens for one in record.search.candidates]
    assert len(tokens) == 3
    defaults = {"rag.k": 3, "rag.retriever": "dense", "rag.passage_words": None, "rag.overlap": 0}
    assert record.search.candidates[0].parameters == defaults


def test_a_search_is_told_of_as_it_goes(run):
    seen = []
    run(LORA, budget=2, emit=seen.append)
    said = [event["step"] for event in seen if event["phase"] == "search"]
    assert said[0] == "candidate 1 of 2"
    assert "candidate 2 of 2: lora" in said
    assert [event for event in seen if event["phase"] == "search" and event.get("total")]


def test_without_a_budget_nothing_is_searched_and_the_key_is_the_old_one(tiny_suite, tiny_folders):
    where = {"suite": str(tiny_suite), "models": (str(tiny_folders()),), "tasks": ("moods",)}
    plans = [make_plan(RunConfig(strategies=("lora", "zero_shot"), **where, budget=b)).trials for b in (None, 4, 8)]
    keys = [{one.trial.strategy: one.trial.key for one in plan} for plan in plans]
    assert len({own["lora"] for own in keys}) == 3
    assert len({own["zero_shot"] for own in keys}) == 1
    assert {one.trial.basis for plan in plans for one in plan} == {plans[0][0].trial.basis}
    assert [one.trial.budget and str(one.trial.budget) for one in plans[2]] == ["8 trials", None]


def test_a_task_without_a_validation_split_is_skipped_with_the_reason(tiny_suite, tiny_folders, tmp_path):
    import shutil

    folder = shutil.copytree(tiny_suite, tmp_path / "bare")
    text = (folder / "suite.toml").read_text().replace("validation = 4, ", "validation = 0, ")
    (folder / "suite.toml").write_text(text)
    where = {"suite": str(folder), "models": (str(tiny_folders()),), "tasks": ("moods",)}
    plan = make_plan(RunConfig(strategies=("lora", "zero_shot"), **where, budget=4))
    assert [one.skip for one in plan.trials] == [
        "a search of parameters needs validation items; task 'moods' has none",
        None,
    ]


def test_what_the_user_set_is_not_searched():
    assert set(space_of(build("lora", find_step))) == {"lora.learning_rate", "lora.rank"}
    assert set(space_of(build("rag(k=1)+lora(rank=4)+lora", find_step))) == {
        "rag.retriever",
        "rag.passage_words",
        "rag.overlap",
        "lora.learning_rate",
        "lora#2.learning_rate",
        "lora#2.rank",
    }
    assert space_of(build("zero_shot", find_step)) == {}


def test_of_equal_scores_the_lower_validation_loss_wins_and_then_the_first():
    assert best([tried(0.5), tried(0.7), tried(0.7)], 1) == 1
    assert best([tried(0.7, 0.4), tried(0.7, 0.3), tried(0.7, 0.3)], 1) == 1
    assert best([tried(None), tried(0.9), tried(0.1)], -1) == 2
    with pytest.raises(HarnessError, match="no candidate"):
        best([tried(None)], 1)


@pytest.mark.parametrize("name", [one.name for one in list_strategies() if not one.error])
def test_every_space_holds_its_default_and_gives_values_that_the_step_takes(name):
    kind = find_step(name)
    for parameter, part in kind.space.items():
        default = kind.model_fields[parameter].default
        ends = part.values if isinstance(part, Choice) else (part.low, part.high)
        assert default in ends if isinstance(part, Choice) else ends[0] <= default <= ends[1]
        assert not isinstance(part, Range) or (part.low > 0 or not part.log)
        for value in ends:
            assert any(getattr(step, parameter) == value for step in _steps_with(kind, {parameter: value}))


def _steps_with(kind, values):
    """Make steps with some values, alone and together with each choice of another parameter that is searched."""
    others = [{name: value} for name, part in kind.space.items() if isinstance(part, Choice) for value in part.values]
    for other in ({}, *others):
        with suppress(ValidationError):
            yield kind.model_validate({**other, **values})


@pytest.mark.parametrize(
    ("written", "budget"),
    [
        ("8", Budget(unit="trials", amount=8)),
        (8, Budget(unit="trials", amount=8)),
        ("tokens=200000", Budget(unit="tokens", amount=200_000)),
        ("seconds=120", Budget(unit="seconds", amount=120)),
    ],
)
def test_a_budget_is_a_number_of_trials_or_names_its_unit(written, budget):
    assert RunConfig(suite="x", budget=written).budget == budget


@pytest.mark.parametrize("written", ["0", "many", "hours=3", "tokens=", "-1", True])
def test_no_other_budget_is_taken(written):
    with pytest.raises(ValueError, match="trials=8, tokens=200000 or seconds=120"):
        RunConfig(suite="x", budget=written)
