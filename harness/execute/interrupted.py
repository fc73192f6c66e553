"""The trial that is running, noted in the results folder, so that a run that dies with it can be explained.

The note is removed when the trial ends, however it ends. One that is there when a run begins was left by a run that was
killed, or whose machine went down.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from harness.records.measurements import Phase, StoredModel
from harness.records.record import Trial

_NOTE = ".running.json"
TEMPORARY = "harness-"
"""How the name of a trial's temporary folder begins."""


class RunningTrial(StoredModel):
    """A trial that was running.

    Attributes:
        folder: its temporary folder.
        phase: the last one that it began; None: none.
    """

    trial: Trial
    started_at: str
    folder: str
    phase: Phase | None = None

    def write(self, root: Path) -> None:
        """Write the note into a results folder; a disk without room for it stops no trial."""
        with suppress(OSError):
            scratch = root / f"{_NOTE}.partial"
            scratch.write_text(self.model_dump_json(), encoding="utf-8")
            scratch.replace(root / _NOTE)


def take_interrupted(root: Path) -> RunningTrial | None:
    """Return the trial that was running when an earlier run died; its note and its temporary folder are removed."""
    path = root / _NOTE
    try:
        running = RunningTrial.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        running = None
    path.unlink(missing_ok=True)
    if running is not None:
        folder = Path(running.folder)
        if folder.name.startswith(TEMPORARY) and folder.parent == Path(tempfile.gettempdir()):
            shutil.rmtree(folder, ignore_errors=True)
    return running


@contextmanager
def temporary_folder(root: Path) -> Generator[Path]:
    """Give a trial a temporary folder; it and the note of the running trial are removed at the end."""
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
        try:
            yield Path(folder)
        finally:
            with suppress(OSError):
                (root / _NOTE).unlink(missing_ok=True)
