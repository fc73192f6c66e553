"""Successive halving: within its budget, better candidates are asked more, and the present system is not lost."""

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.prompts.successive_halving import affordable_candidates, halve


class Candidate:
    """A candidate of fixed quality that counts its items."""

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
    candidates = [Candidate(quality) for quality in qualities[: count + 1]]
    rounds = []
    best = halve(
        candidates, list(range(size)), "accuracy", budget, lambda score, tokens: rounds.append((score, tokens))
    )
    assert best.quality == max(candidate.quality for candidate in candidates)
    assert candidates.index(best) == min(
        i for i, candidate in enumerate(candidates) if candidate.quality == best.quality
    )
    prompt_count = sum(len(candidate.items) for candidate in candidates)
    assert prompt_count <= budget
    assert sum(tokens for _, tokens in rounds) == prompt_count == rounds[-1][0].step
    for contender in candidates:
        assert contender.items == list(range(len(contender.items)))
        assert len(contender.items) <= len(candidates[0].items)


def test_the_better_half_is_asked_more():
    candidates = [Candidate(quality) for quality in (0, 1, 2, 3, 4)]
    halve(candidates, list(range(100)), "accuracy", 80, lambda score, tokens: None)
    first, *challengers = (len(candidate.items) for candidate in candidates)
    assert challengers[0] == challengers[1] < challengers[2] <= challengers[3] <= first


def test_too_small_a_budget_tries_fewer_candidates():
    assert affordable_candidates(16, 640) == 16
    assert affordable_candidates(16, 60) < 16
    assert affordable_candidates(16, 2) == 1
