"""Items asked in other ways: who loses the points of retrieval, what words do, and that no score is made of them."""

from dataclasses import replace

import pytest

from harness.compare.prose.self_test_sentences import sentences
from harness.compare.report.comparison import compare
from harness.compare.report.shown_items import examples_of
from harness.compare.table.agreement import PooledCheck, agreement
from harness.compare.trials.stored_trials import read_trials
from harness.metrics import Items
from harness.metrics.items import COLUMNS
from harness.records.measurements import Check
from harness.render.report import csv, json, markdown
from harness.store.results_store import Store
from tests import release_simulations
from tests.compare.builders import answered, completed, info, pattern


def asked(task, strategy, right, ways, *, words=None, **changes):
    """Make a finished trial of which the first items were asked in other ways, too: `ways` says which went right."""
    one = completed(task, strategy, right, **changes)
    told = tuple(
        info(task, "control").model_copy(
            update={"name": f"{task}@{way}", "instruction": (words or {}).get(way, "As told.")}
        )
        for way in ways
    )
    record = one.record.model_copy(update={"tasks": (*one.record.tasks, *told)})
    clusters = [f"p{i // 2}" for i in range(len(right))] if task == "qa" else None
    rows = {way: answered(hits, clusters=clusters and clusters[: len(hits)]) for way, hits in ways.items()}
    return type(one)(record, one.items, one.train_evaluation, {way: Items.from_rows(own) for way, own in rows.items()})


def row_of(stored, strategy):
    (task,) = compare(stored).suites[0].tasks
    return task, next(row for row in task.rows if row.strategy == strategy)


USUAL = [1, 0, 0, 0, 0, 0, 0, 0, 1, 0] * 2
FOUND = [1, 1, 1, 1, 1, 1, 0, 0, 0, 0] * 2
"""Items whose right passage was in the prompt: 2 of 12 of them are right, and 2 of the 8 others."""
ORACLE = [1, 1, 1, 0, 0, 0, 1, 0, 1, 1]
RANDOM = [0] * 10


def retrieving(stored, found):
    """Let the items of a trial's task have evidence, which was among the passages of the prompt or not."""
    (task, items) = next(iter(stored.items.items()))
    columns = {"evidence": [("right",)] * len(items), "passages": [("right",) if hit else ("wrong",) for hit in found]}
    read = {**{name: getattr(items, name) for name in COLUMNS}, **{k: tuple(v) for k, v in columns.items()}}
    return replace(stored, items={task: Items(read.__getitem__, items.labels)})


def test_what_is_missing_is_shared_between_retriever_and_reader_over_all_items():
    one = retrieving(asked("qa", "rag", USUAL, {"oracle": ORACLE, "random": RANDOM}), FOUND)
    task, row = row_of([one], "rag")
    split = row.retrieval
    assert (split.items, split.found, split.missing) == (20, 0.6, pytest.approx(0.8))
    assert split.retriever.value == pytest.approx(2 / 12 - 4 / 20)  # those with the passage are no better here
    assert split.reader.value == pytest.approx(1 - 2 / 12)
    oracle = {effect.ablation: effect for effect in row.controls}["oracle"]
    assert (oracle.change.n, oracle.score.value, oracle.usual) == (4, 0.75, 0.25)  # of those that missed
    (said,) = [sentence for sentence in task.verdict if "retriever" in sentence]
    assert said.startswith("`rag` misses 0.80 on `qa`: the retriever loses -0.03 [")
    assert "(right passage retrieved for 60% of 20 items); given the right passage (4 missed items): 0.75 [" in said
    assert "was 0.25; with random passages: 0.00 [0.00," in said


def test_a_row_without_ablations_tells_reader_from_retriever_too_and_one_that_finds_nothing_does_not():
    stored = retrieving(completed("qa", "rag", USUAL), FOUND)
    assert row_of([stored], "rag")[1].retrieval.items == 20
    assert row_of([retrieving(completed("qa", "rag", USUAL), [0] * 20)], "rag")[1].retrieval is None
    assert row_of([completed("qa", "zero_shot", USUAL)], "zero_shot")[1].retrieval is None


