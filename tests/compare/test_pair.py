"""Two strategies side by side: the paired table, what each took, where they disagree, and what is said of it."""

import io
import json
import sys

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from harness import cli
from harness.compare.pair.pair_comparison import PairQuery, compare_pair
from harness.compare.report.comparison import compare
from harness.compare.stats.effect_size import effect_size
from harness.compare.stats.estimates import difference
from harness.compare.trials.pair_selection import select
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.errors import HarnessError
from harness.metrics import Items
from harness.render import pair_report as shown
from harness.store.results_store import Store
from tests.compare.builders import completed, pattern, quick_suite
from tests.compare.samples import sample, two_classes
from tests.many import write_many


@pytest.fixture(scope="module")
def made():
    return compare_pair(quick_suite(), "lora", "zero_shot", PairQuery(items=3))


def test_every_metric_is_paired_on_the_items_that_both_answered(made):
    (task,) = [task for task in made.tasks if task.task == "sentiment"]
    accuracy, f1 = task.metrics
    assert (accuracy.metric, f1.metric, accuracy.change.n, task.seeds) == ("accuracy", "macro_f1", 200, (2, 1))
    assert accuracy.change.value == pytest.approx(0.875 - 0.5)
    assert f1.change.effect is None  # no single item wins a mean over classes


@pytest.fixture(scope="module")
def pooled():
    """Two seeds of two strategies that vary over seeds, and one seed of a third whose spread they tell."""
    shares = {"zero_shot": (0.5,), "few_shot": (0.55, 0.65), "few_shot(choose=random)": (0.5, 0.7)}
    shares["few_shot(choose=similar)"] = (0.62,)
    return [
        completed("sentiment", name, pattern(share, shift=7 * seed), seed=seed)
        for name, of_seeds in shares.items()
        for seed, share in enumerate(of_seeds)
    ]


@pytest.mark.parametrize("name", ["few_shot", "few_shot(choose=random)", "few_shot(choose=similar)"])
def test_p_interval_and_class_are_those_of_the_report(pooled, name):
    (task,) = compare(pooled).suites[0].tasks
    reported = next(row for row in task.rows if row.strategy == name).to_baseline
    (pair,) = compare_pair(pooled, name, "zero_shot", PairQuery()).tasks
    change = pair.metrics[0].change
    assert (change.p, change.p_holm, change.low, change.high) == (
        reported.p,
        reported.p_holm,
        reported.low,
        reported.high,
    )
    clear = reported.adjusted_p <= 0.05
    assert any(f"`{name}` is" in text and "in accuracy" in text for text in pair.verdict) == clear


def test_the_stored_trials_of_a_pair_are_those_of_all_strategies_of_its_tasks(tmp_path):
    write_many(tmp_path, tasks=2, strategies=4, models=1, seeds=2, items=24)
    stored = Store(tmp_path).load()
    labels = sorted({trial.record.trial.label for trial in stored if trial.record.status == "completed"})
    selected = select(stored, (labels[0], labels[1]), suite=None, task=None, model=None)
    assert {trial.record.trial.label for trial in selected.trials} >= set(labels)


def test_few_items_are_said_to_be_too_few_instead_of_a_difference_that_they_detect():
    stored = [completed("sentiment", name, right) for name, right in (("one", [1, 0, 1, 1]), ("other", [0, 0, 1, 1]))]
    pair = compare_pair(stored, "one", "other", PairQuery())
    assert "4 test items are too few to compare strategies." in pair.tasks[0].verdict[0]
    assert "too few items" in printed_pair(pair, 160)
    assert (
        compare(stored).suites[0].tasks[0].verdict[0]
        == "4 test items are too few to compare strategies on `sentiment`."
    )


def with_outputs(trial):
    """A trial whose outputs are its answers, so that like outputs show one system."""
    items = trial.items["qa"]
    told = Items(lambda column: items.answers if column == "outputs" else getattr(items, column))
    return StoredTrialItems(trial.record, {"qa": told})


def test_two_names_of_one_system_are_tested_once():
    rows = [("zero_shot", 0.5, 0), ("few_shot", 0.6, 3), ("rag", 0.8, 0), ("rag(k=1)", 0.8, 0)]
    trials = [with_outputs(completed("qa", name, pattern(share, shift=shift))) for name, share, shift in rows]
    stored, twin = trials[:3], trials[3]
    (alone,), (doubled,) = (compare(some).suites[0].tasks for some in (stored, [*stored, twin]))
    assert [row.to_best.p_holm for row in alone.rows[1:]] == [
        row.to_best.p_holm for row in doubled.rows if row.to_best and not row.same_as
    ]
    assert [(row.label, row.same_as, row.tied_for_best) for row in doubled.rows[:2]] == [
        ("rag", None, True),
        ("rag(k=1)", "rag", True),
    ]
    assert "Same answers, tested once: `rag(k=1)` as `rag`." in doubled.verdict
    (pair,) = compare_pair([*stored, twin], "rag(k=1)", "few_shot", PairQuery()).tasks
    assert pair.metrics[0].change.p_holm == next(r for r in alone.rows if r.label == "few_shot").to_best.p_holm


def test_wins_losses_and_ties_add_up_to_the_items():
    found = difference(sample([1, 1, 0, 1, 0], "accuracy"), sample([0, 1, 1, 0, 0], "accuracy"))
    assert (found.effect.wins, found.effect.losses, found.effect.ties) == (2, 1, 2)


def test_the_standardised_size_is_mean_over_standard_deviation_of_the_differences():
    a, b = np.random.default_rng(0).random((2, 40))
    assert effect_size(sample(a), sample(b)).standardised == pytest.approx((a - b).mean() / (a - b).std(ddof=1))


