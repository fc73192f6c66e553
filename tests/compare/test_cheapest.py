"""Who costs least: said only where each was timed more than once, and by more than runs in one sitting differ."""

from harness.compare.report.comparison import compare
from tests.compare.builders import completed, pattern


def test_the_cheapest_of_those_tied_is_named_only_where_each_was_timed_more_than_once():
    def told(seeds):
        trials = [
            completed("qa", name, pattern(0.5), seed=seed, trained=9, seconds=seconds + 0.01 * seed)
            for seed in range(seeds)
            for name, seconds in (("lora", 2.0), ("full", 20.0))
        ]
        return [line for line in compare(trials).suites[0].tasks[0].verdict if "costs least" in line]

    assert len(told(3)) == 1
    assert told(1) == []