def test_the_intervals_of_the_losses_cover_them_as_often_as_said():
    """Of clustered items; a share of 95 % of 400 has a standard error of 1.1 points."""
    shares = release_simulations.retrieval_losses(400)
    assert 0.912 <= shares["coverage retriever"] <= 0.988
    assert 0.912 <= shares["coverage reader"] <= 0.988


def test_scores_and_everything_else_are_as_if_nothing_had_been_asked_besides():
    plain = completed("qa", "rag", USUAL), completed("qa", "zero_shot", pattern(0.1, 20))
    worded = asked("qa", "rag", USUAL, {"oracle": ORACLE, "paraphrase-1": RANDOM}), plain[1]
    (before,), (after,) = (compare(stored).suites[0].tasks for stored in (plain, worded))
    assert after.items == before.items == 20
    assert after.warnings == before.warnings
    assert [row.model_copy(update={"controls": ()}) for row in after.rows] == list(before.rows)
    assert [one for one in after.verdict if "Sensitivity to the wording" not in one] == list(before.verdict)


def test_stored_rows_of_controls_stay_out_of_scores_retention_classes_and_examples(tmp_path):
    store = Store(tmp_path)
    for strategy, right in (("zero_shot", pattern(0.5, 20)), ("lora", pattern(0.8, 20))):
        one = asked("sentiment", strategy, right, {"paraphrase-1": [0] * 10}, trained=8, checks=())
        trial = one.record.trial.model_copy(update={"key": strategy.ljust(64, "0")})
        own = answered(right)
        rows = [row.model_copy(update={"task": "sentiment"}) for row in own]
        rows += [
            row.model_copy(update={"task": "sentiment@paraphrase-1", "role": "control"}) for row in answered([0] * 10)
        ]
        store.write(one.record.model_copy(update={"trial": trial}), rows)
    trials = store.load()
    comparison = compare(read_trials(trials))
    ((task,),) = (suite.tasks for suite in comparison.suites)
    assert {row.strategy: row.scores["accuracy"].value for row in task.rows} == {"lora": 0.8, "zero_shot": 0.5}
    assert {row.strategy: row.scores["accuracy"].n for row in task.rows} == {"lora": 20, "zero_shot": 20}
    assert all(sum(one.support for one in row.classes) == 20 for row in task.rows)
    assert all(row.retention == () and row.gap is None for row in task.rows)
    assert [one.ablation for row in task.rows for one in row.controls] == ["paraphrase-1"] * 2
    (found,) = examples_of(trials, comparison)
    assert found.items == 20


def test_a_record_from_before_stands_in_one_table_with_one_that_was_asked_besides():
    old = completed("qa", "zero_shot", pattern(0.2, 20))
    new = asked("qa", "rag", USUAL, {"oracle": ORACLE, "paraphrase-1": ORACLE})
    task, row = row_of([old, new], "zero_shot")
    assert row.to_best is not None or task.rows[0] is row
    assert row.controls == ()
    assert not task.warnings


HALF, MORE, LESS = [1, 0] * 5, [1] * 9 + [0], [0] * 9 + [1]


def wording(*rows):
    """The sentence about wording of a table whose strategies were right on these items under paraphrases 1 and 2."""
    stored = [
        asked("sentiment", name, usual, dict(zip(("paraphrase-1", "paraphrase-2"), ways, strict=False)), words=words)
        for name, usual, ways, words in rows
    ]
    (task,) = compare(stored).suites[0].tasks
    return next((one for one in task.verdict if "wording" in one), None)


def test_the_range_over_paraphrases_and_who_moves_most_are_said():
    said = wording(("a", HALF, (MORE, HALF), None), ("b", LESS, (LESS, LESS), None))
    assert said.startswith(
        "Sensitivity to the wording of the instruction of `sentiment` (10 items): scores move by +0.00 to "
    )
    assert "+0.40, most for `a` (+0.40 [" in said
    assert "under paraphrase-1" in said
    assert said.endswith("is the same under all 2 paraphrases.")


