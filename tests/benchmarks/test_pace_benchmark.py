"""What it costs to tell reading from writing: the marks of one group of prompts: pytest --benchmark-only."""

import torch

from harness.decoding.timing import PassTimer

PASS_S, SHARE = 0.02, 0.01
"""A pass of a small model on a few cores, of which a group has two at least; and the share that its marks may take."""


def test_marks_take_less_than_a_hundredth_of_one_pass(benchmark):
    pace, group = PassTimer(32, torch.device("cpu")), list(range(32))

    def follow():
        pace.start()
        pace.record_prefill(group, first_tokens=True)
        pace.record_decode(group)
        pace.report_progress(group)

    benchmark(follow)
    assert benchmark.stats.stats.median <= SHARE * PASS_S
