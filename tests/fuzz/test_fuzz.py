"""Whatever a file or a flag holds, a command ends with one line and a documented exit code, in time.

`FUZZ` is the number of inputs of each kind, 3 by default; tests/benchmarks/test_fuzz_benchmark.py tries 10,000.
"""

import os

import pytest

from tests.fuzz.commands import call, fault
from tests.fuzz.kinds import KINDS, Given, command, damaged, sound_folder

INPUTS = int(os.environ.get("FUZZ", "3"))


@pytest.mark.parametrize("name", KINDS)
def test_sound_input_is_no_error_and_damaged_input_ends_with_one_line(
    tiny_suite, bare_model, tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    given = Given(tiny_suite, bare_model)
    source = sound_folder(name, tmp_path / "source", given)
    sound = command(name, source, given)
    code, _, err = call(*sound)  # or damage would show nothing: the command would end before it is read
    assert code in {0, 1, 3} if sound[0] == "gate" else code == 0, err
    for seed in range(INPUTS):
        arguments, content = damaged(name, source, tmp_path / "copy", seed, given)
        assert fault(arguments) == ("", ""), f"seed {seed}: {arguments}\n{content[:600]!r}"
