"""Stored records to a comparison: rows, ties, baseline, retention, cost, warnings and verdicts."""

import pytest

from harness.compare.report.comparison import compare
from harness.compare.table.findings import TaskWarning
from harness.compare.trials.stored_trials import read_trials
from harness.errors import HarnessError
from harness.records.measurements import Span
from harness.records.record import Row
from tests.compare.builders import (
    HERE,
    HERE_MODEL,
    MIB,
    completed,
    failed,
    info,
    pattern,
    quick_suite,
)


@pytest.fixture(scope="module")
def quick():
    return compare(quick_suite()).suites[0]


def task(suite, name):
    return next(found for found in suite.tasks if found.name == name)


def row(suite, task_name, strategy):
    return next(found for found in task(suite, task_name).rows if found.strategy == strategy)


def one_task(*stored):
    return compare(stored).suites[0].tasks[0]


def test_rows_are_best_first_and_then_what_did_not_finish(quick):
    order = [(r.strategy, r.status) for r in task(quick, "sentiment").rows]
    done = [(name, "completed") for name in ("lora", "full", "few_shot(k=4)", "zero_shot")]
    assert order == [*done, ("qlora", "failed"), ("rag", "skipped")]
    assert row(quick, "sentiment", "rag").reason == "sentiment has no corpus"


def test_seeds_are_pooled_in_the_row_and_kept_apart_in_its_trials(quick):
    lora = row(quick, "sentiment", "lora")
    assert lora.seeds == 2
    assert lora.scores["accuracy"].value == pytest.approx(0.875)
    assert [t.scores["accuracy"].value for t in lora.trials] == pytest.approx([0.9, 0.85])


def test_what_is_not_clearly_worse_than_the_best_is_tied(quick):
    assert {r.strategy: r.tied_for_best for r in task(quick, "sentiment").rows if r.scores} == {
        "lora": True,
        "full": True,
        "few_shot(k=4)": False,
        "zero_shot": False,
    }


def test_every_row_is_compared_with_zero_shot_of_its_own_model():
    found = one_task(
        completed("sentiment", "zero_shot", pattern(0.5)),
        completed("sentiment", "zero_shot", pattern(0.7), model="large"),
        completed("sentiment", "few_shot", pattern(0.8), model="large"),
    )
    changes = {(r.strategy, r.model): r.to_baseline and round(r.to_baseline.value, 3) for r in found.rows}
    assert changes == {("zero_shot", "small"): None, ("zero_shot", "large"): None, ("few_shot", "large"): 0.1}


def test_retention_is_after_minus_before_on_the_probe(quick):
    (kept,) = row(quick, "sentiment", "full").retention
    assert (kept.task, kept.metric) == ("know", "accuracy")
    assert (kept.before.value, kept.after.value, kept.change.value) == pytest.approx((0.6, 0.3, -0.3))
    assert row(quick, "sentiment", "few_shot(k=4)").retention == ()


def test_retention_without_a_trial_from_before_is_unknown_and_says_what_to_run():
    found = one_task(completed("sentiment", "lora", pattern(0.8), trained=1, probes={"know": pattern(0.5)}))
    assert found.rows[0].retention == ()
    assert "run zero_shot on know with small" in found.warnings[0].text


def test_retention_is_unknown_where_the_probes_data_changed():
    before = completed("know", "zero_shot", pattern(0.5), tasks=(info("know", data_hash="other"),))
    tuned = completed("sentiment", "lora", pattern(0.8), trained=1, probes={"know": pattern(0.5)})
    found = compare([tuned, before]).suites[0].tasks[0]
    assert found.rows[0].retention == ()
    assert "its data have changed" in found.warnings[0].text


def test_tasks_that_are_only_probed_come_last(quick):
    assert [found.name for found in quick.tasks] == ["sentiment", "qa", "know"]


def test_tasks_stand_in_the_order_of_the_suite():
    def of(name, order, role="target"):
        return completed(name, "zero_shot", pattern(0.5), tasks=(info(name, role, order=order),))

    suite = compare([of("know", 0, "probe"), of("qa", 2), of("sentiment", 1)]).suites[0]
    assert [found.name for found in suite.tasks] == ["sentiment", "qa", "know"]


def test_a_probe_is_not_compared_with_itself_in_its_own_table():
    found = one_task(completed("know", "zero_shot", pattern(0.5), tasks=(info("know", "probe"),)))
    assert found.rows[0].retention == ()
    assert not any("no clear loss" in sentence for sentence in found.verdict)


def test_clusters_are_respected(quick):
    assert task(quick, "qa").clusters == 100
    assert row(quick, "qa", "rag").scores["token_f1"].method.startswith("t, clustered")


def test_a_metric_that_cannot_be_told_is_absent(quick):
    assert "recall@1" not in row(quick, "qa", "zero_shot").scores


