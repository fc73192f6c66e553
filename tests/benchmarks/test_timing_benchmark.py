"""Overhead of timing prefill and decoding of one group of prompts: pytest --benchmark-only."""

import torch

from harness.decoding.timing import PassTimer

PASS_S, SHARE = 0.02, 0.01
"""A pass of a small model on a few cores, of which a group has two at least; and the share that its marks may take."""


def test_marks_take_less_than_a_hundredth_of_one_pass(benchmark):
    timer, group = PassTimer(32, torch.device("cpu")), list(range(32))

    def time_group():
        timer.start()
        timer.record_prefill(group, first_tokens=True)
        timer.record_decode(group)
        timer.report_progress(group)

    benchmark(time_group)
    assert benchmark.stats.stats.median <= SHARE * PASS_S
