"""One trial in this process, on a tiny model: its phases, its counts, and what it takes from earlier trials."""

import pytest

from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.errors import HarnessError
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.trial import run_trial as module
from harness.trial.run_trial import run_trial
from tests.trial.trial_results import LORA, answers, only


@pytest.mark.parametrize(
    ("strategy", "task", "expected"),
    [
        ("zero_shot", "moods", ["load", "adapt zero_shot", "calibrate", "predict", "score"]),
        ("few_shot", "moods", ["load", "adapt few_shot", "calibrate", "predict", "score"]),
        (LORA, "moods", ["load", "adapt lora", "calibrate", "predict", "probe", "seen", "score"]),
        ("rag+" + LORA, "facts", ["load", "index rag", "adapt lora", "predict", "probe", "seen", "score"]),
    ],
)
def test_each_phase_is_a_span(run, strategy, task, expected):
    record, _ = run(strategy, task)
    assert [f"{span.phase} {span.step}" if span.step else span.phase for span in record.spans] == expected
    assert all(span.wall_s > 0 and span.host_peak_bytes > 0 and not span.reused for span in record.spans)
    assert all(span.gpu_allocated_peak_bytes is None for span in record.spans) or module.current_environment().gpu


def test_items_are_asked_as_requests_once_they_were_asked_in_batches(run):
    record, rows = run("rag+" + LORA, "facts", requests=3)
    order = [span.phase for span in record.spans]
    assert order.index("serve") == order.index("predict") + 1
    assert [one.id for one in record.serving.requests] == [row.id for row in rows if row.role == "target"][:3]
    assert [(one.name, one.items, one.agreeing) for one in record.checks] == [("batch", 3, 3)]


def test_reading_and_writing_are_parts_of_the_phase_in_which_items_are_asked(run):
    record, rows = run("zero_shot", "facts")
    span = only(record, "predict")
    assert 0 < span.prefill_s + span.decode_s <= span.wall_s
    assert 0 < span.decode_tokens <= sum(min(row.output_tokens, 3) for row in rows)
    scored = only(run("zero_shot")[0], "predict")
    assert 0 < scored.prefill_s <= scored.wall_s
    assert (scored.decode_s, scored.decode_tokens) == (0, 0)


def test_generated_tokens_are_counted_without_padding(run):
    record, rows = run("zero_shot", "facts")
    span = only(record, "predict")
    assert span.tokens_in == sum(row.prompt_tokens for row in rows) > 0
    assert span.tokens_out == sum(row.output_tokens for row in rows) > 0


def test_scored_choices_are_tokens_that_are_read(run):
    record, rows = run("zero_shot")
    span = only(record, "predict")
    assert span.tokens_in == sum(row.prompt_tokens + row.output_tokens for row in rows) > 0
    assert span.tokens_out is None


def test_training_counts_the_tokens_of_every_epoch(run, open_tiny, tiny_suite):
    from harness.api import System
    from harness.training.training_samples import build_samples

    data = prepare(load_suite(tiny_suite), "moods").task_data
    one_epoch = sum(sample.tokens for sample in build_samples(System(open_tiny(), data.task), data.train))
    record, _ = run(LORA)
    assert only(record, "adapt", "lora").tokens_in == 2 * one_epoch


def test_what_was_made_is_in_the_record(run):
    record, rows = run(LORA)
    assert record.adapted_bytes > 0
    assert 0 < record.trained_parameters < record.model.parameters
    checks = [point["step"] for point in record.curves if "validation_loss" in point]
    (training,) = record.trainings
    assert checks == [0, training.steps]
    assert (training.reason, training.floor_steps) == ("ceiling", training.ceiling_steps)
    assert training.best_step in checks
    assert set(record.scores) == {"moods/accuracy", "moods/macro_f1", "quiz/accuracy"}
    assert [task.role for task in record.tasks] == ["target", "probe"]
    assert {row.role for row in rows if row.task == "quiz"} == {"probe"}
    untrained, _ = run("zero_shot")
    assert (untrained.adapted_bytes, untrained.trained_parameters, untrained.curves) == (None, None, ())


