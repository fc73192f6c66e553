"""Reading only the labels that can still win finds the label that reading all of them finds."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.decoding import label_search, prefix_sharing
from harness.decoding.label_search import search_labels
from harness.decoding.packed_rows import ANY_END, Branch

TOLERANCE = 1e-4
KINDS = ("llama", "gpt2", "capped")
ENDS = (2, 5)

labels_of = st.lists(
    st.lists(st.integers(6, 12), min_size=1, max_size=5), min_size=2, max_size=40, unique_by=tuple
)  # few tokens, so that labels begin alike and begin others


@pytest.fixture(scope="module")
def modules(tiny_folders, tiny_cache):
    from tests import tiny

    return {kind: tiny.open_tiny(tiny_folders(kind), tiny_cache).module for kind in KINDS}


def branches_of(stems, labels):
    return [Branch(stem, tuple([*label, ANY_END] for label in labels)) for stem in stems]


def check(module, branches, shift, row_tokens=64, **how):
    """The best label is the best of all; what was read has its score; what was not could not have won."""
    every = prefix_sharing.score_branches(module, branches, row_tokens, ends=ENDS)
    found = search_labels(module, branches, shift, row_tokens, ends=ENDS, **how)
    for all_scores, labels in zip(every, found, strict=True):
        known = {n: score - shift[n] for n, score in enumerate(labels.scores) if score > float("-inf")}
        best = max(known, key=known.__getitem__)
        full = [score - offset for score, offset in zip(all_scores, shift, strict=True)]
        assert full[best] >= max(full) - TOLERANCE
        for label, score in enumerate(labels.scores):
            if label not in known:
                assert full[label] <= known[best] + TOLERANCE
            else:
                assert score == pytest.approx(all_scores[label], abs=TOLERANCE)
    return found


@settings(max_examples=25, deadline=None)
@given(
    prefix=st.lists(st.integers(20, 40), max_size=4),
    stems=st.lists(st.lists(st.integers(20, 40), min_size=1, max_size=6), min_size=1, max_size=5),
    labels=labels_of,
)
@pytest.mark.parametrize("kind", KINDS)
def test_the_best_label_is_that_of_reading_all(modules, kind, prefix, stems, labels):
    shift = [float((7 * n) % 17 - 8) for n in range(len(labels))]
    check(modules[kind], branches_of([prefix + stem for stem in stems], labels), shift)


def test_labels_that_cannot_win_are_not_read(modules):
    labels = [[6 + a, 6 + b, 6 + c] for a in range(7) for b in range(4) for c in range(3)]
    branches = branches_of([[20, 21, 22 + n] for n in range(6)], labels)
    favoured = [0.0 if label[0] == 6 else 50.0 for label in labels]
    found = check(modules["llama"], branches, favoured)
    for read in found:
        assert all(score == float("-inf") for score, label in zip(read.scores, labels, strict=True) if label[0] != 6)


def test_a_prefix_that_was_kept_is_not_read_again(modules):
    module = modules["llama"]
    kept = prefix_sharing.keep_prefix(module, list(range(20, 30)))
    branches = branches_of([[*range(20, 30), 31 + n] for n in range(3)], [[6], [6, 7], [8, 9]])
    check(module, branches, (0.0, 0.0, 0.0), prefix_cache=kept)


def test_fewer_tokens_are_read(modules, monkeypatch):
    """Long labels of which one is likely: their first tokens decide."""
    read = []

    def counted(module, row, cache):
        read.append(len(row.tokens))
        return prefix_sharing.row_logits(module, row, cache)

    monkeypatch.setattr(label_search, "row_logits", counted)
    labels = [[6 + n % 50, *range(6, 14), 6 + n // 50] for n in range(100)]
    with torch.inference_mode():
        first = prefix_sharing.row_logits(
            modules["llama"], prefix_sharing.pack_row([Branch([20, 21], ([ANY_END],))], 0)
        )[0].log_softmax(-1)
    shift = [first[label[0]].item() + (100.0 if n else 0.0) for n, label in enumerate(labels)]
    (found,) = check(modules["llama"], branches_of([[20, 21]], labels), shift)
    assert sum(read) == 2 + found.tokens < 40 < sum(map(len, labels))
