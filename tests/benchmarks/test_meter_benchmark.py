"""Cost of an empty span, in a process with a model's worth of memory: pytest --benchmark-only."""

import numpy as np

from harness.measure.meter import Meter

TRIAL_S, SPANS, SHARE = 2.0, 5, 0.01
"""Seconds of the shortest trial worth measuring, its phases, and the share of it that measuring may take."""


def test_measuring_takes_less_than_a_hundredth_of_a_short_trial(benchmark):
    block = np.ones(100_000_000)  # 800 MB: resetting the peak walks the page tables
    meter = Meter()

    def measure():
        with meter.span("predict"):
            pass

    benchmark(measure)
    assert block.size
    assert SPANS * benchmark.stats.stats.median <= SHARE * TRIAL_S
