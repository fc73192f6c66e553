"""Acceptance on one GPU: ``pytest -m gpu tests/gpu``; figures go to results/reference/benchmarks, docs/hardware.md."""

import json
from pathlib import Path

import pytest
import torch

from harness.execute.local_executor import execute
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.store.results_store import Store
from tests.gpu import checks
from tests.gpu.scale import GPU, PROCESSOR

STRATEGIES = ("zero_shot", "lora", "qlora", "full")
_FOLDER = Path(__file__).parents[2] / "results" / "reference" / "benchmarks"
_MIB = 2**20
needs_gpu = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")]
on_gpu = pytest.param(GPU, marks=needs_gpu, id="gpu")
on_processor = pytest.param(PROCESSOR, id="processor")


@pytest.mark.parametrize("scale", [on_gpu, on_processor])
@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_a_check_keeps_its_limits(check, scale):
    figures = check(scale)
    assert figures
    assert all(isinstance(figure, float) for figure in figures.values())
    assert all(any(name.endswith(ending) for name in figures) for ending in checks.LIMITS[check])
    if scale.measures:
        _keep(check.__name__, figures)
        assert not checks.missed(check, figures)
    elif check in checks.EVERYWHERE:
        assert not checks.missed(check, figures)


@pytest.mark.parametrize("scale", [on_gpu])
def test_each_strategy_runs_in_a_process_of_its_own_and_returns_the_memory(scale, tiny_suite, tiny_folders, tmp_path):
    def used():
        free, total = torch.cuda.mem_get_info()
        return total - free

    before, rises = used(), []
    config = RunConfig(
        suite=str(tiny_suite), models=(str(tiny_folders()),), strategies=STRATEGIES, tasks=("moods",), share_gpu=True
    )
    store = Store(tmp_path / "results")
    plan = make_plan(config)
    execute(plan.trials, store, cache=tmp_path, observe=lambda event: rises.append(used() - before))
    records = [trial.record for trial in store.load()]
    assert [record.status for record in records] == ["completed"] * len(STRATEGIES), [r.status for r in records]
    assert used() - before < 200 * _MIB
    for record in records:
        assert record.environment.gpu == torch.cuda.get_device_name()
        for span in record.spans:
            assert span.gpu_device_peak_bytes >= span.gpu_reserved_peak_bytes >= span.gpu_allocated_peak_bytes
    _keep("a1_trials", {"largest_rise_mib": max(rises) / _MIB})


def test_a_figure_that_misses_its_limit_is_named():
    assert checks.missed(checks.p1_scoring, {"share": 0.2, "tokens_per_s": 1.0}) == [
        "p1_scoring share: 0.2 is not >= 0.4"
    ]
    assert checks.missed(checks.d1_training_memory, {"1B full": 1.3, "1B lora": 1.0}) == [
        "d1_training_memory 1B full: 1.3 is not between (0.9, 1.1)"
    ]


def _keep(name, figures):
    """Add a check's figures to the file of this GPU."""
    gpu = torch.cuda.get_device_name().lower().replace(" ", "-")
    file = _FOLDER / f"gpu-{gpu}.json"
    figures_of = json.loads(file.read_text()) if file.is_file() else {}
    figures_of |= {"torch": torch.__version__, "cudnn": torch.backends.cudnn.version(), name: figures}
    file.write_text(json.dumps(figures_of, indent=1) + "\n")
