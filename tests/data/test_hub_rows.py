"""Data sets of the hub, from a folder that is laid out as the hub's cache: no network."""

from pathlib import Path

import httpx2
import huggingface_hub
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from harness.data.hub_rows import HubReference, write_tables
from harness.data.table_files import read_table
from harness.errors import HarnessError

COMMIT = "a" * 40


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A data set with two subsets in a hub cache; the second has no training split."""
    top = tmp_path / "hub" / "datasets--org--moods"
    snapshot = top / "snapshots" / COMMIT
    (top / "refs").mkdir(parents=True)
    (top / "refs" / "main").write_text(COMMIT)
    features = Features({"text": Value("string"), "label": ClassLabel(names=["bad", "good"])})
    lines = ["---", "configs:"]
    for config, splits in (("small", ("train", "validation", "test")), ("held", ("validation",))):
        (snapshot / config).mkdir(parents=True)
        lines += [f"- config_name: {config}", "  data_files:"]
        for split in splits:
            rows = {"text": [f"{config} {split} {n}" for n in range(6)], "label": [n % 2 for n in range(6)]}
            Dataset.from_dict(rows, features=features).to_parquet(snapshot / config / f"{split}.parquet")
            lines += [f"  - split: {split}", f"    path: {config}/{split}.parquet"]
    (snapshot / "README.md").write_text("\n".join([*lines, "---", ""]))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "prepared"))
    return tmp_path


def test_each_split_is_a_table_and_classes_have_their_names(hub: Path):
    files = write_tables(HubReference.parse("hf://org/moods/small@main"), hub)
    assert {key: path.name for key, path in files.items()} == {
        "train": "train.parquet",
        "validation": "validation.parquet",
        "test": "test.parquet",
    }
    table = read_table(files["test"])
    assert table.text(1, "text") == "small test 1"
    assert [table.text(index, "label") for index in range(2)] == ["bad", "good"]


def test_a_single_split_is_to_be_split(hub: Path):
    files = write_tables(HubReference.parse(f"hf://org/moods/held@{COMMIT}"), hub)
    assert {key: path.name for key, path in files.items()} == {"data": "validation.parquet"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hf://org/none", "the data set org/none is not to be had"),
        ("hf://org/moods/none", "the data set org/moods can't be read"),
        ("hf://", "names no data set: write hf://ORG/NAME"),
    ],
)
def test_what_is_not_there_is_one_line(hub: Path, text: str, message: str):
    with pytest.raises(HarnessError, match=message):
        write_tables(HubReference.parse(text), hub)


def test_a_split_that_a_task_names_must_be_there(hub: Path):
    with pytest.raises(HarnessError, match="org/moods has no split dev: it has train, validation, test"):
        write_tables(HubReference.parse("hf://org/moods/small"), hub, {"test": "dev"})


@pytest.mark.usefixtures("hub")
def test_an_error_of_the_http_client_leads_to_the_local_cache_or_to_one_line(tmp_path, monkeypatch):
    cached = huggingface_hub.snapshot_download

    def unreachable(*arguments, local_files_only=False, **options):
        if not local_files_only:
            raise httpx2.ConnectError("no route to host")
        return cached(*arguments, local_files_only=True, **options)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    assert write_tables(HubReference.parse("hf://org/moods/small"), tmp_path)
    with pytest.raises(HarnessError, match=r"org/nothing is not to be had \(no route to host\)"):
        write_tables(HubReference.parse("hf://org/nothing"), tmp_path)
