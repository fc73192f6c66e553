"""Calibration of this machine for a model's shape: measured in some ten seconds, and kept in the cache.

Later runs compare the machine's speed with that of the calibration (`harness.forecast.present_rates`).
"""

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
from harness.data.cache import recall, remember
from harness.errors import HarnessError
from harness.forecast import kernels, memory
from harness.forecast.architecture_lookup import read_architecture
from harness.forecast.machine_load import LoadWatch, QuickRates, quick_rates
from harness.measure import allocator, gpu
from harness.measure.child_process import run_python
from harness.measure.cuda_state import torch_cannot_use_cuda
from harness.measure.environment import current_environment, memory_bytes
from harness.records.measurements import StoredModel

FORKSERVER_MODULES = ("harness.execute.preload",)
TRIAL_MODULES = ("harness.trial.run_trial", "harness.training.rates")
"""Modules that a trial's process has imported when it begins; by name, because they are layers above or beside."""
_COMPUTING = (
    *("read_short_s", "read_long_s", "prediction_s", "code_s", "embed_s", "through_s", "weights_s", "small_s"),
    "quantise_s",
)
_COPYING = ("step_one_s", "step_many_s", "besides_one_s", "besides_many_s", "update_s", "whole_s", "open_s")
"""Seconds that depend on how fast matrices are multiplied, and on how fast memory is read."""
_MEASURE = "harness.training.rates:measure"
_TIMEOUT_S = 300


