"""Shared fixtures: tiny models, made once a session. Nothing heavy is imported before one is used."""

import gc
import json
import os
import signal
import sys
from importlib import import_module

import pytest

from tests.stub_model import save_stub

os.environ.setdefault("HARNESS_FORECAST", "off")  # a tiny model needs no machine to be measured for it

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is imported: the cores are shared already
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_xdist_auto_num_workers(config):
    """Share the tests among the cores; what is timed, or uses them all by itself, runs alone."""
    alone = config.getoption("benchmark_only") or config.getoption("markexpr") == "e2e"
    return 0 if alone else min(4, os.cpu_count() or 1)


def pytest_collection_finish():
    """Load and freeze the libraries as the fork server of trials does: each phase of a trial collects garbage first."""
    if "torch" in sys.modules:
        import_module("harness.execute.preload_retrieval")
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard():
    """Take SIGINT up again where tests run in the background, whose shell has it ignored: some of them send it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Call the command line in a folder of its own; gives (exit code, stdout, stderr)."""
    from harness import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return call


@pytest.fixture(scope="session")
def tiny_cache(tmp_path_factory):
    """A cache folder for hashes and artifacts of tiny models."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory):
    """Give the folder of a tiny model by its kind and the options of `tiny.save_model`; each is made once."""
    import torch

    from tests import tiny

    torch.set_num_threads(1)  # more threads cost such small products more than they bring
    made = {}

    def folder(kind="llama", **options):
        key = (kind, *sorted(options.items()))
        if key not in made:
            made[key] = tiny.save_model(tmp_path_factory.mktemp(kind), kind, **options)
        return made[key]

    return folder


@pytest.fixture(scope="session")
def bare_model(tmp_path_factory):
    """The folder of a model that can be planned with; it cannot be loaded."""
    folder = save_stub(tmp_path_factory.mktemp("bare") / "model")
    sizes = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 4, **sizes}
    (folder / "config.json").write_text(json.dumps(config))
    tokens = {"model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1, "[UNK]": 2}, "unk_token": "[UNK]"}}
    added = {"id": 3, "content": "</s>", "special": True}
    (folder / "tokenizer.json").write_text(json.dumps({"version": "1.0", "added_tokens": [added], **tokens}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    return folder


@pytest.fixture
def open_tiny(tiny_folders, tiny_cache):
    """Load a tiny model anew, in float32: training changes it in place."""
    from tests import tiny

    return lambda kind="llama", **options: tiny.open_tiny(tiny_folders(kind, **options), tiny_cache)


@pytest.fixture(scope="session")
def tiny_embedder(tmp_path_factory):
    """The folder of a tiny embedding model."""
    from tests import tiny

    return tiny.save_embedder(tmp_path_factory.mktemp("embedder") / "model")


@pytest.fixture(scope="session")
def tiny_suite(tmp_path_factory):
    """The folder of a suite with labels, with questions on a corpus and judged answers, and with a probe."""
    folder = tmp_path_factory.mktemp("suites") / "tiny"
    folder.mkdir()
    (folder / "suite.toml").write_text(SUITE)
    moods = [f'"{what} number {n} was {mood}, said {who}.",{label}' for n, what, who, mood, label in _films()]
    facts = [f"Which key opens door {n * 37 % 101}?,key {n},lock {n},p{n}" for n in range(24)]
    doors = [f"p{n},Door {n * 37 % 101},It opens with key {n} and no other." for n in range(24)]
    quiz = [f"Where is safe harbour {n}?,by the sea {n},in the storm {n},by the sea {n}" for n in range(6)]
    for name, head, rows in (
        ("moods", "text,mood", moods),
        ("facts", "question,answer,worse,page", facts),
        ("doors", "id,title,text", doors),
        ("quiz", "question,a,b,right", quiz),
    ):
        (folder / f"{name}.csv").write_text("\n".join([head, *rows]) + "\n")
    return folder


def _films():
    moods = ("a delight", "good"), ("awful", "bad")
    for n in range(24):
        what, who = ("Film", "Music", "Play", "Song")[n % 4], ("Ann", "Bo", "Cy", "Di", "Ed")[n % 5]
        yield n, what, who, *moods[n // 3 % 2]


SUITE = """
name = "tiny"
version = 1

[[tasks]]
name = "moods"
kind = "classification"
data = "moods.csv"
input = "text"
reference = "mood"
instruction = "Classify the sentiment."
sizes = { train = 12, validation = 4, test = 8 }

[[tasks]]
name = "facts"
kind = "qa"
data = "facts.csv"
input = "question"
reference = "answer"
rejected = "worse"
reward = "token_f1"
corpus = "doors.csv"
evidence = "page"
instruction = "Answer the question with a short phrase."
max_new_tokens = 4
sizes = { train = 12, validation = 4, test = 8 }

[[tasks]]
name = "quiz"
kind = "multiple_choice"
role = "probe"
data = "quiz.csv"
input = "question"
choices = ["a", "b"]
reference = "right"
sizes = { test = 6 }
"""
