"""A kept artifact that was damaged, or made for another model, gives the answers of a fresh run, or one line."""

import json
import os
import resource
import shutil
from contextlib import contextmanager

import pytest
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from harness.errors import HarnessError
from harness.models.saved_weights import load
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.trial.run_trial import run_trial
from tests import tiny
from tests.trial.trial_results import LORA, answers


def cut(file):
    os.truncate(file, file.stat().st_size // 2)


def replace_byte(file):
    content = bytearray(file.read_bytes())
    content[-3] ^= 0x41
    file.write_bytes(content)


def rename_weights(file):
    save_file({f"other.{name}": weight for name, weight in load_file(file).items()}, file)


KEPT = [
    (LORA, "moods", "adapter_model.safetensors"),
    (LORA, "moods", "adapter_config.json"),
    ("adapter(epochs=2)", "moods", "bottleneck.safetensors"),
    ("full(epochs=1)", "moods", "base.safetensors"),
    ("qlora(epochs=1,rank=4)", "moods", "quantised.json"),
    ("rag", "facts", "index.faiss"),
]


@pytest.mark.parametrize("damage", [os.unlink, cut, replace_byte])
@pytest.mark.parametrize(("strategy", "task", "name"), KEPT)
def test_a_damaged_artifact_is_made_again(run, tmp_path, strategy, task, name, damage):  # noqa: PLR0917 - by name
    _, fresh = run(strategy, task)
    (file,) = (tmp_path / "cache" / "artifacts").rglob(name)
    damage(file)
    record, rows = run(strategy, task)
    assert answers(rows) == answers(fresh)
    (note,) = record.notes
    assert name in note
    assert "was made again" in note
    assert not any(span.reused for span in record.spans)
    reusing, rows = run(strategy, task)  # and kept again
    assert any(span.reused for span in reusing.spans)
    assert reusing.notes == ()
    assert answers(rows) == answers(fresh)


def test_a_bm25_index_that_lost_a_file_is_made_again(run, tmp_path):
    _, fresh = run("rag(k=2,retriever=bm25)", "facts")
    for file in sorted((tmp_path / "cache" / "artifacts").rglob("content/bm25/*"))[:1]:
        file.unlink()
    record, rows = run("rag(k=2,retriever=bm25)", "facts")
    assert answers(rows) == answers(fresh)
    assert len(record.notes) == 1


def test_loading_an_adapter_that_loads_nothing_is_an_error(run, open_tiny, tmp_path):
    run(LORA)
    (file,) = (tmp_path / "cache" / "artifacts").rglob("adapter_model.safetensors")
    rename_weights(file)
    with pytest.raises(HarnessError, match="is not one of this model"):
        load(open_tiny().module, file.parent)
    (file.parent / "adapter_config.json").unlink()
    with pytest.raises(HarnessError, match="holds no weights"):
        load(open_tiny().module, file.parent)
    file.unlink()
    with pytest.raises(HarnessError, match="holds no weights"):
        load(open_tiny().module, tmp_path)


@pytest.fixture
def model_run(tiny_suite, tmp_path):
    """Run LoRA with a model whose folder may change between runs; gives the record, the rows and the plan's key."""
    folder = tiny.save_model(tmp_path / "model")

    def call(cache="cache", planned=None):
        config = RunConfig(
            suite=str(tiny_suite),
            models=(str(folder),),
            tasks=("moods",),
            strategies=(LORA,),
            requests=0,
            check_items=0,
        )
        planned = planned or make_plan(config).trials[0]
        record, rows = run_trial(planned, cache=tmp_path / cache, emit=lambda event: None)
        return record, rows, planned

    call.folder = folder
    return call


def change_template(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = tiny.CHAT.replace("<|{{ m['role'] }}|>", "{{ m['role'] }} says: ")
    tokenizer.save_pretrained(folder)


def change_configuration(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 0.5}))


def change_weights_secretly(folder):
    file = folder / "model.safetensors"
    state = file.stat()
    weights = load_file(file)
    weights["lm_head.weight"] = weights["lm_head.weight"].flip(0).contiguous()
    save_file(weights, folder / "new", {"format": "pt"})
    assert (folder / "new").stat().st_size == state.st_size
    (folder / "new").replace(file)
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))


@pytest.mark.parametrize("change", [change_template, change_configuration, change_weights_secretly])
def test_an_adapter_of_the_model_as_it_was_is_not_taken_for_the_new_one(model_run, change):
    first, before, planned = model_run()
    change(model_run.folder)
    record, rows, replanned = model_run()
    assert not any(span.reused for span in record.spans)
    assert replanned.trial.key != planned.trial.key
    assert record.model.identity != first.model.identity
    _, fresh, _ = model_run("other cache")
    assert answers(rows) == answers(fresh) != answers(before)


def test_a_model_that_changed_after_planning_is_one_line(model_run):
    _, _, planned = model_run()
    change_template(model_run.folder)
    with pytest.raises(HarnessError, match="changed after this trial was planned: run again"):
        model_run(planned=planned)


def test_a_cache_that_is_a_file_does_not_cost_the_training(run, tmp_path):
    _, fresh = run(LORA)
    (tmp_path / "file").touch()
    record, rows = run(LORA, cache=tmp_path / "file")
    assert answers(rows) == answers(fresh)
    (note,) = record.notes
    assert note.startswith("what lora made could not be kept (")
    assert record.curves
    assert record.adapted_bytes is None


@contextmanager
def full_disk(size_bytes):
    """Let no file grow beyond a size, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(("strategy", "task"), [(LORA, "moods"), ("full(epochs=1)", "moods"), ("rag", "facts")])
def test_a_full_disk_after_training_does_not_cost_the_training(run, tmp_path, strategy, task):
    _, fresh = run(strategy, task)
    shutil.rmtree(tmp_path / "cache")
    with full_disk(1000):
        record, rows = run(strategy, task)
    assert answers(rows) == answers(fresh)
    (note,) = record.notes
    assert "could not be kept" in note
    assert not list((tmp_path / "cache" / "artifacts").iterdir())
    again, rows = run(strategy, task)
    assert answers(rows) == answers(fresh)
    assert again.notes == ()