def test_costs_add_up_over_phases_and_average_over_seeds():
    gpu = {"gpu_reserved_peak_bytes": 10 * MIB, "gpu_device_peak_bytes": 99 * MIB}
    spans = (
        Span(phase="load", wall_s=1),
        Span(phase="adapt", step="lora", wall_s=10, tokens_in=100, host_peak_bytes=5 * MIB, **gpu),
        Span(phase="adapt", step="dpo", wall_s=20, tokens_in=50, host_peak_bytes=3 * MIB, reused=True),
        Span(phase="predict", wall_s=4, tokens_in=90, tokens_out=10),
    )
    slower = (*spans[:3], Span(phase="predict", wall_s=6, tokens_in=90, tokens_out=10))
    cost = (
        one_task(
            completed("sentiment", "lora", pattern(0.8), spans=spans),
            completed("sentiment", "lora", pattern(0.8), seed=1, spans=slower),
        )
        .rows[0]
        .cost
    )
    assert (cost.total_s, cost.host_peak_bytes, cost.gpu_peak_bytes) == (36, 5 * MIB, 10 * MIB)
    assert (cost.phases["adapt"].wall_s, cost.phases["adapt"].tokens_in, cost.phases["adapt"].reused) == (30, 150, True)
    assert (cost.tokens_per_s, cost.items_per_s) == (20, 40)


def test_what_was_not_measured_is_unknown_and_not_zero():
    spans = (Span(phase="predict", wall_s=4, tokens_in=90),)
    cost = one_task(completed("sentiment", "lora", pattern(0.8), spans=spans)).rows[0].cost
    assert (cost.host_peak_bytes, cost.gpu_peak_bytes, cost.tokens_per_s) == (None, None, None)


def test_unlike_machines_are_flagged_and_speed_is_not_compared():
    elsewhere = HERE.model_copy(update={"cores": 64, "packages": {"torch": "2.14.0"}})
    stored = [
        completed("sentiment", "zero_shot", pattern(0.5)),
        completed("sentiment", "few_shot", pattern(0.5), seconds=90, environment=elsewhere),
    ]
    suite = compare(stored).suites[0]
    assert not suite.tasks[0].speed_comparable
    assert "2 kinds of machine" in suite.tasks[0].warnings[0].text
    assert "torch versions differ between records (2.13.0 and 2.14.0)" in suite.warnings[0]
    assert not any("least time" in sentence for sentence in suite.tasks[0].verdict)


def test_different_weights_under_one_name_are_flagged():
    other = HERE_MODEL.model_copy(update={"hash": "other"})
    found = one_task(
        completed("sentiment", "zero_shot", pattern(0.5)),
        completed("sentiment", "few_shot", pattern(0.5), model_info=other),
    )
    assert "2 different weights" in found.warnings[0].text
    assert not found.speed_comparable


def test_a_tasks_own_warnings_are_repeated_once():
    tasks = (info("sentiment", warnings=("3 test items are also in train",)),)
    found = one_task(*[completed("sentiment", name, pattern(0.5), tasks=tasks) for name in ("zero_shot", "few_shot")])
    assert found.warnings == (TaskWarning(kind="data", text="3 test items are also in train"),)


def test_the_share_of_unparsed_answers_is_kept_and_they_count_as_wrong():
    found = one_task(completed("sentiment", "zero_shot", [1, None, None, 1])).rows[0]
    assert (found.unparsed, found.scores["accuracy"].value) == (0.5, 0.5)
    assert found.confusion[0][-1] == "(no label)"


def test_some_seeds_that_failed_leave_a_row_with_its_reason():
    found = one_task(
        completed("sentiment", "lora", pattern(0.8), trained=1), failed("sentiment", "lora", "out of memory", seed=1)
    ).rows[0]
    assert (found.status, found.seeds, found.reason) == ("completed", 1, "seed 1: out of memory")


def test_two_records_of_one_trial_are_refused():
    with pytest.raises(HarnessError, match="two records of zero_shot on quick/sentiment"):
        compare([completed("sentiment", "zero_shot", pattern(0.5))] * 2)


def test_nothing_stored_gives_an_empty_comparison():
    assert compare([]).suites == ()


def test_stored_tables_give_the_same_comparison_as_items(quick):
    import pyarrow as pa

    from harness.store.column_file import TableColumns

    class InStore:
        def __init__(self, one):
            self.record, self._items = one.record, one.items

        def columns(self):
            rows = [
                Row(task=name, id=i, cluster=c, references=refs, answer=a)
                for name, items in self._items.items()
                for i, c, refs, a in zip(items.ids, items.clusters, items.references, items.answers, strict=True)
            ]
            return TableColumns(pa.Table.from_pylist([row.model_dump() for row in rows]))

    assert compare(read_trials([InStore(one) for one in quick_suite()])).suites[0] == quick


def test_rows_are_the_same_whether_each_seed_is_told_of_or_not():
    shown = compare(quick_suite(), each_seed=False).suites[0]
    alone = {"scores": {}, "retention": (), "gap": None}
    for task, whole in zip(shown.tasks, compare(quick_suite()).suites[0].tasks, strict=True):
        bare = [
            row.model_copy(update={"trials": tuple(trial.model_copy(update=alone) for trial in row.trials)})
            for row in whole.rows
        ]
        assert any(trial.scores for row in whole.rows for trial in row.trials)
        assert task == whole.model_copy(update={"rows": tuple(bare)})


def test_a_comparison_survives_being_written_and_read():
    made = compare(quick_suite())
    assert type(made).model_validate_json(made.model_dump_json()) == made
