"""Data sets of the Hugging Face hub as tables: each split a Parquet file, classes by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, first_line

SCHEME = "hf://"
_REFERENCE = re.compile(r"hf://(?P<name>[\w.-]+(/[\w.-]+)?)(/(?P<config>[\w.=+-]+))?(@(?P<revision>[\w./-]+))?")
SPLITS = {"train": ("train",), "validation": ("validation", "valid", "dev"), "test": ("test",)}
"""Splits of the harness, and what data sets call them."""


@dataclass(frozen=True)
class HubReference:
    """A data set of the hub.

    Attributes:
        name: ``org/name``.
        config: a subset; None: the only one, or the default.
        revision: a commit, tag or branch; None: the newest.
    """

    name: str
    config: str | None = None
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> HubReference:
        """Read ``hf://org/name/config@revision``.

        Raises:
            HarnessError: it has another form.
        """
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise HarnessError(f"{text!r} names no data set: write hf://ORG/NAME, hf://ORG/NAME/CONFIG@REVISION.")
        return cls(match["name"], match["config"], match["revision"])

    @property
    def description(self) -> str:
        """Words for a data sheet."""
        config = f", subset {self.config!r}" if self.config else ""
        return f"the data set {self.name} of the Hugging Face hub{config}, revision {self.revision or 'main'}"


def write_tables(reference: HubReference, folder: Path, names: Mapping[str, str] | None = None) -> dict[str, Path]:
    """Fetch a data set, or take it from the hub's cache, and write each split as a Parquet file.

    Args:
        reference: the data set.
        folder: where the files are written.
        names: split of the harness → split of the data set; None: by their usual names (`SPLITS`).

    Returns:
        Files by key of a task: ``train``, ``test`` and maybe ``validation``; or ``data``, to be split. Without a test
        split with labels, that of validation stands for it.

    Raises:
        HarnessError: the package `datasets` is missing, or the data set, its subset or its splits are not to be had.
    """
    splits = _load(reference)
    if names is None:
        found = {key: next((name for name in options if name in splits), None) for key, options in SPLITS.items()}
        names = {key: name for key, name in found.items() if name}
    missing = [name for name in names.values() if name not in splits]
    if missing or not names:
        raise HarnessError(f"{reference.name} has no split {', '.join(missing)}: it has {', '.join(splits)}.")
    if "test" not in names and "validation" in names:
        names = {"test" if key == "validation" else key: name for key, name in names.items()}
    if "test" not in names or "train" not in names:
        names = {"data": next(iter(names.values()))}
    files: dict[str, Path] = {}
    for key, name in names.items():
        files[key] = folder / f"{name}.parquet"
        _with_class_names(splits[name]).to_parquet(files[key])
    return files


def _load(reference: HubReference) -> Any:
    try:
        from datasets import disable_progress_bars, load_dataset  # noqa: PLC0415 - an extra, and a second to import
    except ImportError as error:
        raise HarnessError("hub data sets need the package datasets: pip install 'adaptbench[hub]'.") from error
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    disable_progress_bars()
    try:
        folder = snapshot_download(reference.name, repo_type="dataset", revision=reference.revision)
    except Exception as error:  # noqa: BLE001 - no network, no such data set: which error it is differs by version
        try:
            folder = snapshot_download(
                reference.name, repo_type="dataset", revision=reference.revision, local_files_only=True
            )
        except Exception:  # noqa: BLE001 - the first error says why
            raise HarnessError(f"the data set {reference.name} is not to be had ({first_line(error)}).") from error
    try:
        return load_dataset(folder, reference.config)
    except Exception as error:
        raise HarnessError(f"the data set {reference.name} can't be read ({first_line(error)}).") from error


def _with_class_names(split: Any) -> Any:
    """Replace numbers of classes by the classes' names."""
    from datasets import ClassLabel, Value  # noqa: PLC0415

    for column, feature in split.features.items():
        if isinstance(feature, ClassLabel):
            names: Any = feature.names
            numbers = split[column]
            split = split.cast_column(column, Value("int64")).remove_columns(column)
            split = split.add_column(
                column, [names[n] if n is not None and 0 <= n < len(names) else None for n in numbers]
            )
    return split
