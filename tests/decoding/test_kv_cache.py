"""Keys and values with room for more are those of transformers' own cache, whatever rows leave."""

import pytest
import torch
from transformers import DynamicCache

from harness.decoding.kv_cache import compact_rows, preallocated_cache


def tokens(count, rows=4, heads=2, size=3):
    return torch.randn(rows, heads, count, size), torch.randn(rows, heads, count, size + 1)


def test_what_is_written_is_what_the_librarys_own_cache_holds():
    mine, theirs = preallocated_cache(7), DynamicCache()
    for count in (4, 1, 2):
        for layer in range(2):
            new = tokens(count)
            views, expected = mine.update(*new, layer), theirs.update(*new, layer)
            assert all(torch.equal(*pair) for pair in zip(views, expected, strict=True))
        assert mine.get_seq_length() == theirs.get_seq_length()


def test_nothing_moves_when_a_token_is_added():
    cache = preallocated_cache(5)
    before = [part.data_ptr() for part in cache.update(*tokens(2), 0)]
    assert [part.data_ptr() for part in cache.update(*tokens(1), 0)] == before


@pytest.mark.parametrize("keep", [[0, 1, 2, 3], [0, 2], [1, 3], [3], [1, 2, 3], [2, 3]])
def test_rows_that_go_on_keep_what_they_have_and_go_on_being_written(keep):
    mine, theirs = preallocated_cache(6), DynamicCache()
    new = tokens(3)
    mine.update(*new, 0)
    theirs.update(*new, 0)
    order = torch.tensor(compact_rows(keep))
    mine.batch_select_indices(order)
    theirs.batch_select_indices(order)
    more = tokens(2, rows=len(keep))
    assert all(torch.equal(*pair) for pair in zip(mine.update(*more, 0), theirs.update(*more, 0), strict=True))
    assert sorted(order.tolist()) == keep


def test_no_more_rows_are_moved_than_have_ended():
    keep = [0, 1, 3, 4, 5, 7, 8, 9]
    assert sum(row != index for row, index in enumerate(compact_rows(keep))) == 2


def test_what_there_is_no_room_for_makes_more():
    mine, theirs = preallocated_cache(3), DynamicCache()
    for count in (2, 4, 1, 9):
        new = tokens(count)
        assert all(torch.equal(*pair) for pair in zip(mine.update(*new, 0), theirs.update(*new, 0), strict=True))
