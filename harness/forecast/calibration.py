"""What this machine can do: measured once for a model's shape, in some ten seconds, and kept in the cache."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.api.architecture import Footprint
from harness.errors import HarnessError
from harness.forecast import kernels, memory
from harness.forecast.architecture_lookup import read
from harness.measure import allocator
from harness.measure.environment import environment, memory_bytes
from harness.records.measurements import StoredModel

PRELOAD = ("harness.execute.preload",)
IMPORTED = ("harness.trial.run_trial", "harness.training.rates")
"""What a trial's process holds when it begins, by name: these modules stand above or beside this one."""
_SEPARATE_S = 300


class Calibration(StoredModel):
    """A machine's rates for models of one shape.

    Attributes:
        made_at: when, UTC.
        layers: blocks that were timed; seconds are of so many.
        base_bytes: resident memory of a trial's process before its model.
        first_use_bytes: what the libraries take when the first passes are made; retrieval_bytes: those for retrieval.
        matrix_flops: operations a second of a large product; bandwidth: bytes a second of a copy, both ways.
        open_s: to read the tokenizer and the configuration.
        read_short_s: seconds a token of a short pass; read_long_s: of a long one (`harness.training.rates`).
        prediction_s: seconds a place with logits.
        step_one_s: of decoding one token of one sequence, in the blocks; step_many_s: of 32 sequences.
        besides_one_s, besides_many_s: what such a step takes besides the blocks, however many they are.
        code_bytes, code_s: to make code for a product of a new size (`harness.forecast.kernels`).
        embed_s: seconds a token and parameter of a small embedder.
        through_s, weights_s, small_s: seconds a token of a training row, as `harness.training.rates_training` says.
        update_s: seconds a trained weight of an optimiser step.
        quantise_s: seconds a weight to be put into 4 bits; whole_s: to be made whole again.
        risen_bytes, risen_tokens, risen_predictions, risen_lengths: what training took, for the slack; of so many
            lengths.
        slack: share of the activations that the allocator held besides what the formulas say.
        memory_bytes: that a process may use here.
    """

    made_at: str
    layers: int
    base_bytes: float
    first_use_bytes: float
    retrieval_bytes: float
    matrix_flops: float
    bandwidth: float
    open_s: float
    read_short_s: float
    read_long_s: float
    prediction_s: float
    step_one_s: float
    step_many_s: float
    besides_one_s: float
    besides_many_s: float
    code_bytes: float
    code_s: float
    embed_s: float
    through_s: float
    weights_s: float
    small_s: float
    update_s: float
    quantise_s: float
    whole_s: float
    risen_bytes: float
    risen_tokens: int
    risen_predictions: int
    risen_lengths: int
    slack: float = 0.0
    memory_bytes: int


def key(folder: Path, threads: int | None) -> str:
    """Name everything that decides what is measured: machine, threads, package versions, the model's configuration."""
    here = environment("calibration")
    parts = [here.processor, here.cores, here.memory_bytes, here.packages, threads or here.threads]
    parts += [os.environ.get("CUDA_VISIBLE_DEVICES"), (folder / "config.json").read_text(encoding="utf-8")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def kept(folder: Path, threads: int | None, cache: Path) -> Calibration | None:
    """Return what was measured before; None where nothing was, or what is there cannot be read."""
    try:
        return Calibration.model_validate_json(_file(folder, threads, cache).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def calibrate(folder: Path, threads: int | None, cache: Path) -> Calibration:
    """Measure in a process of its own, and keep it.

    Args:
        folder: of the model, as it is loaded from.
        threads: of one operator; None: the library's choice.
        cache: where it is kept, under `calibrations`.

    Raises:
        HarnessError: the measurement ended without a result.
    """
    shape = read(folder)
    environ = {**os.environ, "OMP_NUM_THREADS": str(threads)} if threads else None
    command = [sys.executable, "-m", "harness.forecast.calibration", str(folder)]
    try:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=_SEPARATE_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise HarnessError(
            f"this machine was not measured within {_SEPARATE_S} s: try again when it is idle."
        ) from error
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        reason = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), f"exit {done.returncode}")
        raise HarnessError(f"this machine could not be measured with the model in {folder}: {reason.strip()}")
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    found: dict[str, Any] = {**json.loads(lines[-1]), "made_at": made_at, "memory_bytes": memory_bytes()}
    a_pass = kernels.products(shape, Footprint())
    found |= {name: found[name] / a_pass for name in ("code_bytes", "code_s")}
    found["slack"] = _slack(shape, found)
    made = Calibration.model_validate(found)
    file = _file(folder, threads, cache)
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_suffix(f".{os.getpid()}")
    scratch.write_text(made.model_dump_json(indent=1), encoding="utf-8")
    scratch.replace(file)
    return made


def _slack(shape: Any, found: dict[str, Any]) -> float:
    """Compare by how much training raised the memory with what the formulas say of it."""
    small = replace(shape, layers=found["layers"], exact_parameters=0)
    step = small.low_rank(8)
    said = memory.training(small, step, memory.ForwardPass(found["risen_tokens"], found["risen_predictions"]))
    products = found["risen_lengths"] * kernels.products(small, step, learning=True)
    made = min(products, allocator.CODES_KEPT) * found["code_bytes"]
    expected = said.activations + said.logits + said.gradients + made
    return max(0.0, (found["risen_bytes"] - expected) / said.activations)


def _file(folder: Path, threads: int | None, cache: Path) -> Path:
    return cache / "calibrations" / f"{key(folder, threads)}.json"


def _child(pipe: Any, folder: str) -> None:
    allocator.settle()  # as in a trial
    pipe.send(import_module("harness.training.rates").measure(folder, IMPORTED))


def main(folder: str) -> None:
    """Measure in a process that begins as a trial's does, and write what was found as a line of JSON."""
    context = get_context("forkserver")
    context.set_forkserver_preload(list(PRELOAD))
    ours, theirs = context.Pipe()
    process = context.Process(target=_child, args=(theirs, folder))
    process.start()
    theirs.close()
    try:
        print(json.dumps(ours.recv()), flush=True)  # noqa: T201 - the caller reads it
    except EOFError:  # the process has said why where it writes its errors
        process.join()
        sys.exit(1)
    process.join()


if __name__ == "__main__":
    main(sys.argv[1])
