"""`pretrain` in trials: what the record bears, what is charged, what is left out, and where it is skipped."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.api import Context, Passage, System, TaskData
from harness.compare.trials.traits import infer_traits
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.errors import HarnessError
from harness.plan import chain, discover
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.training.corpus_samples import build_passage_samples
from harness.trial.run_trial import run_trial

QUICK = "pretrain(epochs=30,learning_rate=0.01,batch_size=4)"


def plan(suite, model, strategy, task="facts"):
    config = RunConfig(suite=str(suite), tasks=(task,), models=(str(model),), strategies=(strategy,), check_items=0)
    return make_plan(config).trials[0]


@pytest.fixture
def run(tiny_suite, tiny_folders, tmp_path):
    def run_one(strategy, suite=tiny_suite, task="facts"):
        return run_trial(plan(suite, tiny_folders(), strategy, task), cache=tmp_path, emit=lambda event: None)[0]

    return run_one


def spans(record):
    return [(span.phase, span.step, span.reused) for span in record.spans if span.step]


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_record_bears_what_the_corpus_was_known_before_and_after(run, method):
    record = run(f"{QUICK[:-1]},method={method})")
    (learning,) = record.corpus
    assert (learning.step, learning.passages, learning.restricted_passages) == ("pretrain", 24, 0)
    assert learning.halved
    assert learning.cloze_items == 24
    assert learning.cloze_recall_after > learning.cloze_recall_before
    assert spans(record) == [("check", "pretrain", False), ("adapt", "pretrain", False), ("check", "pretrain", False)]


def test_what_follows_takes_up_the_pretrained_weights_and_is_charged_for_them(run):
    first = run(QUICK)
    second = run(f"{QUICK}+lora(rank=4,epochs=1)+rag(retriever=bm25)")
    assert second.corpus == first.corpus
    assert [span for span in spans(second) if span[1] == "pretrain"] == [
        ("load", "pretrain", False),
        ("adapt", "pretrain", True),
        ("check", "pretrain", True),
        ("check", "pretrain", True),
    ]
    assert second.trained_parameters > first.trained_parameters


def test_learning_the_corpus_needs_no_labels_and_no_index(run):
    record = run("pretrain(epochs=1)")
    traits = infer_traits([record])
    assert traits.labels == 0
    assert traits.changes_weights
    assert not traits.searches_corpus
    assert not traits.uses_examples


def test_items_that_were_not_trained_on_are_not_asked_as_if(tiny_suite, tiny_folders):
    pretrained, tuned = (
        plan(tiny_suite, tiny_folders(), text).measurement.seen_items for text in ("pretrain", "pretrain+lora")
    )
    assert pretrained == 0 < tuned


def test_without_a_corpus_it_is_skipped_with_the_reason(tiny_suite, tiny_folders):
    skip = plan(tiny_suite, tiny_folders(), "pretrain", "moods").skip
    assert skip == "pretrain needs a corpus; task 'moods' has none"


@pytest.fixture
def guarded_suite(tiny_suite, tmp_path):
    """Write a suite whose passages name readers, all or every third."""

    def write(every):
        folder = tmp_path / f"guarded{every}"
        folder.mkdir()
        for file in Path(tiny_suite).iterdir():
            (folder / file.name).write_text(file.read_text())
        head, *rows = (folder / "doors.csv").read_text().splitlines()
        lines = [f"{row},{'' if n % every else 'ann'}" for n, row in enumerate(rows)]
        (folder / "doors.csv").write_text("\n".join([f"{head},readers", *lines]) + "\n")
        return folder

    return write


@pytest.mark.parametrize(("parameters", "learned", "left_out"), [("", 16, 8), (",restricted=true", 24, 0)])
def test_what_not_everybody_may_read_is_not_learned_unless_asked_for(run, guarded_suite, parameters, learned, left_out):
    (learning,) = run(f"pretrain(epochs=1{parameters})", guarded_suite(3)).corpus
    assert (learning.passages, learning.restricted_passages) == (learned, left_out)


def test_a_corpus_that_nobody_in_general_may_read_is_a_reason_to_skip(guarded_suite, tiny_folders):
    folder = guarded_suite(1)
    skip = plan(folder, tiny_folders(), "pretrain").skip
    assert skip.startswith("pretrain: no passage of task 'facts' is for everybody to read")
    assert plan(folder, tiny_folders(), "pretrain(restricted=true)").skip is None


def test_a_passage_that_stands_there_twice_is_learned_once_and_is_public_where_a_copy_is(open_tiny, tiny_suite):
    task = prepare(load_suite(tiny_suite), "facts").task_data
    copies = (Passage("a", "The same text."), Passage("b", "The same text.", "", ("ann",)))
    (link,) = chain.build("pretrain", discover.find_step)
    data = TaskData(task.task, corpus=(*copies[::-1], Passage("c", "Another text.", "", ("ann",))))
    figures = link.step.measure_corpus(System(open_tiny(), task.task), data, Context())
    assert (figures.passages, figures.restricted_passages) == (1, 1)


@pytest.mark.parametrize(("restricted", "learned"), [("false", 1), ("true", 2)])
def test_paraphrases_of_an_earlier_step_are_learned_too(open_tiny, tiny_suite, restricted, learned):
    task = prepare(load_suite(tiny_suite), "facts").task_data
    paraphrases = (Passage("w1", "Key 1 opens it."), Passage("w2", "Key 2 opens it too.", "", ("ann",)))
    (link,) = chain.build(f"pretrain(epochs=1,restricted={restricted})", discover.find_step)
    model, counts = open_tiny(), []
    samples = build_passage_samples(model, [*task.corpus, *paraphrases[:learned]], 768)
    system, data = System(model, task.task), replace(task, paraphrases=paraphrases)
    figures = link.step.measure_corpus(system, data, Context())
    link.step.adapt(system, data, Context(count_tokens=counts.append))
    assert sum(counts) == sum(sample.tokens for sample in samples)
    assert (figures.passages, figures.paraphrases) == (24, learned)


def test_distractors_that_nothing_trains_on_are_a_reason_to_skip(tiny_suite, tiny_folders):
    skips = {
        text: plan(tiny_suite, tiny_folders(), text).skip
        for text in (
            "rag(retriever=bm25,distractors=2)",
            "lora+rag(retriever=bm25,distractors=2)",
            "rag(retriever=bm25,distractors=2)+pretrain",
            "rag(retriever=bm25,distractors=2)+lora",
        )
    }
    assert [bool(skip) for skip in skips.values()] == [True, True, True, False]
    assert all("no later step trains on prompts with distractors" in skip for skip in skips.values() if skip)


def test_a_share_without_distractors_is_refused():
    with pytest.raises(HarnessError, match="evidence_share is about distractors"):
        chain.build("rag(evidence_share=0.5)", discover.find_step)


def test_a_chain_with_distractors_trains_and_is_asked_with_k_passages(run, tiny_suite, tiny_folders, tmp_path):
    text = "rag(k=1,retriever=bm25,distractors=2)+lora(rank=4,epochs=1,batch_size=4)"
    _, rows = run_trial(plan(tiny_suite, tiny_folders(), text), cache=tmp_path, emit=lambda event: None)
    assert {len(row.passages) for row in rows if row.role == "target"} == {1}