def test_the_odds_ratio_has_the_exact_interval_of_its_share():
    a, b = np.array([1] * 12 + [0] * 5 + [1] * 20), np.array([0] * 12 + [1] * 5 + [1] * 20)
    found = effect_size(sample(a, "accuracy"), sample(b, "accuracy"))
    exact = stats.binomtest(12, 17).proportion_ci(method="exact")
    assert found.odds_ratio == pytest.approx(12 / 5)
    assert (found.odds_low, found.odds_high) == pytest.approx(
        (exact.low / (1 - exact.low), exact.high / (1 - exact.high))
    )


def test_one_sided_wins_have_no_odds_ratio_but_a_lower_bound():
    found = effect_size(sample([1, 1, 1], "accuracy"), sample([0, 0, 1], "accuracy"))
    assert (found.odds_ratio, found.odds_high) == (None, None)
    assert found.odds_low > 0


def test_clusters_take_the_interval_from_the_odds_ratio():
    found = effect_size(*[sample(x, "accuracy", clusters=[0, 0, 1, 1]) for x in ([1, 1, 0, 1], [0, 1, 1, 0])])
    assert (found.odds_ratio, found.odds_low, found.odds_high) == (2.0, None, None)


def test_a_metric_that_is_no_mean_of_items_has_no_effect_size():
    truth = np.tile([0, 1], 20)
    assert effect_size(two_classes(truth == 0, truth), two_classes(truth == 1, truth)) is None


def test_disagreements_come_in_turn_and_hold_both_answers(made):
    (task,) = [task for task in made.tasks if task.task == "sentiment"]
    first, second = task.disagreements[:2]
    assert (first.gain, second.gain) == (1, -1) or len({one.gain for one in task.disagreements}) == 1
    assert first.first in first.references
    assert first.second not in first.references
    assert len(task.disagreements) == 3


def test_a_ratio_has_an_interval_only_where_both_were_repeated():
    seconds = {"lora": (10, 12), "full": (20, 26)}
    stored = [
        completed("sentiment", name, pattern(0.5 + 0.1 * seed), seed=seed, trained=9, seconds=s)
        for name, every in seconds.items()
        for seed, s in enumerate(every)
    ]
    repeated = {r.name: r for r in compare_pair(stored, "lora", "full", PairQuery()).tasks[0].ratios}
    once = {r.name: r for r in compare_pair(stored[::2], "lora", "full", PairQuery()).tasks[0].ratios}
    assert repeated["predict time"].ratio == pytest.approx((10 * 12 / 20 / 26) ** 0.5)
    assert repeated["predict time"].low < repeated["predict time"].ratio < repeated["predict time"].high
    assert repeated["adapt time"].low is None  # the same each time
    assert (once["predict time"].ratio, once["predict time"].note) == (None, "measured once")
    assert once["peak memory"].ratio == pytest.approx(1)


def test_the_interval_of_a_ratio_is_welchs_on_logarithms():
    rng = np.random.default_rng(3)
    seconds = {"lora": np.exp(rng.normal(1, 0.2, 4)), "full": np.exp(rng.normal(2, 0.4, 3))}
    stored = [
        completed("sentiment", name, pattern(0.5), seed=seed, seconds=float(s))
        for name, every in seconds.items()
        for seed, s in enumerate(every)
    ]
    (found,) = [
        r for r in compare_pair(stored, "lora", "full", PairQuery()).tasks[0].ratios if r.name == "predict time"
    ]
    expected = stats.ttest_ind(*map(np.log, seconds.values()), equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((np.exp(expected.low), np.exp(expected.high)))


def test_what_differs_clearly_is_said_and_what_does_not_too(made):
    said = " ".join(line for task in made.tasks for line in task.verdict)
    assert "`lora` is clearly better than `zero_shot` in accuracy on `sentiment`" in said
    stored = [completed("sentiment", name, pattern(0.5, shift=s)) for s, name in enumerate(("one", "other"))]
    alike = compare_pair(stored, "one", "other", PairQuery())
    assert alike.tasks[0].verdict[0].startswith("No clear difference in accuracy and macro F1 on `sentiment`")


def test_strategies_without_a_common_task_are_an_error():
    with pytest.raises(HarnessError, match="no task in common"):
        compare_pair(quick_suite(), "lora", "rag", PairQuery())


def test_an_unknown_metric_is_an_error_with_a_near_match():
    with pytest.raises(HarnessError, match="did you mean 'accuracy'"):
        compare_pair(quick_suite(), "lora", "zero_shot", PairQuery(metric="acuracy"))


@pytest.mark.parametrize("width", [80, 100, 160])
def test_no_figure_breaks_on_a_terminal(made, width):
    text = printed_pair(made, width)
    assert "+0.38 [" in text
    assert "alike" in text


def test_markdown_has_the_same_figures(made):
    text = shown.as_markdown(made)
    assert "| accuracy | 0.88 [" in text
    assert "| peak memory |" in text


def printed_pair(pair, width):
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    console.print(shown.as_terminal(pair))
    return console.file.getvalue()


def test_the_command_compares_what_is_stored_and_names_a_near_match(tmp_path, monkeypatch, capsys):
    write_many(tmp_path / "results", tasks=2, strategies=4, models=1, seeds=2, items=24)
    asked = ["compare", "lora", "few_shot", "--task", "questions", "--results", str(tmp_path / "results")]
    assert command(monkeypatch, *asked, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [task["task"] for task in found["tasks"]] == ["questions"]
    assert found["tasks"][0]["clusters"] == 12
    assert command(monkeypatch, "compare", "loar", *asked[2:]) == 2
    assert "did you mean 'lora'" in capsys.readouterr().err


def command(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["harness", *arguments])
    return cli._main()
