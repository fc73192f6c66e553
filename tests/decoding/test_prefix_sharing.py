"""Scoring many continuations in one pass gives what scoring each alone gives."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.decoding import packed_rows, prefix_sharing
from harness.decoding.packed_rows import ANY_END, Branch
from harness.decoding.timing import PassTimer

TOLERANCE = 1e-4
KINDS = ("llama", "tied", "gpt2", "capped")

sequence = st.lists(st.integers(6, 40), min_size=1, max_size=6)
branch = st.builds(Branch, sequence, st.lists(sequence, min_size=1, max_size=4).map(tuple))


@pytest.fixture(scope="module")
def modules(tiny_folders, tiny_cache):
    from tests import tiny

    return {kind: tiny.open_tiny(tiny_folders(kind), tiny_cache).module for kind in (*KINDS, "sliding", "recurrent")}


def alone(module, branches):
    """The textbook way: the whole text through the model, and the log-probabilities of the leaf's tokens summed."""
    branch_scores = []
    for single in branches:
        scores = []
        for leaf in single.leaves:
            with torch.inference_mode():
                logs = module(torch.tensor([single.stem + leaf])).logits[0].float().log_softmax(-1)
            places = range(len(single.stem) - 1, len(single.stem) + len(leaf) - 1)
            scores.append(sum(logs[position, token].item() for position, token in zip(places, leaf, strict=True)))
        branch_scores.append(scores)
    return branch_scores


def close(scores, expected):
    return all(a == pytest.approx(b, abs=TOLERANCE) for a, b in zip(scores, expected, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_leaves_of_one_to_four_tokens_score_as_they_do_alone(modules, kind):
    leaves = ([9], [10, 11], [12, 13, 14], [15, 16, 17, 18])
    branches = [Branch([20, 21, 22 + n, 30], leaves) for n in range(5)]
    assert close(prefix_sharing.score_branches(modules[kind], branches, 64), alone(modules[kind], branches))


@pytest.mark.parametrize("kind", KINDS)
def test_prompts_without_a_common_beginning_score_as_they_do_alone(modules, kind):
    branches = [Branch([20 + n, 21, 22], ([9], [10, 11])) for n in range(5)]
    assert close(prefix_sharing.score_branches(modules[kind], branches, 16), alone(modules[kind], branches))


@settings(max_examples=40, deadline=None)
@given(
    prefix=st.lists(st.integers(6, 40), max_size=5),
    branches=st.lists(branch, min_size=1, max_size=5),
    budget=st.integers(1, 60),
)
def test_any_branches_score_as_they_do_alone(modules, prefix, branches, budget):
    branches_with_prefix = [Branch(prefix + member.stem, member.leaves) for member in branches]
    assert close(
        prefix_sharing.score_branches(modules["llama"], branches_with_prefix, budget),
        alone(modules["llama"], branches_with_prefix),
    )


@pytest.mark.parametrize("budget", [1, 64, None])
def test_an_end_that_is_any_of_several_tokens_has_the_probability_of_all_of_them(modules, budget):
    module, ends = modules["llama"], [2, 5, 9]
    leaves = ([9, ANY_END], [10, 11, 12, ANY_END], [13, 14])
    branches = [Branch([20, 21, 22 + n, 30], leaves) for n in range(4)]
    scores = prefix_sharing.score_branches(module, branches, budget, ends=ends)
    for branch, (first, second, open_ended) in zip(branches, scores, strict=True):
        for score, leaf in ((first, [9]), (second, [10, 11, 12])):
            spelled = alone(module, [Branch(branch.stem, tuple([*leaf, end] for end in ends))])[0]
            assert score == pytest.approx(torch.tensor(spelled).logsumexp(0).item(), abs=TOLERANCE)
        assert [open_ended] == pytest.approx(alone(module, [Branch(branch.stem, ([13, 14],))])[0], abs=TOLERANCE)


def test_a_model_that_cannot_share_rows_scores_each_leaf_alone(open_tiny, modules):
    model = open_tiny("recurrent")
    assert not model.supports_packing
    branches = [Branch(list(range(20, 32 + n)), ([9], [10, 11, 12])) for n in range(3)]
    assert close(prefix_sharing.score_branches(model.module, branches, None), alone(modules["recurrent"], branches))


def test_a_transformer_shares_rows(open_tiny):
    assert all(open_tiny(kind).supports_packing for kind in (*KINDS, "sliding"))


@pytest.mark.parametrize("budget", [1, 14, 99])
def test_branches_longer_than_the_window_score_as_alone(modules, budget):
    branches = [Branch(list(range(20, 32 + n)), ([9], [10, 11, 12])) for n in range(3)]
    scores = prefix_sharing.score_branches(modules["sliding"], branches, budget)
    assert close(scores, alone(modules["sliding"], branches))


def test_progress_counts_every_branch(modules):
    reports = []
    branches = [Branch([20 + n, 21, 22], ([9],)) for n in range(5)]
    timer = PassTimer(len(branches), modules["llama"].device, lambda count, total: reports.append((count, total)))
    prefix_sharing.score_branches(modules["llama"], branches, 6, timer)
    assert reports == [(2, 5), (4, 5), (5, 5)]


def test_a_prompt_without_tokens_is_refused():
    with pytest.raises(ValueError, match="stem of at least one token"):
        packed_rows.pack_row([Branch([], ([1],))], 0)


def test_a_row_takes_no_prefix_of_another_length():
    with pytest.raises(ValueError, match="another prefix"):
        packed_rows.pack_row([Branch([1], ([2],))], 3).with_prefix([4, 5])


@given(prefix=st.lists(st.integers(0, 3), max_size=6), ends=st.lists(st.lists(st.integers(0, 3)), max_size=6))
def test_the_common_prefix_is_the_longest_beginning_of_all(prefix, ends):
    sequences = [prefix + end for end in ends]
    size = packed_rows.common_prefix_length(sequences)
    beginnings = {tuple(sequence[:size]) for sequence in sequences}
    assert len(beginnings) <= 1
    if sequences:
        assert size >= len(prefix)
        longer = {tuple(sequence[: size + 1]) for sequence in sequences}
        assert len(longer) > 1 or min(map(len, sequences)) == size
    else:
        assert size == 0


@given(costs=st.lists(st.integers(0, 50), max_size=40), budget=st.integers(1, 60))
def test_rows_hold_every_item_once_and_keep_the_budget(costs, budget):
    rows = packed_rows.fill_rows(costs, budget)
    assert sorted(index for row in rows for index in row) == list(range(len(costs)))
    for row in rows:
        assert len(row) == 1 or sum(costs[index] for index in row) <= budget
    half_full = [row for row in rows if 2 * sum(costs[index] for index in row) <= budget]
    assert len(half_full) <= 1
