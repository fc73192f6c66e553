"""Successive halving: within its budget, better candidates are asked more, and the present system is not lost."""

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.prompts.successive_halving import affordable_candidates, halve


class Candidate:
    """Has a fixed quality; counts what it is asked."""

    def __init__(self, quality):
        self.quality = quality
        self.items = []

    def evaluate(self, examples):
        self.items += examples
        return len(examples)

    def score(self, metric):
        return self.quality


@settings(max_examples=100, deadline=None)
@given(
    qualities=st.lists(st.integers(0, 5), min_size=1, max_size=20),
    budget=st.integers(2, 400),
    size=st.integers(1, 60),
)
def test_the_best_candidate_is_found_within_the_budget(qualities, budget, size):
    count = affordable_candidates(len(qualities) - 1, budget) if len(qualities) > 1 else 0
    tried = [Candidate(quality) for quality in qualities[: count + 1]]
    seen = []
    best = halve(tried, list(range(size)), "accuracy", budget, lambda outcome, spent: seen.append((outcome, spent)))
    assert best.quality == max(one.quality for one in tried)
    assert tried.index(best) == min(i for i, one in enumerate(tried) if one.quality == best.quality)
    asked = sum(len(one.items) for one in tried)
    assert asked <= budget
    assert sum(spent for _, spent in seen) == asked == seen[-1][0].step
    for one in tried:
        assert one.items == list(range(len(one.items)))
        assert len(one.items) <= len(tried[0].items)


def test_the_better_half_is_asked_more():
    tried = [Candidate(quality) for quality in (0, 1, 2, 3, 4)]
    halve(tried, list(range(100)), "accuracy", 80, lambda outcome, spent: None)
    first, *challengers = (len(one.items) for one in tried)
    assert challengers[0] == challengers[1] < challengers[2] <= challengers[3] <= first


def test_too_small_a_budget_tries_fewer_candidates():
    assert affordable_candidates(16, 640) == 16
    assert affordable_candidates(16, 60) < 16
    assert affordable_candidates(16, 2) == 1
