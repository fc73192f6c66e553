"""Records and rows for tests of the store."""

from harness.api import ModelInfo
from harness.records.measurements import Span
from harness.records.record import Completed, Environment, Row, TaskInfo, Trial

ENVIRONMENT = Environment(
    python="3.11", packages={}, platform="x", processor="y", cores=2, threads=2, memory_bytes=1, command="harness run"
)


TASK = TaskInfo(name="t", kind="qa", metrics=("accuracy",), data_hash="d", sizes={"test": 2})


ROWS = (
    Row(task="t", id="1", references=("a", "b"), answer=None, parsed="failed: empty", choice_scores=(-1.5, -2.0)),
    Row(task="t", id="2", references=("ü",), cluster="c", answer="ü", parsed="first_line", passages=("p",)),
)


def trial(strategy="lora", key="ab" * 32, seed=0, basis="", task="t"):
    steps = ({"step": "lora", "rank": 8},)
    return Trial(suite="s", task=task, strategy=strategy, model="org/m", seed=seed, steps=steps, key=key, basis=basis)


def completed(planned=None, started_at="2026-01-01T00:00:00+00:00", **changes):
    fields = {
        "trial": planned or trial(),
        "started_at": started_at,
        "suite_version": 1,
        "suite_hash": "h",
        "model": ModelInfo(name="m"),
        "tasks": (TASK,),
        "spans": (Span(phase="load", wall_s=1.0),),
        "scores": {"t/accuracy": 0.5},
        "environment": ENVIRONMENT,
    }
    return Completed(**{**fields, **changes})
