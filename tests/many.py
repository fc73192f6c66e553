"""A results folder with many plausible trials, written within seconds, for timing and looking at reports.

`write_many(root)` stores 2,000 of them as the store itself would: 5 tasks x 20 strategies x 4 models x 5 seeds. Some
strategies are clearly better than others, some are tied; those that train also answer the probe; one in fifty failed.
"""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.api import ModelInfo
from harness.records.measurements import Span
from harness.records.record import Completed, Environment, Failed, TaskInfo, Trial
from harness.store import record_file
from harness.store.results_store import Store

SUITE = "many"
MIB = 1024**2
STRATEGIES = (
    "zero_shot",
    "few_shot",
    "lora",
    "rag(k=1)",
    "rag(k=1)+lora",
    "lora+rag(k=1)",
    "full",
    "qlora",
    "few_shot(k=16)",
    "few_shot(choose=similar)",
    "majority",
    "optimised",
    "chain_of_thought",
    "frozen",
    "ia3",
    "adapter",
    "prompt_tuning",
    "lora(rank=32)",
    "lora(variant=dora)",
    "dpo",
)
TRAINED = {"lora", "full", "qlora", "frozen", "ia3", "adapter", "prompt_tuning", "dpo"}
MODELS = ("smollm2-135m-instruct", "smollm2-360m-instruct", "qwen-0.5b", "llama-1b")
PROBE = "knowledge"


@dataclass(frozen=True)
class Task:
    name: str
    kind: str
    metrics: tuple
    labels: tuple = ()
    per_cluster: int = 1
    chance: float | None = None


