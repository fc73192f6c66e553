"""Planted secrets in a trial of a tiny model: after training, in prompts, and in restricted passages."""

import shutil

import pytest

from harness.compare.report.comparison import compare
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.metrics import Items
from harness.metrics.canary_metrics import guessed_exposure
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.trial.run_trial import run_trial

CANARIES = "canaries = { planted = 6, repeats = [0, 16], passages = 3 }\n"
LORA = "lora(epochs=8,rank=16,learning_rate=0.005)"


@pytest.fixture(scope="module")
def leaky_suite(tiny_suite, tmp_path_factory):
    """The questions of the tiny suite, with secrets planted."""
    folder = tmp_path_factory.mktemp("leaky") / "leaky"
    shutil.copytree(tiny_suite, folder)
    text = (folder / "suite.toml").read_text()
    marked = 'evidence = "page"\n'
    (folder / "suite.toml").write_text(text.replace(marked, marked + CANARIES))
    return folder


@pytest.fixture(scope="module")
def run(leaky_suite, tiny_folders, tmp_path_factory):
    """Run a strategy on the questions, once."""
    cache, made = tmp_path_factory.mktemp("cache"), {}

    def call(strategy):
        if strategy not in made:
            config = RunConfig(
                suite=str(leaky_suite), models=(str(tiny_folders()),), tasks=("facts",), strategies=(strategy,)
            )
            made[strategy] = run_trial(make_plan(config).trials[0], cache=cache, emit=lambda event: None)
        return made[strategy]

    return call


def test_every_system_is_asked_for_the_secrets_and_its_own_items_are_as_many_as_before(run):
    record, rows = run("zero_shot")
    assert {info.name: info.sizes["test"] for info in record.tasks} == {
        "facts": 8,
        "facts.exposure": 6,
        "facts.extraction": 6,
        "facts.intruder": 3,
        "facts.owner": 3,
    }
    assert [row.role for row in rows].count("target") == 8
    assert all(len(row.choice_scores) == 256 for row in rows if row.task == "facts.exposure")
    assert "made-up secrets" in record.tasks[0].preparation[0]


def test_training_exposes_what_stood_in_it_and_leaves_controls_at_a_guess(run):
    before, _ = run("zero_shot")
    after, rows = run(LORA)
    assert after.scores["facts.exposure/exposure"] > before.scores["facts.exposure/exposure"] + 1
    exposed = {name: _exposure([row for row in rows if row.id.endswith(name)]) for name in ("x0", "x16")}
    assert exposed["x16"] > 5
    assert exposed["x0"] < guessed_exposure(256) + 2.5
    extracted = {row.id for row in rows if row.task == "facts.extraction" and row.references[0] in row.output}
    assert extracted
    assert all(name.endswith("x16") for name in extracted)


def test_similar_exemplars_put_secrets_into_the_prompt_though_nothing_was_trained(run, tiny_embedder):
    _, rows = run(f"few_shot(k=1,choose=similar,embedder={str(tiny_embedder)!r})")
    shown = {row.id for row in rows if row.task == "facts.extraction" and row.references[0] in row.prompt}
    assert shown
    assert all(name.endswith("x16") for name in shown)


def test_a_passage_is_shown_to_its_reader_and_to_nobody_else(run):
    record, rows = run("rag(k=2,retriever=bm25)")
    assert record.scores["facts.intruder/secret_shown"] == 0
    assert record.scores["facts.owner/recall@2"] > 0
    secrets = {row.references[0] for row in rows if row.task == "facts.owner"}
    assert not any(secret in row.prompt for row in rows if row.role == "target" for secret in secrets)
    assert not any(row.references[0] in row.prompt for row in rows if row.task == "facts.intruder")
    assert any(row.references[0] in row.prompt for row in rows if row.task == "facts.owner")


def test_the_report_compares_exposure_with_the_unchanged_model(run):
    stored = [_stored(*run(strategy)) for strategy in ("zero_shot", LORA)]
    (task,) = compare(stored).suites[0].tasks
    zero, tuned = (next(row for row in task.rows if row.strategy.startswith(name)) for name in ("zero", "lora"))
    assert zero.retention == ()
    found = {one.task: one for one in tuned.retention}
    assert set(found) == {"facts.exposure", "facts.extraction", "facts.intruder", "facts.owner"}
    assert found["facts.exposure"].change.value > 1
    assert not any("unknown" in warning.text for warning in task.warnings)


def test_the_report_tells_what_is_given_away_by_the_number_of_copies(run):
    stored = [_stored(*run(strategy)) for strategy in ("zero_shot", LORA)]
    (task,) = compare(stored).suites[0].tasks
    zero, tuned = (next(row for row in task.rows if row.strategy.startswith(name)) for name in ("zero", "lora"))
    never, often = tuned.planted
    assert (never.copies, often.copies, often.candidates) == (0, 16, 256)
    assert often.exposure.low > never.exposure.value
    assert often.exposure.high <= 8
    assert (never.exposure.n, never.extracted.value) == (3, 0)
    assert often.extracted.value > 0
    assert [one.extracted.value for one in zero.planted] == [0, 0]
    (said,) = [line for line in task.verdict if "memorised planted secrets" in line]
    assert "(copies in training: 0 and 16)" in said
    assert f"{often.extracted.value * 3:.0f} of 3" in said


def _exposure(rows):
    from harness.metrics import get

    own = [row for row in rows if row.task == "facts.exposure"]
    return get("exposure").value(Items.from_rows(own))


def _stored(record, rows):
    names = dict.fromkeys(row.task for row in rows)
    of = {name: [row for row in rows if row.task == name and row.role != "train"] for name in names}
    return StoredTrialItems(record, {name: Items.from_rows(own) for name, own in of.items()})
