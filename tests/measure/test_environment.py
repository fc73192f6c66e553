"""A record's environment: package versions, memory, commit."""

import subprocess

from harness.measure import environment as module
from harness.measure.environment import current_environment, memory_bytes


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_versions_of_what_is_installed_are_kept_and_the_rest_left_out(monkeypatch):
    monkeypatch.setattr(module, "PACKAGES", ("pydantic", "no-such-package"))
    environment = current_environment()
    assert list(environment.packages) == ["pydantic"]
    assert environment.cores >= 1
    assert environment.threads >= 1
    assert environment.processor


def test_the_command_is_the_one_that_was_given():
    assert current_environment("harness run quickstart").command == "harness run quickstart"


def test_a_containers_limit_counts_as_the_memory(monkeypatch, tmp_path):
    limit = tmp_path / "memory.max"
    limit.write_text("1048576\n")
    monkeypatch.setattr(module, "_CGROUP_LIMITS", (limit,))
    assert memory_bytes() == 1048576
    limit.write_text("max\n")
    assert memory_bytes() > 1048576


def test_the_commit_says_whether_files_were_changed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "a")
    clean = current_environment().git_commit
    assert len(clean) == 40
    (tmp_path / "new").write_text("untracked files change no result")
    assert current_environment().git_commit == clean
    (tmp_path / "a").write_text("2")
    assert current_environment().git_commit == f"{clean}-dirty"


def test_no_checkout_is_no_commit(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert current_environment().git_commit is None
