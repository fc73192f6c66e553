"""No claim rests on a row that was to learn a corpus and has not halved its bits a byte."""

import pytest

from harness.compare.decide.constraints import Constraints
from harness.compare.decide.decision import decide
from harness.compare.prose import corpus_sentences, verdict
from harness.compare.report.comparison import compare
from harness.compare.table.corpus_learning import unlearned
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.records.measurements import CorpusLearning
from tests.compare.builders import completed, pattern

STEPS = ({"step": "pretrain", "epochs": 12, "method": "full"},)


def learning(after, **changes):
    bits = {"bits_per_byte_before": 1.2, "bits_per_byte_after": after}
    cloze = {"cloze_items": 40, "cloze_recall_before": 0, "cloze_recall_after": 0.5}
    return CorpusLearning(step="pretrain", passages=40, **bits, **cloze, **changes)


def pretrained(share, after, strategy="pretrain", seed=0, **changes):
    trial = completed("qa", strategy, pattern(share), trained=9, seed=seed)
    record = trial.record.model_copy(update={"corpus": (learning(after, **changes),)})
    return StoredTrialItems(record, trial.items)


def table(*stored):
    return compare(list(stored)).suites[0].tasks[0]


def others():
    return [completed("qa", "zero_shot", pattern(0.1)), completed("qa", "rag", pattern(0.5))]


@pytest.mark.parametrize(("after", "learned"), [(0.6, True), (0.61, False), (1.3, False)])
def test_half_the_bits_are_learned(after, learned):
    row = next(row for row in table(pretrained(0.3, after), *others()).rows if row.strategy == "pretrain")
    assert (unlearned(row) is None) == learned


def test_the_seed_that_learned_least_decides():
    seeds = [pretrained(0.3, after, seed=seed) for seed, after in enumerate((0.5, 0.9, 0.7))]
    row = next(row for row in table(*seeds, *others()).rows if row.strategy == "pretrain")
    assert unlearned(row).bits_per_byte_after == 0.9


def test_a_verdict_names_the_undertrained_row_and_claims_nothing_of_it():
    said = verdict.sentences(table(pretrained(0.3, 0.9), *others()))
    learned = verdict.sentences(table(pretrained(0.3, 0.5), *others()))
    (sentence,) = [text for text in said if "pretrain" in text]
    assert sentence == (
        "Undertrained, so no conclusion rests on it: `pretrain` (bits a byte 1.20 to 0.90, not halved) did not learn "
        "the corpus. Train longer: harness run quick --strategy 'pretrain(epochs=24)'"
    )
    assert any("Clearly better than `zero_shot`" in text and "pretrain" in text for text in learned)


def test_an_undertrained_row_that_is_highest_leaves_open_which_is_best():
    said = " ".join(verdict.sentences(table(pretrained(0.9, 0.9), *others())))
    assert "`pretrain` is highest on `qa`" in said
    assert "the best strategy is unknown" in said
    assert "clearly the best" not in said


def test_one_row_that_learned_has_nothing_to_be_compared_with():
    (first, *_) = verdict.sentences(table(completed("qa", "rag", pattern(0.9)), pretrained(0.3, 0.9)))
    assert first.startswith("Only `rag` learned its corpus on `qa`")


def test_a_decision_does_not_choose_it_and_says_why():
    stored = [pretrained(0.9, 0.9), *others()]
    (task,) = decide(stored, Constraints(), tasks=["qa"]).tasks
    assert task.chosen == ("rag", "small")
    option = next(option for option in task.options if option.strategy == "pretrain")
    assert option.reason == "undertrained on the corpus (bits a byte 1.20 to 0.90, not halved)"
    assert any(text.startswith("Undertrained, so no conclusion rests on it: `pretrain`") for text in task.changes)
    (task,) = decide([pretrained(0.9, 0.5), *others()], Constraints(), tasks=["qa"]).tasks
    assert task.chosen == ("pretrain", "small")


def test_a_row_says_what_it_learned():
    row = next(row for row in table(pretrained(0.3, 0.5, restricted_passages=3), *others()).rows if "pre" in row.label)
    (sentence,) = corpus_sentences.sentences(row)
    assert sentence == (
        "pretrain learned 40 passages: bits a byte 1.20 to 0.50, last words of 40 sentences recalled 0 % to 50 %, "
        "3 restricted passages left out"
    )