def test_a_paraphrase_under_which_another_strategy_comes_first_is_named():
    said = wording(("a", HALF, (HALF, LESS), None), ("b", LESS, (LESS, MORE), None))
    assert said.endswith("changes under paraphrase-2 (first: `b`).")


def test_a_tie_is_no_order_that_could_change():
    assert wording(("a", HALF, (HALF,), None), ("b", HALF, (LESS,), None)).endswith("is the same under the paraphrase.")


def test_scores_under_other_wordings_are_not_mixed_with_those_under_earlier_ones():
    old, new = {"paraphrase-1": "Say it."}, {"paraphrase-1": "Tell it."}
    said = wording(("a", MORE, (MORE,), old), ("b", LESS, (MORE,), new))
    assert "+0.80" not in said
    assert "ranking" not in said
    seeds = [
        asked("sentiment", "c", HALF, {"paraphrase-1": HALF}, words=words, seed=s) for s, words in enumerate((old, new))
    ]
    (task,) = compare(seeds).suites[0].tasks
    assert task.rows[0].controls == ()


def test_seeds_are_pooled_and_a_way_that_one_seed_was_not_asked_is_left_out():
    both = [
        retrieving(asked("qa", "rag", USUAL, {"oracle": ORACLE, **more}, seed=s), FOUND)
        for s, more in enumerate(({}, {"none": RANDOM}))
    ]
    _, row = row_of(both, "rag")
    (control,) = row.controls
    assert (control.ablation, control.score.seeds) == ("oracle", 2)


def checked(*checks):
    return completed("sentiment", "lora", HALF, checks=checks)


def test_a_share_of_equal_answers_has_wilsons_interval():
    found = agreement(Check(name="merged", items=24, agreeing=22))
    assert (round(found.low, 3), round(found.high, 3)) == (0.742, 0.977)
    assert agreement(Check(name="merged", items=0, agreeing=0)).share is None


def test_self_tests_that_agree_share_a_line_and_one_that_does_not_is_said_by_itself():
    merged = Check(name="merged", items=24, agreeing=24)
    (task,) = (
        compare([checked(merged, Check(name="precision", items=24, agreeing=22, note="by 2 nats"))]).suites[0].tasks
    )
    assert sentences(task) == [
        "Self-tests passed: merged vs. separate adapter, 24 items [0.86, 1.00] (`lora`).",
        (
            "Self-test of `lora`, 4-bit vs. full-precision weights: 2 of 24 answers DIFFER; agreement 0.92 "
            "[0.74, 0.98] (by 2 nats)."
        ),
    ]


def test_seeds_checks_are_added_up_and_one_that_could_not_be_made_says_why():
    stored = [
        completed("sentiment", "lora", HALF, seed=seed, checks=(Check(name="merged", items=10, agreeing=right),))
        for seed, right in enumerate((10, 9))
    ]
    (task,) = compare(stored).suites[0].tasks
    assert task.rows[0].checks == (PooledCheck(name="merged", items=20, agreeing=19, runs=2),)
    (task,) = compare([checked(Check(name="precision", items=0, agreeing=0, note="not made: no room"))]).suites[0].tasks
    assert sentences(task) == ["Self-test of `lora`, 4-bit vs. full-precision weights: not made: no room."]
    assert sentences(compare([completed("sentiment", "lora", HALF)]).suites[0].tasks[0]) == []


def test_every_format_carries_self_tests_and_controls():
    plain = asked("qa", "rag", USUAL, {"oracle": ORACLE}, checks=(Check(name="merged", items=4, agreeing=3),))
    one = retrieving(plain, FOUND)
    comparison = compare([one])
    assert '"agreeing": 3' in json.render(comparison)
    assert '"oracle": {' in json.render(comparison)
    head, line = csv.render(comparison).splitlines()
    cells = dict(zip(head.split(","), line.split(","), strict=True))
    assert (cells["check/merged_items"], cells["check/merged_agreeing"]) == ("4", "3")
    assert float(cells["control/oracle"]) == pytest.approx(0.75)
    assert float(cells["control/oracle_change"]) == pytest.approx(0.5)
    assert "1 of 4 answers DIFFER" in markdown.render(comparison)
