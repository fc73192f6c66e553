"""Ten thousand damaged inputs, each of which ends with one line and a documented exit code: pytest --benchmark-only.

`FUZZ` is the number of all inputs. Counts are written after each kind; a benchmark that was stopped goes on
from there, and tries the kinds that had faults again.
"""

import math
import os
import resource
import shutil
from contextlib import chdir
from pathlib import Path

import pytest
import side_by_side

from tests.fuzz.commands import fault
from tests.fuzz.kinds import KINDS, Given, damaged, sound_folder

INPUTS = math.ceil(int(os.environ.get("FUZZ", "10000")) / len(KINDS))
ROOT = Path(__file__).parents[2]
FAULTS = ("traceback", "hang", "lines")


@pytest.mark.skipif(os.name != "posix", reason="SIGALRM")
def test_ten_thousand_inputs_end_with_one_line(benchmark, tiny_suite, bare_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    counts = side_by_side.read("fuzz", {"kinds": {}, "faults": []})
    faulty = {fault["kind"] for fault in counts["faults"]}
    kinds = {name: count for name, count in counts["kinds"].items() if name not in faulty}
    totals = {"inputs": sum(kinds.values()), **dict.fromkeys(FAULTS, 0), "kinds": kinds, "faults": []}

    def fuzz():
        for name in KINDS:
            if totals["kinds"].get(name, 0) >= INPUTS:
                continue
            source = sound_folder(name, tmp_path / "source", Given(tiny_suite, bare_model))
            for seed in range(totals["kinds"].get(name, 0), INPUTS):
                arguments, _ = damaged(name, source, tmp_path / "copy", seed, Given(tiny_suite, bare_model))
                kind, text = fault(arguments)
                totals["inputs"] += 1
                if kind:
                    totals[kind] += 1
                    totals["faults"].append({"kind": name, "seed": seed, "fault": kind, "text": text[-600:]})
            totals["kinds"][name] = INPUTS
            shutil.rmtree(source)
            peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            with chdir(ROOT):  # the commit is that of the working folder
                side_by_side.write("fuzz", {**totals, "peak_gib": round(peak_gib, 2)}, [])

    benchmark.pedantic(fuzz, rounds=1, iterations=1)
    assert totals["faults"] == []
