"""Finds where a pinned archive can be downloaded, by asking the user's own pip.

pip knows the mirrors, certificates and proxies that this machine is set up with, so no host is written down here.
"""

import json
import re
import sys

from harness.data.sources import Archive
from harness.errors import HarnessError
from harness.measure.child_process import run_python


def find(source: Archive) -> str:
    """Return the address of a source's archive.

    pip reads the registry's index and the package's metadata; registries that serve metadata by itself
    (PEP 658) send no archive for this.

    Raises:
        HarnessError: there is no pip, no network, or no such release, or the registry lists another sha256.
    """
    requirement = f"{source.package}=={source.version}"
    arguments = ["install", "--dry-run", "--ignore-installed", "--no-deps"]
    arguments += [
        "--quiet",
        "--report",
        "-",
        "--only-binary",
        ":all:",
        "--no-input",
        "--retries",
        "2",
        "--disable-pip-version-check",
    ]
    completed = run_python("pip", [*arguments, requirement])
    if completed.returncode != 0:
        raise HarnessError(f"can't find where to download {requirement}: {_reason(completed.stderr)}.")
    archive = json.loads(completed.stdout)["install"][0]["download_info"]
    listed = archive.get("archive_info", {}).get("hashes", {}).get("sha256")
    if listed is not None and listed != source.sha256:
        raise HarnessError(
            f"the registry that pip uses here lists {requirement} with sha256 {listed[:12]}..., "
            f"but {source.sha256[:12]}... is pinned: nothing was downloaded."
        )
    return archive["url"]


def _reason(stderr: str) -> str:
    """Return pip's reason as a sentence: its last error line, or the known cause of it."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if "No module named pip" in stderr:
        return f"{sys.executable} has no pip ('python -m ensurepip' adds it)"
    if re.search(r"certificate|SSLError", stderr, re.IGNORECASE):
        return "the registry's certificate isn't trusted here (PIP_CERT names the file of your own authority)"
    if re.search(r"connection|timed? ?out|name resolution|ProxyError", stderr, re.IGNORECASE):
        return "no network, or the registry can't be reached"
    wrong = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (wrong or lines or ["pip gave no reason"])[-1].rstrip(".")
