"""A child process that takes too long ends with everything that it has started."""

import subprocess
import time

import psutil
import pytest

from harness.measure.child_process import run_python

PARENT = """
import subprocess, sys, pathlib
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
child.wait()
"""


def test_a_child_that_is_stopped_leaves_no_process_behind(tmp_path):
    (tmp_path / "parent_of_one.py").write_text(PARENT)
    file = tmp_path / "pid"
    with pytest.raises(subprocess.TimeoutExpired):
        run_python("parent_of_one", [file], environment={"PYTHONPATH": str(tmp_path)}, timeout_s=5)
    pid = int(file.read_text())
    for _ in range(50):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.1)
    pytest.fail(f"process {pid} still runs")


def test_output_and_exit_status_come_back(tmp_path):
    (tmp_path / "speaks.py").write_text("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    process = run_python("speaks", [], environment={"PYTHONPATH": str(tmp_path)})
    assert (process.returncode, process.stdout, process.stderr) == (3, "out\n", "err\n")
