"""Artifacts of adaptation, shared by chains that begin alike: adapters, tuned weights, indexes.

Reuse saves the work, not the cost: an artifact's measured span is charged to every trial that uses it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from harness.records.measurements import Held, Span, StoredModel


class Account(StoredModel):
    """Cost of making an artifact.

    Attributes:
        span: the measured phase.
        curves: points logged while training.
        trained_parameters: parameters that took a gradient; None for what is not trained.
        size_bytes: on disk.
        held: memory of its training; None where nothing was trained, or it was not counted yet.
    """

    span: Span
    curves: tuple[dict[str, float], ...] = ()
    trained_parameters: int | None = None
    size_bytes: int | None = None
    held: Held | None = None


@dataclass(frozen=True)
class Artifact:
    """An artifact on disk."""

    folder: Path
    account: Account


def artifact_key(parts: Mapping[str, Any]) -> str:
    """Return a sha256 over everything that decides the content."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def find(root: Path, key: str) -> Artifact | None:
    """Return the artifact under a key; None if there is none, or one that cannot be read."""
    folder = root / key
    try:
        account = Account.model_validate_json((folder / "account.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # absent, or written by another version: made again
        return None
    return Artifact(folder / "content", account)


def size(root: Path) -> tuple[int, int]:
    """Count the artifacts that are kept, and their bytes on disk, unfinished ones included."""
    files = [file for file in root.rglob("*") if file.is_file()] if root.is_dir() else []
    return sum(file.name == "account.json" for file in files), sum(file.stat().st_size for file in files)


def remove(root: Path) -> None:
    """Remove every artifact; each is made again when a trial needs it."""
    shutil.rmtree(root, ignore_errors=True)


def keep(root: Path, key: str, save: Callable[[Path], None], account: Account) -> Artifact:
    """Write an artifact whole or not at all, and return it with its size."""
    root.mkdir(parents=True, exist_ok=True)
    scratch = Path(mkdtemp(dir=root, prefix=".making-"))
    try:
        (scratch / "content").mkdir()
        save(scratch / "content")
        size = sum(file.stat().st_size for file in scratch.rglob("*") if file.is_file())
        account = account.model_copy(update={"size_bytes": size})
        (scratch / "account.json").write_text(account.model_dump_json(indent=1), encoding="utf-8")
        shutil.rmtree(root / key, ignore_errors=True)
        os.rename(scratch, root / key)  # noqa: PTH104 - atomic, and fails where another process was first
    except OSError:
        if find(root, key) is None:
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Artifact(root / key / "content", account)