class MachineCalibration(StoredModel):
    """A machine's rates for models of one shape. The cache holds these fields.

    Attributes:
        made_at: time of the measurement, UTC.
        layers: blocks that were timed; per-token and per-step seconds are of so many.
        base_bytes: resident memory of a trial's process before its model.
        first_use_bytes: of the libraries after the first passes; retrieval_bytes: of the retrieval libraries.
        matrix_flops: operations a second of a large product; bandwidth: bytes a second of a copy, read and written.
        open_s: to read the tokenizer and the configuration.
        read_short_s: seconds per token of a short forward pass; read_long_s: of a long one (`harness.training.rates`).
        prediction_s: seconds per position with logits.
        step_one_s: of a decoding step of one sequence, in the blocks; step_many_s: of 32 sequences.
        besides_one_s, besides_many_s: of such a step outside the blocks, however many there are.
        code_bytes, code_s: to generate code for a product of a new size (`harness.forecast.kernels`).
        embed_s: seconds per token and parameter of a small embedder.
        through_s, weights_s, small_s: seconds per token of a training row with only norms, all block weights, or
            low-rank updates trained (`harness.training.rates_training`).
        update_s: seconds per trained weight of an optimizer step.
        quantise_s: seconds per weight to quantise to 4 bits; whole_s: to dequantise.
        risen_bytes: rise of memory in training, for the slack, with rows of risen_lengths lengths, at most risen_tokens
            tokens and risen_predictions positions with logits.
        slack: memory that the allocator held besides what the formulas say, as a share of the activations.
        memory_bytes: that a process may use here.
        quick: speed and load of the machine while it was measured, to compare later moments with; None: not known.
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
    quick: QuickRates | None = None

    def slowed(self, computing: float, copying: float) -> MachineCalibration:
        """Return the calibration of this machine when products, and copies, take so many times as long."""
        factors = dict.fromkeys(_COMPUTING, computing) | dict.fromkeys(_COPYING, copying)
        factors |= {"matrix_flops": 1 / computing, "bandwidth": 1 / copying}
        return self.model_copy(update={name: factor * getattr(self, name) for name, factor in factors.items()})


def calibration_key(folder: Path, threads: int | None) -> str:
    """Hash all that a calibration depends on: machine, GPU, threads, package versions, the model's configuration."""
    machine = current_environment("calibration")
    parts = [machine.processor, machine.cores, machine.memory_bytes, machine.packages, threads or machine.threads]
    parts += [
        os.environ.get("CUDA_VISIBLE_DEVICES"),
        gpu.device_name(),
        (folder / "config.json").read_text(encoding="utf-8"),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def cached_calibration(folder: Path, threads: int | None, cache: Path) -> MachineCalibration | None:
    """Read the calibration from the cache; None where there is none that can be read."""
    try:
        return MachineCalibration.model_validate_json(recall(_cache_file(folder, threads, cache)) or "")
    except ValidationError:
        return None


def calibrate(folder: Path, threads: int | None, cache: Path) -> MachineCalibration:
    """Measure in a process of its own, and write the calibration to the cache.

    Args:
        folder: that the model is loaded from.
        threads: of one operator; None: the library's choice.
        cache: its subfolder `calibrations` holds the file.

    Raises:
        HarnessError: the measurement ended without a result.
    """
    shape = read_architecture(folder)
    environment = {"OMP_NUM_THREADS": str(threads)} if threads else {}
    before = quick_rates(threads)
    try:
        process = run_python("harness.forecast.calibration", [folder], environment=environment, timeout_s=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise HarnessError(
            f"this machine was not measured within {_TIMEOUT_S} s: try again when it is idle."
        ) from error
    lines = process.stdout.strip().splitlines()
    if process.returncode or not lines:
        reason = next(filter(str.strip, reversed(process.stderr.splitlines())), f"exit {process.returncode}")
        raise HarnessError(f"this machine could not be measured with the model in {folder}: {reason.strip()}")
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    rates: dict[str, Any] = {**json.loads(lines[-1]), "made_at": made_at, "memory_bytes": memory_bytes()}
    products = kernels.count_products(shape, Footprint())
    rates |= {name: rates[name] / products for name in ("code_bytes", "code_s")}
    rates["slack"] = _slack(shape, rates)
    quick = before.combined(quick_rates(threads))
    other_cores = max(quick.other_cores, rates.pop("other_cores", 0.0))
    rates["quick"] = quick.model_copy(update={"other_cores": other_cores})
    calibration = MachineCalibration.model_validate(rates)
    remember(_cache_file(folder, threads, cache), calibration.model_dump_json(indent=1))
    return calibration


def _slack(shape: Any, rates: dict[str, Any]) -> float:
    """Return what training raised the memory by beyond the formulas, as a share of the activations."""
    timed = replace(shape, layers=rates["layers"], exact_parameters=0)
    step = timed.low_rank(8)
    peak = memory.training_peak(timed, step, memory.ForwardPass(rates["risen_tokens"], rates["risen_predictions"]))
    products = rates["risen_lengths"] * kernels.count_products(timed, step, backward=True)
    code_bytes = min(products, allocator.PRIMITIVE_CACHE_CAPACITY) * rates["code_bytes"]
    expected = peak.activations + peak.logits + peak.gradients + code_bytes
    return max(0.0, (rates["risen_bytes"] - expected) / peak.activations)


def _cache_file(folder: Path, threads: int | None, cache: Path) -> Path:
    return cache / "calibrations" / f"{calibration_key(folder, threads)}.json"


def _child(pipe: Any, folder: str, function: str = _MEASURE) -> None:
    """Send the rates, or None where CUDA was initialised before this process was forked."""
    if torch_cannot_use_cuda():
        pipe.send(None)
        return
    allocator.configure()  # as in a trial
    module, _, name = function.partition(":")
    watch = LoadWatch()
    rates = getattr(import_module(module), name)(folder, TRIAL_MODULES)
    pipe.send({**rates, "other_cores": watch.other_cores()} if isinstance(rates, dict) else rates)


def main(folder: str, function: str = _MEASURE, *preload: str) -> None:
    """Measure in a process that begins as a trial's does, and print the rates as a line of JSON.

    Args:
        folder: that the model is loaded from.
        function: ``module:name`` of what measures.
        preload: modules that the fork server imports first; none: those of a trial.
    """
    forkserver = get_context("forkserver")
    forkserver.set_forkserver_preload(list(preload or FORKSERVER_MODULES))
    for context in (forkserver, get_context("spawn")):
        receiver, sender = context.Pipe()
        process = context.Process(target=_child, args=(sender, folder, function))
        process.start()
        sender.close()
        try:
            rates = receiver.recv()
        except EOFError:  # the process has written its error to stderr
            process.join()
            sys.exit(1)
        process.join()
        if rates is not None:
            print(json.dumps(rates), flush=True)  # noqa: T201 - the caller reads it
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