def test_training_items_are_asked_again_and_do_not_count_as_test_items(run):
    record, rows = run(LORA)
    seen = [row for row in rows if row.role == "train"]
    assert len(seen) == 8
    assert not {row.id for row in seen} & {row.id for row in rows if row.role == "target"}
    hits = [row.answer in row.references for row in rows if row.role == "target"]
    assert record.scores["moods/accuracy"] == pytest.approx(sum(hits) / len(hits))
    assert only(record, "seen").tokens_in == sum(row.prompt_tokens + row.output_tokens for row in seen)


def test_a_smaller_trial_learns_from_the_first_items_and_is_asked_the_same_ones(run):
    small, few = run(LORA, train_sizes=(6,))
    full, all_of_them = run(LORA)
    assert (small.tasks[0].sizes["train"], full.tasks[0].sizes["train"]) == (6, 12)
    assert only(small, "adapt", "lora").tokens_in < only(full, "adapt", "lora").tokens_in
    asked = [[row.id for row in rows if row.role == "target"] for rows in (few, all_of_them)]
    assert asked[0] == asked[1]
    assert small.trial.basis == full.trial.basis


@pytest.mark.parametrize(
    ("strategy", "changes", "count"),
    [("zero_shot", {}, 0), ("few_shot", {}, 0), (LORA, {"seen_items": 3}, 3), (LORA, {"seen_items": 0}, 0)],
)
def test_only_what_was_tuned_on_them_is_asked_training_items_again(run, strategy, changes, count):
    _, rows = run(strategy, **changes)
    assert sum(row.role == "train" for row in rows) == count


def test_what_was_tuned_on_another_task_has_no_training_items_of_this_one(run):
    _, rows = run("lora(epochs=1,rank=4,task=facts)")
    assert not any(row.role == "train" for row in rows)


def test_retrieval_is_scored_where_the_evidence_is_known(run):
    record, rows = run("rag", "facts")
    assert {"facts/recall@2", "facts/mrr"} <= set(record.scores)
    assert all(len(row.passages) == 2 and len(row.evidence) == 1 for row in rows)
    hits = sum(row.evidence[0] in row.passages for row in rows)
    assert record.scores["facts/recall@2"] == pytest.approx(hits / len(rows))


def test_progress_names_each_phase_in_order(run):
    seen = []
    run(LORA, emit=seen.append)
    order = list(dict.fromkeys((event["phase"], event.get("step")) for event in seen))
    assert order == [
        ("load", None),
        ("adapt", "lora"),
        ("calibrate", None),
        ("predict", None),
        ("probe", None),
        ("seen", None),
        ("score", None),
    ]
    assert {event["total"] for event in seen if event["phase"] == "predict" and "total" in event} == {8}


def test_a_step_learns_the_tasks_that_it_names_and_the_adapter_is_shared(run):
    record, rows = run("lora(epochs=1,rank=4,task=all)")
    other, _ = run("lora(epochs=1,rank=4,task=all)", "facts")
    (kept,) = run.kept()
    assert [span.reused for span in other.spans if span.phase == "adapt"] == [True]
    alone, alone_rows = run("lora(epochs=1,rank=4)")
    assert only(record, "adapt", "lora").tokens_in > only(alone, "adapt", "lora").tokens_in
    assert answers(rows) != answers(alone_rows)
    assert kept in run.kept()


def test_a_sequence_of_tasks_takes_up_the_first_adapter(run):
    first, second = "lora(epochs=1,rank=4,task=moods)", "lora(epochs=1,rank=4,task=facts)"
    _, before = run(first)
    record, after = run(f"{first}+{second}")
    assert [(span.phase, span.reused) for span in record.spans if span.step][:3] == [
        ("load", False),
        ("adapt", False),
        ("adapt", True),
    ]
    assert answers(before) != answers(after)
    _, elsewhere = run(f"{first}+{second}", "facts")
    assert [row.id for row in elsewhere if row.role == "target"]


