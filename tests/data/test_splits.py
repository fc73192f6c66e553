"""Splits and leaks: what must hold for any data."""

from collections import Counter
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.api import Example, Query
from harness.data.examples import content_key
from harness.data.leaks import find_leaks
from harness.data.schema import Sizes
from harness.data.splits import split, stratified_order
from harness.errors import HarnessError


def example(number: int, text: str, label: str = "x", cluster: str | None = None) -> Example:
    return Example(Query(str(number), text), (label,), cluster)


def sizes(**counts: int | None) -> Sizes:
    return Sizes.model_validate(counts)


def divided(examples: list[Example], split_sizes: Sizes | None = None, **changes: Any):
    return split(examples, split_sizes or sizes(), **{"seed": 0, "stratify": True, "probe": False} | changes)


pools = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from("abc"), st.none() | st.integers(0, 12).map(str)),
    min_size=12,
    max_size=80,
).map(lambda rows: [example(i, f"question {text}", label, cluster) for i, (text, label, cluster) in enumerate(rows)])


@settings(max_examples=60, deadline=None)
@given(pools, st.integers(0, 5))
def test_no_two_splits_share_an_item_a_question_or_a_cluster(pool: list[Example], seed: int):
    try:
        parts = divided(pool, seed=seed)
    except HarnessError:  # everything hangs together in one group
        return
    for first, second in combinations((parts.train, parts.validation, parts.test), 2):
        assert not {e.query.id for e in first} & {e.query.id for e in second}
        assert not {content_key(e) for e in first} & {content_key(e) for e in second}
        assert not {e.cluster for e in first if e.cluster} & {e.cluster for e in second if e.cluster}


@settings(max_examples=40, deadline=None)
@given(pools, st.randoms(use_true_random=False))
def test_an_order_does_not_depend_on_the_order_of_the_file(pool: list[Example], random: Any):
    unique = list({content_key(e): e for e in pool if e.cluster is None}.values())
    shuffled = unique.copy()
    random.shuffle(shuffled)
    assert stratified_order(unique, seed=3, stratify=True) == stratified_order(shuffled, seed=3, stratify=True)


def test_every_prefix_of_a_split_is_balanced_as_the_whole_is():
    pool = [example(i, f"text {i}", "rare" if i % 4 == 0 else "common") for i in range(400)]
    parts = divided(pool, sizes(train=200, validation=40, test=160))
    for part in (parts.train, parts.validation, parts.test):
        for length in (20, len(part)):
            assert abs(Counter(e.references[0] for e in part[:length])["rare"] - length / 4) <= 1


def test_the_test_items_do_not_change_with_the_amount_of_training():
    pool = [example(i, f"text {i}") for i in range(100)]
    small, large = divided(pool, sizes(train=10, test=30)), divided(pool, sizes(train=50, test=30))
    assert small.test == large.test
    assert large.train[:10] == small.train


def test_another_seed_gives_other_splits_and_the_same_seed_the_same():
    pool = [example(i, f"text {i}") for i in range(100)]
    assert divided(pool, seed=1) == divided(pool, seed=1)
    assert set(divided(pool, seed=1).test) != set(divided(pool, seed=2).test)


def test_a_probe_has_test_items_only():
    pool = [example(i, f"text {i}") for i in range(10)]
    parts = divided(pool, probe=True)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (0, 0, 10)


def test_more_than_there_is_is_refused_with_the_numbers():
    pool = [example(i, f"text {i}") for i in range(10)]
    with pytest.raises(HarnessError, match="asks for 8 train items, but only 5 are left of 10 usable rows"):
        divided(pool, sizes(train=8, validation=0, test=5))


SENTENCE = "the little film has a great deal of charm and wit"
PARAGRAPH = " ".join(f"word{i * 31 % 97}" for i in range(80))


@pytest.mark.parametrize(
    ("train", "test", "likeness"),
    [
        (SENTENCE, "The little film has a great deal of charm, and wit!", "exact"),
        (SENTENCE, SENTENCE.replace("charm", "charms"), "near"),
        (SENTENCE, SENTENCE.replace("little film", "second novel"), "none"),
        ("What is the capital of France?", "What is the capital of Poland?", "none"),
        (PARAGRAPH, PARAGRAPH.replace("word31 ", "another ", 1), "near"),
        (PARAGRAPH, " ".join(reversed(PARAGRAPH.split())), "none"),
        (":)", ":)", "exact"),
        (":)", ":(", "none"),
        ("ok", "OK", "exact"),
        ("my order arrived 😀", "my order arrived 😡", "near"),
        ("the order arrived :)", "the order arrived :(", "near"),
        ("2 < 3", "2 > 3", "none"),
        ("2 + 3", "2 - 3", "none"),
        ("what is -5 times 2", "what is 5 times 2", "none"),
        ("3.14", "3 14", "none"),
        ("C#", "C", "none"),
        ("दिन", "दान", "none"),
        ("caf\u00e9\u200b", "Cafe\u0301", "exact"),
        ("北京最有名的菜是什么\uff1f", "北京 最有名的菜是什么", "exact"),
        ("北京最有名的菜是什么", "北京最有名的菜叫什么", "none"),
        ("He said “it\u2019s fine.”", 'he said "it\'s fine"', "exact"),
        ("¿Qué tal?", "qué tal", "exact"),
        ("नमस्ते।", "नमस्ते", "exact"),
    ],
)
def test_what_counts_as_a_leak(train: str, test: str, likeness: str):
    leaks = find_leaks([example(0, "something else entirely"), example(1, train)], [example(2, test)])
    assert ("none" if not leaks else "exact" if leaks[0].exact else "near") == likeness
    assert all((leak.train_id, leak.test_id) == ("1", "2") for leak in leaks)


def test_multiple_choice_items_with_one_stem_and_other_choices_are_no_leak():
    def stem(number: int, *choices: str) -> Example:
        return Example(Query(str(number), "Which of these is it?", choices), (choices[0],))

    planets, animals = stem(0, "Mercury", "Venus", "Jupiter"), stem(1, "a frog", "an elephant", "a salmon")
    assert find_leaks([planets], [animals]) == ()
    assert find_leaks([planets], [planets])[0].exact


words = st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"]), min_size=1, max_size=9)


@settings(max_examples=60, deadline=None)
@given(st.lists(words, min_size=1, max_size=8), st.lists(words, min_size=1, max_size=8))
def test_leaks_are_those_of_a_comparison_pair_by_pair(train: list[list[str]], test: list[list[str]]):
    def grams(text: str) -> set[str]:
        text = text.ljust(5)
        return {text[i : i + 5] for i in range(len(text) - 4)}

    train_examples = [example(i, " ".join(text)) for i, text in enumerate(train)]
    test_examples = [example(i, " ".join(text)) for i, text in enumerate(test)]
    best = {}
    for item in test_examples:
        a = grams(item.query.input)
        pairs = [(a, grams(other.query.input)) for other in train_examples]
        best[item.query.id] = max(len(x & y) / len(x | y) for x, y in pairs)
    leaks = {leak.test_id: leak.similarity for leak in find_leaks(train_examples, test_examples)}
    assert leaks == {name: round(value, 4) for name, value in best.items() if value >= 0.8}


@pytest.mark.parametrize(("total", "validation"), [(40, 6), (200, 30), (320, 48), (407, 48), (1000, 64)])
def test_there_are_48_validation_items_where_the_pool_allows(total: int, validation: int):
    parts = divided([example(i, f"question {i}") for i in range(total)])
    assert len(parts.validation) == validation
    assert len(parts.train) >= 3 * validation - 2
