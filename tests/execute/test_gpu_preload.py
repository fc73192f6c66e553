"""The fork server never initialises CUDA, and trials are spawned anew where it was initialised all the same."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.execute.local_executor import execute
from harness.store.results_store import Store
from tests.execute import run_doubles

RECORD_CUDA_CALLS = """
import json, sys, torch
calls = []
def record(*args, **kwargs):
    calls.append(sys._getframe(1).f_code.co_filename)
    raise RuntimeError("CUDA would be initialised here")
torch.cuda.is_available, torch.cuda.device_count = (lambda: True), (lambda: 1)
torch._C._cuda_getCurrentRawStream = lambda index: 0
for name in ("_lazy_init", "get_device_properties", "get_device_capability", "current_device", "get_device_name",
             "synchronize", "is_bf16_supported"):
    setattr(torch.cuda, name, record)
for module in sys.argv[1:]:
    try:
        __import__(module)
    except RuntimeError:
        pass
import os
settings = {name: os.environ.get(name) for name in ("TORCH_CUDNN_SDPA_DEPRIORITIZED", "PYTORCH_ALLOC_CONF")}
print(json.dumps([calls, settings, [name for name in ("transformers", "peft", "faiss") if name in sys.modules]]))
"""


def cuda_calls(*modules):
    """Import modules where torch believes in a GPU; return who asked CUDA, its settings, and what was imported."""
    ran = subprocess.run(
        [sys.executable, "-c", RECORD_CUDA_CALLS, *modules], capture_output=True, text=True, check=True
    )
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("module", ["harness.execute.preload", "harness.execute.preload_retrieval"])
def test_with_a_gpu_visible_the_fork_server_asks_cuda_for_nothing(module):
    calls, settings, imported = cuda_calls(module)
    assert calls == []
    assert settings == {"TORCH_CUDNN_SDPA_DEPRIORITIZED": "1", "PYTORCH_ALLOC_CONF": "expandable_segments:True"}
    assert "transformers" in imported
    assert "peft" not in imported


def test_the_stand_in_notices_a_library_that_would_initialise_cuda():
    calls, *_ = cuda_calls("peft")
    assert calls


def test_trials_are_spawned_where_forked_ones_could_not_use_the_gpu(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    runner = replace(run_doubles.RUNNER, preload=("torch", "cuda_forked_preload"))
    store = Store(tmp_path / "results")
    counts = execute(
        run_doubles.plan("fine", "fine(k=2)"), store, cache=tmp_path, observe=lambda event: None, runner=runner
    )
    assert (counts.completed, counts.failed) == (2, 0)


def test_a_calibration_is_spawned_where_a_forked_one_could_not_use_the_gpu():
    command = [sys.executable, "-m", "harness.forecast.calibration", "a folder", "run_doubles:measure"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    for preload in ((), ("torch", "cuda_forked_preload")):
        ran = subprocess.run([*command, *preload], capture_output=True, text=True, check=True, env=environment)
        measured = json.loads(ran.stdout)
        assert measured["folder"] == "a folder"
        assert measured["forked"] == (not preload)
