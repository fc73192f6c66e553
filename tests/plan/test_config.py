"""Flags and a file become one run; what is wrong is named with its place."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.errors import HarnessError
from harness.plan.config import DEFAULT_MODEL, RunConfig, SplitLimits, choose_seeds, load_config, parse_limits


def test_a_suite_alone_is_enough():
    config = load_config({"suite": "quickstart", "strategies": [], "seeds": None})
    assert config == RunConfig(suite="quickstart")
    assert (config.models, config.seeds, config.results) == ((DEFAULT_MODEL,), (0,), Path("results"))


def test_flags_win_over_the_file(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('suite = "mine"\nseeds = 3\nmodels = ["a", "b"]\nlimits = { test = 40, train = 9 }\nthreads = 2\n')
    config = load_config({"models": ["c"], "limits": {"test": 5}, "threads": None}, file)
    assert (config.suite, config.seeds, config.models, config.threads) == ("mine", (0, 1, 2), ("c",), 2)
    assert config.limits == SplitLimits(test=5, train=9)


def test_a_file_gives_measurements_and_limits_as_keys_of_their_own(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('suite = "s"\nrequests = 4\nmax_trial_seconds = 60\nmax_minutes = 30\n')
    config = load_config({"max_minutes": 5.0}, file)
    assert (config.measurement.requests, config.run_limits.max_trial_seconds, config.run_limits.max_minutes) == (
        4,
        60,
        5,
    )
    file.write_text('suite = "s"\nmax_minutes = -1\n')
    with pytest.raises(HarnessError, match=r"max_minutes=-1 in .*greater than 0"):
        load_config({}, file)


def test_seeds_are_a_count_or_a_list():
    assert load_config({"suite": "s", "seeds": choose_seeds(3, [])}).seeds == (0, 1, 2)
    assert load_config({"suite": "s", "seeds": choose_seeds(None, [7, 7, 3])}).seeds == (7, 3)
    with pytest.raises(HarnessError, match="keep one"):
        choose_seeds(3, [1])


@pytest.mark.parametrize("seeds", [0, -1, 1_000_000_000, 10**40, (2**32,), (-1,)])
def test_seeds_that_cannot_be_run_are_one_line(seeds):
    with pytest.raises(HarnessError, match=r"seeds"):
        load_config({"suite": "s", "seeds": seeds})


def test_a_strategy_given_twice_is_run_once():
    assert load_config({"suite": "s", "strategies": ["rag", "lora", "rag"]}).strategies == ("rag", "lora")


def test_a_configuration_does_not_change():
    with pytest.raises(ValidationError):
        RunConfig(suite="s").suite = "t"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('suite = "s"\nstrategie = ["a"]', "unknown key 'strategie' in FILE: did you mean 'strategies'?"),
        ('suite = "s"\nlimits = { tests = 4 }', "unknown split 'tests' in limits of FILE: did you mean 'test'?"),
        ('suite = "s"\nlimits = 4', "limits in FILE is no table"),
        ('suite = "s"\nlimits = { test = 0 }', "limits.test=0 in FILE: Input should be greater than or equal to 1"),
        ('suite = "s"\nseeds = 0', "0 seeds: write a number"),
        ('suite = "s"\nseeds = ["x"]', "seeds.0='x' in FILE"),
        ('suite = "s"\nseeds = []', "seeds=[] in FILE"),
        ('suite = "s"\nthreads = 0', "threads=0 in FILE"),
        ("suite = ", "FILE cannot be read"),
        ("", "no suite was named"),
    ],
)
def test_a_wrong_file_is_one_clear_line(tmp_path, text, said):
    file = tmp_path / "run.toml"
    file.write_text(text)
    with pytest.raises(HarnessError, match=re.escape(said.replace("FILE", str(file)))) as caught:
        load_config({}, file)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(HarnessError, match="cannot be read"):
        load_config({}, tmp_path / "none.toml")


def test_limits_are_read_by_split():
    assert parse_limits(["test=40", "train=100, validation=9"]) == {"test": 40, "train": 100, "validation": 9}
    assert parse_limits([]) == {}


@pytest.mark.parametrize(
    ("text", "said"), [("tst=4", "did you mean 'test'"), ("test", "no positive"), ("test=0", "no"), ("test=²", "no")]
)
def test_a_wrong_limit_is_a_clear_error(text, said):
    with pytest.raises(HarnessError, match=said):
        parse_limits([text])