def test_a_task_named_that_is_the_trials_own_changes_nothing(run):
    assert answers(run("lora(epochs=1,rank=4)")[1]) == answers(run("lora(epochs=1,rank=4,task=moods)")[1])
    assert len(run.kept()) == 1


@pytest.mark.parametrize(
    ("strategy", "said"),
    [("lora(task=nowhere)", "unknown task 'nowhere'"), ("lora(task=quiz)", "'quiz' of .* is a probe")],
)
def test_a_task_to_learn_from_must_be_a_target(run, strategy, said):
    with pytest.raises(HarnessError, match=said):
        run(strategy)


def test_a_probe_can_be_a_trials_own_task(tiny_suite, tiny_folders, tmp_path):
    config = RunConfig(suite=str(tiny_suite), models=(str(tiny_folders()),), tasks=("quiz",), strategies=("zero_shot",))
    record, rows = run_trial(make_plan(config).trials[0], cache=tmp_path, emit=lambda event: None)
    assert record.scores.keys() == {"quiz/accuracy"}
    assert len(rows) == 6


def test_a_record_says_what_training_held_and_a_reused_adapter_still_tells_it(run):
    first, _ = run("rag+" + LORA, "facts")
    again, _ = run("rag+" + LORA, "facts")
    plain, _ = run("zero_shot", "facts")
    assert only(again, "adapt", "lora").reused
    assert first.held == again.held
    assert first.held.weights_bytes == plain.held.weights_bytes
    assert first.held.gradient_bytes == 4 * first.trained_parameters
    added = first.held.tuned_weights_bytes - first.held.weights_bytes
    assert added in {2 * first.trained_parameters, 4 * first.trained_parameters}
    assert first.held.optimizer_bytes > 2 * first.held.gradient_bytes
    assert (plain.held.tuned_weights_bytes, plain.held.gradient_bytes, plain.held.optimizer_bytes) == (None,) * 3


def test_the_calibration_is_stored_with_its_cost_and_explains_every_answer(run):
    record, rows = run("few_shot(k=2)")
    calibration, labels = record.tasks[0].calibration, record.tasks[0].labels
    assert (calibration.source, calibration.share_labels) == ("validation", 12)
    assert only(record, "calibrate").tokens_in > 0
    for row in rows:
        scores = [score - shift for score, shift in zip(row.choice_scores, calibration.shift, strict=True)]
        assert row.answer == labels[scores.index(max(scores))]


def test_requests_ablations_and_items_seen_are_read_with_the_same_prior(run):
    record, rows = run(LORA, requests=3, check_items=4)
    calibration, labels = record.tasks[0].calibration, record.tasks[0].labels
    assert {row.role for row in rows if row.choices == labels} == {"target", "train"}
    for row in rows:
        if row.choices == labels:
            scores = [score - shift for score, shift in zip(row.choice_scores, calibration.shift, strict=True)]
            assert row.answer == labels[scores.index(max(scores))]
    assert all(check.agreeing == check.items for check in record.checks if check.name == "batch")


def test_probes_are_read_by_raw_scores_before_and_after(run):
    record, _ = run(LORA)
    assert [task.calibration is None for task in record.tasks] == [False, True]


def test_the_constant_answer_is_a_trial_without_tokens(run):
    record, rows = run("majority", requests=2)
    assert {row.answer for row in rows} == {"bad"}  # six training items of each label: the first
    assert record.scores["moods/accuracy"] == sum("bad" in row.references for row in rows) / len(rows)
    assert sum((span.tokens_in or 0) + (span.tokens_out or 0) for span in record.spans) == 0
