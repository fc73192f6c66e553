"""Environment of a trial: machine, package versions, commit and command, enough to repeat it."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

import psutil

from harness.measure import child_process
from harness.records.record import Environment

PACKAGES = (
    "adaptbench",
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "peft",
    "trl",
    "accelerate",
    "bitsandbytes",
    "sentence-transformers",
    "faiss-cpu",
    "scikit-learn",
    "scipy",
    "numpy",
    "gguf",
    "pyarrow",
    "bm25s",
    "rouge-score",
    "sacrebleu",
    "optuna",
    "jinja2",
    "regex",
    "pypdf",
    "python-docx",
    "python-pptx",
)
"""Packages that can move a score or a second; those that are not installed are left out of the record."""

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def current_environment(command: str | None = None, energy_source: str | None = None) -> Environment:
    """Describe this process's environment.

    Args:
        command: the command line that the user gave; None: this process's own.
        energy_source: of the joules (`EnergyMeter.source`); None: energy is not measured.
    """
    return Environment(
        python=platform.python_version(),
        packages=package_versions(),
        platform=platform.platform(),
        processor=_processor(),
        cores=usable_cores(),
        threads=_threads(),
        memory_bytes=memory_bytes(),
        gpu=gpu_name(),
        energy_source=energy_source,
        git_commit=_git_commit(),
        command=command or shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    )


def usable_cores() -> int:
    """Count the logical cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> int:
    """Return the memory that this process may use: the machine's, or its container's limit where that is lower."""
    limits = [psutil.virtual_memory().total]
    for path in _CGROUP_LIMITS:
        try:
            limits.append(int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such group, or "max": no limit
            continue
    return min(limits)


def package_versions() -> dict[str, str]:
    """Return the installed versions of `PACKAGES`."""
    return dict(_versions(PACKAGES))


@cache
def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Look versions up, cached: each search takes milliseconds."""
    versions: dict[str, str] = {}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    model_name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return model_name or platform.processor() or platform.machine()


def _threads() -> int:
    """Return the threads of one operator: torch's setting where torch is imported."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return int(torch.get_num_threads())
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return int(threads) if threads.isdecimal() else usable_cores()


def gpu_name() -> str | None:
    """Return the name of the GPU that torch computes on; None without one, or before torch is imported."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name())


def _git_commit() -> str | None:
    """Return the commit of the working folder, with ``-dirty`` if tracked files were changed; None: no checkout."""
    commit = child_process.git("rev-parse", "HEAD")
    if not commit:
        return None
    changed = child_process.git("status", "--porcelain", "--untracked-files=no", "--ignore-submodules")
    return f"{commit}-dirty" if changed else commit
