"""Training splits of repeated runs: each seed draws its own where there is more to draw from."""

from collections import Counter

import pytest

from harness.data.prepare import prepare
from harness.data.suite import load_suite
from tests.data.suite_files import suite_with

TOML = """
name = "s"
version = 1
[[tasks]]
name = "t"
kind = "classification"
{files}
input = "text"
reference = "label"
sizes = {{ {sizes} }}
"""
ROWS = [f"text number {n} of {'abcd'[n % 4]},{'yes' if n % 4 else 'no'}" for n in range(120)]


def csv(rows):
    return "\n".join(["text,label", *rows]) + "\n"


@pytest.fixture
def draws(tmp_path):
    """Prepare the splits of several draws."""

    def call(sizes, *, separate=False, limits=None, seeds=(0, 1, 2)):
        files = {"train": csv(ROWS[:80]), "test": csv(ROWS[80:])} if separate else {"all": csv(ROWS)}
        text = 'train = "train.csv"\ntest = "test.csv"' if separate else 'data = "all.csv"'
        folder = suite_with(
            tmp_path, TOML.format(files=text, sizes=sizes), **{f"{name}.csv": rows for name, rows in files.items()}
        )
        return [prepare(load_suite(folder), "t", limits=limits, draw=seed) for seed in seeds]

    return call


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("limits", [None, {"train": 12}])
def test_each_seed_draws_its_own_stratified_training_split_of_the_same_size(draws, separate, limits):
    prepared = draws("train = 24, validation = 16", separate=separate, limits=limits)
    trained = [{example.query.id for example in task.task_data.train} for task in prepared]
    size = (limits or {"train": 24})["train"]
    assert [len(ids) for ids in trained] == [size] * 3
    assert len({frozenset(ids) for ids in trained}) == 3
    assert max(len(a & b) for a in trained for b in trained if a is not b) < size
    for task in prepared:
        shares = Counter(example.references[0] for example in task.task_data.train)
        assert shares["no"] == size // 4
        assert {e.query.id for e in (*task.test, *task.task_data.validation)}.isdisjoint(
            example.query.id for example in task.task_data.train
        )
        assert task.test == prepared[0].test
        assert task.task_data.validation == prepared[0].task_data.validation
        assert task.info == prepared[0].info  # one basis: the rows of all seeds stand in one table
        assert task.info.pool_items
    assert len({task.task_data.hash for task in prepared}) == 3  # what was made from one draw is not another's


@pytest.mark.parametrize("separate", [False, True])
def test_where_all_rows_are_trained_on_every_seed_has_them(draws, separate):
    prepared = draws("validation = 16", separate=separate)
    assert all(task.task_data == prepared[0].task_data for task in prepared)
    assert prepared[0].info.pool_items is None
    assert prepared[0].task_data.hash == prepared[0].info.data_hash


def test_rows_that_only_other_seeds_train_on_are_part_of_the_data_hash(tmp_path):
    def hash_of(rows):
        folder = suite_with(
            tmp_path / str(len(rows)),
            TOML.format(files='train = "train.csv"\ntest = "test.csv"', sizes="train = 8"),
            **{"train.csv": csv(rows), "test.csv": csv(ROWS[80:])},
        )
        return prepare(load_suite(folder), "t").info.data_hash

    assert hash_of(ROWS[:60]) != hash_of(ROWS[:61])


def test_examples_of_one_cluster_stay_out_of_the_training_split_of_every_draw(tmp_path):
    rows = [f"question {n} on {n // 3},{'yes' if n % 2 else 'no'},c{n // 3}" for n in range(90)]
    toml = TOML.format(files='data = "all.csv"\ncluster = "page"', sizes="train = 20, validation = 12, test = 30")
    folder = suite_with(tmp_path, toml, **{"all.csv": "\n".join(["text,label,page", *rows]) + "\n"})
    for seed in range(4):
        task = prepare(load_suite(folder), "t", draw=seed)
        held = {example.cluster for example in (*task.test, *task.task_data.validation)}
        assert held.isdisjoint(example.cluster for example in task.task_data.train)