TASKS = (
    Task("sentiment", "classification", ("accuracy", "macro_f1"), ("negative", "positive"), chance=0.5),
    Task("questions", "qa", ("token_f1", "exact_match"), per_cluster=2),
    Task(PROBE, "multiple_choice", ("accuracy",), chance=0.25),
    Task("topics", "classification", ("accuracy", "macro_f1"), ("a", "b", "c", "d", "e"), chance=0.2),
    Task("facts", "qa", ("exact_match", "token_f1")),
)
HERE = Environment(
    python="3.11.7",
    packages={"adaptbench": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0", "peft": "0.21.2"},
    platform="Linux",
    processor="x86-64",
    cores=2,
    threads=2,
    memory_bytes=24 * 1024 * MIB,
    command="harness run many",
)


def write_many(root, *, tasks=5, strategies=20, models=4, seeds=5, items=100):
    """Store the trials below `root` and return it: the first so many tasks, strategies, models of the lists above."""
    item_sets = {task.name: _Items(task, items) for task in TASKS}
    for task in TASKS[:tasks]:
        for index, strategy in enumerate(STRATEGIES[:strategies]):
            for size, model in enumerate(MODELS[:models]):
                for seed in range(seeds):
                    rng = np.random.default_rng([index, size, seed, len(task.name)])
                    record = _record(task, strategy, model, seed, items=items, rng=rng)
                    good = 0.35 + 0.4 * (_hash(strategy) % 997) / 997 + 0.05 * size + rng.normal(0, 0.01)
                    probed = record.status == "completed" and len(record.tasks) > 1
                    parts = [item_sets[task.name].table("target", good, rng)]
                    parts += [item_sets[PROBE].table("probe", 0.4 + 0.05 * size, rng)] if probed else []
                    _save(Store(root).folder(record.trial), record, pa.concat_tables(parts))
    return root


class _Items:
    """A task's items as columns; answers are drawn for each trial."""

    def __init__(self, task, items):
        rng = np.random.default_rng(_hash(task.name))
        self.task, self.items = task, items
        self.choices = task.labels or (("north", "east", "south", "west") if task.kind == "multiple_choice" else ())
        self.truth = rng.integers(max(1, len(self.choices)), size=items)
        self.hard = rng.normal(0, 1, items)
        self.references = [self.choices[k] if self.choices else f"the key {i}" for i, k in enumerate(self.truth)]
        words = [
            f"Item {i} of {task.name}: what would you say to that, and why would you say so?" for i in range(items)
        ]
        self.fixed = {
            "task": [task.name] * items,
            "id": [f"{task.name}-{i:05d}" for i in range(items)],
            "cluster": [f"p{i // task.per_cluster}" if task.per_cluster > 1 else None for i in range(items)],
            "references": [[text] for text in self.references],
            "choices": [list(self.choices)] * items,
            "input": words,
            "prompt": [f"Answer in a few words.\n\n{text}\nAnswer:" for text in words],
            "prompt_tokens": rng.integers(20, 60, items).tolist(),
        }

    def table(self, role, good, rng):
        difficulty = self.hard + rng.normal(0, 1, self.items)
        right = difficulty < np.quantile(difficulty, min(0.98, max(0.02, good)))
        slips = rng.integers(1, 40, self.items)
        wrong = [
            self.choices[(k + 1 + slip % (len(self.choices) - 1)) % len(self.choices)]
            if self.choices
            else f"key of {slip}"
            for k, slip in zip(self.truth, slips, strict=True)
        ]
        answers = [ref if hit else bad for ref, hit, bad in zip(self.references, right, wrong, strict=True)]
        unread = (rng.random(self.items) < 0.02) & ~right & (not self.choices)
        columns = self.fixed | {
            "role": [role] * self.items,
            "output": ["" if self.choices else f" {text}\nthat is it" for text in answers],
            "answer": [None if lost else text for text, lost in zip(answers, unread, strict=True)],
            "parsed": ["choice" if self.choices else "failed: empty" if lost else "first_line" for lost in unread],
            "choice_scores": (rng.normal(-4, 1, (self.items, len(self.choices)))).round(3).tolist(),
            "output_tokens": [0 if self.choices else 6] * self.items,
        }
        usual = {"reasoning": [], "votes": [], "passages": [], "evidence": [], "cited": [], "dropped_passages": 0}
        usual |= {"restricted": False, "outcome": None, "reading": None}
        columns = {**{name: [value] * self.items for name, value in (usual | {"rejected": None}).items()}, **columns}
        return pa.table(
            {field.name: columns.get(field.name, [None] * self.items) for field in record_file.row_schema()},
            record_file.row_schema(),
        )


def _record(task, strategy, model, seed, *, items, rng):
    steps = tuple({"step": part.partition("(")[0]} for part in strategy.split("+"))
    trained = bool(TRAINED & {step["step"] for step in steps})
    key = hashlib.sha256(f"{task.name} {strategy} {model} {seed}".encode()).hexdigest()
    trial = Trial(
        suite=SUITE, task=task.name, strategy=strategy, model=model, seed=seed, steps=steps, key=key, basis="b"
    )
    started_at = f"2026-11-22T10:00:{seed:02d}+00:00"
    if int(key[:4], 16) % 50 == 0:
        return Failed(trial=trial, started_at=started_at, reason="killed by the system: out of memory at 22 GiB")
    tasks = [task] if not trained or task.name == PROBE else [task, _find_task(PROBE)]
    size = MODELS.index(model) + 1
    wall_s = size * float(rng.uniform(4, 5))
    spans = [
        Span(phase="load", wall_s=0.6 * size, host_start_bytes=400 * MIB, host_peak_bytes=600 * MIB * size),
        Span(
            phase="predict", wall_s=wall_s, host_peak_bytes=900 * MIB * size, tokens_in=40 * items, tokens_out=6 * items
        ),
        Span(phase="score", wall_s=0.003, host_peak_bytes=900 * MIB * size),
    ]
    if trained:
        peak = (3600 if strategy == "full" else 2000) * MIB * size
        spans.insert(
            1, Span(phase="adapt", step=steps[0]["step"], wall_s=30.0 * size, host_peak_bytes=peak, tokens_in=9000)
        )
    curves = tuple({"step": n, "loss": 3 / (n + 1) + 0.1 * float(rng.random())} for n in range(24)) if trained else ()
    return Completed(
        trial=trial,
        started_at=started_at,
        suite_version=1,
        suite_hash="s",
        model=ModelInfo(name=model, hash=f"hash of {model}", parameters=135_000_000 * size, context_tokens=8192),
        tasks=tuple(_info(task, items, is_probe=index > 0) for index, task in enumerate(tasks)),
        spans=tuple(spans),
        scores={f"{task.name}/{name}": 0.5 for name in task.metrics},
        adapted_bytes=5 * MIB if trained else None,
        trained_parameters=(135_000_000 if strategy == "full" else 460_800) * size if trained else None,
        curves=curves,
        environment=HERE,
    )


def _info(task, items, *, is_probe):
    return TaskInfo(
        name=task.name,
        kind=task.kind,
        role="probe" if is_probe or task.name == PROBE else "target",
        order=TASKS.index(task),
        metrics=task.metrics,
        labels=task.labels,
        chance=task.chance,
        instruction="Answer in a few words.",
        data_hash=f"data of {task.name}",
        sizes={"train": 80, "validation": 16, "test": items},
    )


def _find_task(name):
    return next(task for task in TASKS if task.name == name)


def _save(folder, record, table):
    """Write the files of `record_file.write`, but without waiting for the disk."""
    folder.mkdir(parents=True)
    raw = record_file._json_safe(record.model_dump(mode="json"))
    content = (json.dumps(raw, indent=2) + "\n").encode()
    (folder / "record.json").write_bytes(content)
    if record.status == "completed":
        digests = {record_file._DIGEST: record_file._digest(raw), record_file._EXACT: record_file._sha256(content)}
        table = table.replace_schema_metadata(digests)
        pq.write_table(table, folder / "examples.parquet", compression="zstd", write_page_checksum=True)
        digest = hashlib.sha256((folder / "examples.parquet").read_bytes()).hexdigest()
        (folder / "SHA256SUMS").write_text(f"{digest}  examples.parquet\n")


def _hash(text):
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
