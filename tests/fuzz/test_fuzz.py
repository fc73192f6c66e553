"""Whatever a file or a flag holds, a command ends with one line and a documented exit code, in time.

`FUZZ` is the number of inputs of each kind, 10 by default. ``FUZZ=430 pytest tests/fuzz`` tries 10,000.
"""

import contextlib
import io
import os
import random
import shutil
import signal
import sys
from pathlib import Path

import pytest

from harness import cli
from tests.fuzz.mutations import NASTY, mutate, mutate_json

INPUTS = int(os.environ.get("FUZZ", "10"))
LIMIT_S = 30
EXIT_CODES = {0, 1, 2, 3}
REFERENCE = Path(__file__).parents[2] / "results" / "reference"


class TooLongError(Exception):
    """A command took longer than `LIMIT_S`."""


def call(*arguments):
    """Call the command line in this process: (exit code, stdout, stderr); a hang is an error."""

    def stop(signum, frame):
        raise TooLongError

    out, err = io.StringIO(), io.StringIO()
    argv, sys.argv = sys.argv, ["harness", *map(str, arguments)]
    handler = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_S)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli._main()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
        sys.argv = argv
    return code, out.getvalue(), err.getvalue()


def check(arguments, content):
    code, out, err = call(*arguments)
    shown = f"{arguments}\n{content[:600]!r}\n{err[-1500:]}"
    if code == 70:
        report = Path(err.rstrip().rpartition(" ")[2].rstrip("."))
        shown += report.read_text() if report.is_file() else ""
    assert code in EXIT_CODES, shown
    assert "Traceback" not in out + err, shown
    if code == 2:
        assert [line.startswith("error: ") for line in err.strip().splitlines()].count(True) == 1, shown
        assert err.strip().splitlines()[-1].startswith("error: "), shown


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    (folder / "config.json").write_text('{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}')
    (folder / "model.safetensors").write_bytes(bytes(100))
    return folder


def fuzz_file(kind, source, folder, name, arguments):
    """Damage one file of a copy of a folder, `INPUTS` times, and call a command on it."""
    for seed in range(INPUTS):
        rng = random.Random(f"{kind}{seed}")
        copy = folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source, copy)
        path = copy / name
        content = path.read_bytes()
        change = mutate_json if name.endswith(".json") and rng.random() < 0.5 else mutate
        content = change(content, rng)
        path.write_bytes(content)
        check([str(argument).replace("COPY", str(copy)) for argument in arguments], content)


@pytest.mark.parametrize("name", ["suite.toml", "moods.csv", "facts.csv", "doors.csv", "quiz.csv"])
def test_a_suite(tiny_suite, model, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    fuzz_file(name, tiny_suite, tmp_path, name, ["plan", "COPY", "--model", model])


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_a_table_that_a_suite_is_made_of(tmp_path, monkeypatch, suffix):
    import pandas as pd

    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame({"text": [f"message {i} of ours" for i in range(40)], "label": ["good", "bad"] * 20})
    source = tmp_path / "source"
    source.mkdir()
    path = source / f"rows.{suffix}"
    if suffix == "parquet":
        table.to_parquet(path)
    elif suffix == "jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    flags = ["--data", f"COPY/rows.{suffix}", "--input", "text", "--reference", "label", "--folder", "COPY"]
    fuzz_file(suffix, source, tmp_path, path.name, ["init", "mine", *flags])


@pytest.mark.parametrize("name", ["record.json", "examples.parquet"])
@pytest.mark.parametrize("command", [("report",), ("decide",), ("report", "--format", "json"), ("export",)])
def test_a_store(tmp_path, monkeypatch, name, command):
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "source"
    trials = sorted((REFERENCE / "quickstart" / "sentiment").glob("*/*"))[:2]
    for trial in trials:
        shutil.copytree(trial, source / trial.relative_to(REFERENCE))
    target = str((trials[0] / name).relative_to(REFERENCE))
    head, *flags = command
    more = ["--to", "csv", "--out", "COPY/out.csv"] if head == "export" else []
    fuzz_file(f"{name}{command}", source, tmp_path, target, [head, "quickstart", *flags, "--results", "COPY", *more])


def test_a_file_of_settings(tiny_suite, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "source"
    source.mkdir()
    (source / "run.toml").write_text(
        f'suite = "{tiny_suite}"\nmodels = ["{model}"]\nstrategies = ["zero_shot", "lora(rank=4)"]\nseeds = 2\n'
        "requests = 4\nmax_minutes = 5\nlimits = { test = 4 }\n"
    )
    fuzz_file("toml", source, tmp_path, "run.toml", ["plan", "--config", "COPY/run.toml"])


FLAGS = {
    "--strategy": b"rag(k=1,retriever=bm25)+lora(rank=4)",
    "--model": b"./model",
    "--task": b"moods",
    "--seeds": b"3",
    "--seed": b"1",
    "--limit": b"test=4",
    "--train-sizes": b"4,8",
    "--budget": b"tokens=2000",
    "--requests": b"4",
    "--arrival-rate": b"2.5",
    "--latency-target": b"0.5",
    "--max-minutes": b"5",
    "--volume": b"100000",
    "--months": b"12",
    "--update-every": b"7d",
    "--split": b"moods.fresh=x.csv",
}


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag(tiny_suite, model, tmp_path, monkeypatch, flag):
    monkeypatch.chdir(tmp_path)
    for seed in range(max(1, INPUTS // 3)):
        rng = random.Random(f"{flag}{seed}")
        content = mutate(FLAGS[flag], rng)[:2_000] if seed else rng.choice(NASTY)
        value = content.replace(b"\0", b"").decode("utf-8", "surrogateescape")
        check(["plan", tiny_suite, "--model", model, f"{flag}={value}"], content)
