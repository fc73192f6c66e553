"""A kept artifact is whole or not there, and its account travels with it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.records.measurements import Span
from harness.trial import artifacts
from harness.trial.artifacts import Account, artifact_key, find, keep

ACCOUNT = Account(span=Span(phase="adapt", step="lora", wall_s=2.5), curves=({"loss": 1.0},), trained_parameters=7)
KEY = artifact_key({"what": "this"})


def save(folder):
    (folder / "weights.safetensors").write_bytes(bytes(1000))
    (folder / "inner").mkdir()
    (folder / "inner" / "config.json").write_text("{}")


def test_what_is_kept_is_found_with_its_account_and_size(tmp_path):
    kept = keep(tmp_path / "new", KEY, save, ACCOUNT)
    found = find(tmp_path / "new", KEY)
    assert found == kept
    assert found.account == ACCOUNT.model_copy(update={"size_bytes": 1002, "files": found.account.files})
    assert {name: file.size_bytes for name, file in found.account.files.items()} == {
        "inner/config.json": 2,
        "weights.safetensors": 1000,
    }
    assert (found.folder / "weights.safetensors").stat().st_size == 1000
    assert [path.name for path in (tmp_path / "new").iterdir()] == [KEY]


def test_nothing_is_found_under_another_key(tmp_path):
    keep(tmp_path, KEY, save, ACCOUNT)
    assert find(tmp_path, artifact_key({"what": "that"})) is None


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, ValueError])
def test_an_interrupted_save_leaves_nothing(tmp_path, error):
    def interrupted(folder):
        save(folder)
        raise error

    with pytest.raises(error):
        keep(tmp_path, KEY, interrupted, ACCOUNT)
    assert find(tmp_path, KEY) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_killed_save_leaves_nothing_that_looks_whole(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from tests.trial.test_artifacts import ACCOUNT, KEY, save;"
        "from harness.trial.artifacts import keep;"
        "keep(Path(sys.argv[1]), KEY, lambda folder: (save(folder), os.kill(os.getpid(), signal.SIGKILL)), ACCOUNT)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parents[2], check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir())  # what it had begun
    assert find(tmp_path, KEY) is None
    assert keep(tmp_path, KEY, save, ACCOUNT) == find(tmp_path, KEY)


def test_an_account_from_before_memory_was_counted_is_still_read(tmp_path):
    kept = keep(tmp_path, KEY, save, ACCOUNT)
    file = kept.folder.parent / "account.json"
    older = json.loads(file.read_text())
    assert older.pop("held") is None
    file.write_text(json.dumps(older))
    assert find(tmp_path, KEY) == kept


def test_an_account_from_before_files_were_listed_is_not_believed(tmp_path):
    kept = keep(tmp_path, KEY, save, ACCOUNT)
    file = kept.folder.parent / "account.json"
    file.write_text(json.dumps({name: part for name, part in json.loads(file.read_text()).items() if name != "files"}))
    assert find(tmp_path, KEY) is None


@pytest.mark.parametrize(
    ("damage", "difference"),
    [
        (lambda file: file.unlink(), "weights.safetensors is missing"),
        (lambda file: os.truncate(file, 999), "weights.safetensors has 999 of 1,000 bytes"),
        (lambda file: file.write_bytes(bytes(999) + b"x"), "weights.safetensors was changed"),
        (lambda file: (file.parent / "more").touch(), "more was added"),
        (lambda file: shutil.rmtree(file.parent), "is missing"),
    ],
)
def test_any_difference_from_the_account_is_named(tmp_path, damage, difference):
    kept = keep(tmp_path, KEY, save, ACCOUNT)
    damage(kept.folder / "weights.safetensors")
    with pytest.raises(artifacts.DamagedArtifactError, match=difference):
        find(tmp_path, KEY)
    assert keep(tmp_path, KEY, save, ACCOUNT) == kept
    assert find(tmp_path, KEY) == kept


def test_nothing_is_removed_while_a_trial_uses_it(tmp_path):
    root = tmp_path / "artifacts"
    kept = keep(root, KEY, save, ACCOUNT)
    program = (
        "import sys; from pathlib import Path; from harness.trial.artifacts import in_use;\n"
        "with in_use(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout.readline() == "held\n"
        with artifacts.in_use(root):  # two trials may use them at once
            pass
        with pytest.raises(HarnessError, match="a trial is using"):
            artifacts.remove(root)
        assert find(root, KEY) == kept
        user.kill()
    artifacts.remove(root)
    assert not root.exists()


def test_a_folder_that_cannot_be_locked_is_no_obstacle(tmp_path):
    (tmp_path / "file").touch()
    with artifacts.in_use(tmp_path / "file" / "artifacts"):
        pass


@pytest.mark.parametrize("damage", ["", "{", '{"span": 3}'])
def test_an_unreadable_account_is_no_artifact_and_is_made_again(tmp_path, damage):
    kept = keep(tmp_path, KEY, save, ACCOUNT)
    (kept.folder.parent / "account.json").write_text(damage)
    assert find(tmp_path, KEY) is None
    assert keep(tmp_path, KEY, save, ACCOUNT) == kept
    assert find(tmp_path, KEY) == kept


def test_the_key_depends_on_every_part_and_not_on_their_order():
    assert artifact_key({"a": 1, "b": 2}) == artifact_key({"b": 2, "a": 1})
    assert len({artifact_key({"a": n, "b": m}) for n in (1, 2) for m in (1, "1")}) == 4


def test_artifacts_are_counted_and_removed(tmp_path):
    assert artifacts.size(tmp_path / "none") == (0, 0)
    keep(tmp_path / "kept", KEY, save, ACCOUNT)
    count, size_bytes = artifacts.size(tmp_path / "kept")
    assert count == 1
    assert size_bytes > 1002
    artifacts.remove(tmp_path / "kept")
    assert artifacts.size(tmp_path / "kept") == (0, 0)
