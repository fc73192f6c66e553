"""The command line in a folder of its own, with the pinned archives of the user's cache and no earlier artifacts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = (sys.executable, "-c", "from harness.cli import main; main()")


class Harness:
    """Runs the command in one folder."""

    def __init__(self, folder, cache):
        self.folder = folder
        self.env = {**os.environ, "HARNESS_CACHE": str(cache), "COLUMNS": "170", "NO_COLOR": "1"}

    def start(self, *arguments):
        """Start a command; its output goes to a file, for whoever kills it to read."""
        with (self.folder / "output.txt").open("a") as output:
            return subprocess.Popen(
                [*COMMAND, *map(str, arguments)], cwd=self.folder, env=self.env, stdout=output, stderr=output
            )

    def __call__(self, *arguments, code=0):
        """Run a command to its end and return what it printed."""
        process = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.env,
            check=False,
            capture_output=True,
            text=True,
        )
        assert process.returncode == code, process.stdout + process.stderr
        assert "Traceback" not in process.stdout + process.stderr
        return process.stdout

    def report(self, *arguments):
        """Return the trials of the report."""
        return json.loads(self("report", "--format", "json", *arguments))["trials"]


@pytest.fixture(scope="session")
def fetched():
    """The user's cache folder, with the pinned archives in it and the default model converted."""
    from harness.data import cache
    from harness.data.fetch import fetch
    from harness.data.locate import locate
    from harness.data.sources import all_sources
    from harness.models.loading import prepare_weights

    for source in all_sources():
        if not source.optional:
            fetch(source.name)
    prepare_weights(locate("smollm2-135m-instruct").path, cache.root())
    locate("minilm")
    return cache.root()


@pytest.fixture(scope="session")
def clean_cache(fetched, tmp_path_factory):
    """A cache with everything that was fetched, and no artifact of an earlier run."""
    folder = tmp_path_factory.mktemp("cache")
    for name in ("archives", "sources", "converted", "hashes"):
        (fetched / name).mkdir(exist_ok=True)
        (folder / name).symlink_to(fetched / name, target_is_directory=True)
    return folder


@pytest.fixture(scope="module")
def harness(clean_cache, tmp_path_factory):
    return Harness(tmp_path_factory.mktemp("work"), clean_cache)


@pytest.fixture
def another(clean_cache, tmp_path_factory):
    """Give a command in a folder of its own again and again."""
    return lambda: Harness(Path(tmp_path_factory.mktemp("work")), clean_cache)
