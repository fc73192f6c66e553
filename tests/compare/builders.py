"""Small stored trials for tests, built through the real records: a suite of sentiment, qa and a probe."""

from harness.api import ModelInfo
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.metrics.items import Items
from harness.records.measurements import Span
from harness.records.record import Completed, Environment, Failed, Row, Skipped, TaskInfo, Trial

MIB = 1024**2

HERE = Environment(
    python="3.11.9",
    packages={"torch": "2.13.0", "peft": "0.21.2"},
    platform="Linux",
    processor="x86-64",
    cores=2,
    threads=2,
    memory_bytes=23 * 1024 * MIB,
)

HERE_MODEL = ModelInfo(name="small", hash="w", dtype="bfloat16")

METRICS = {"sentiment": ("accuracy", "macro_f1"), "qa": ("token_f1", "exact_match", "recall@1"), "know": ("accuracy",)}
KINDS = {"sentiment": "classification", "qa": "qa", "know": "multiple_choice"}


def trial(task, strategy, seed=0, model="small", suite="quick", **changes):
    key = f"{task}{strategy}{seed}"
    return Trial(suite=suite, task=task, strategy=strategy, model=model, seed=seed, key=key, **changes)


def info(task, role="target", **changes):
    labels = ("neg", "pos") if task == "sentiment" else ()
    fields = {"name": task, "kind": KINDS[task], "role": role, "metrics": METRICS[task], "labels": labels}
    return TaskInfo(**{**fields, "data_hash": f"data of {task}", "sizes": {"test": 1}, **changes})


def answered(right, *, good="pos", bad="neg", clusters=None):
    """Rows whose answers are right (1), wrong (0) or not parsed (None)."""
    return [
        Row(
            task="",
            id=f"{i:04d}",
            cluster=clusters[i] if clusters else None,
            references=(good if i % 2 else bad,),
            answer=None if hit is None else (good if i % 2 else bad) if hit else (bad if i % 2 else good),
        )
        for i, hit in enumerate(right)
    ]


def completed(
    task,
    strategy,
    right,
    *,
    seed=0,
    model="small",
    probes=None,
    seen=None,
    size=None,
    budget=None,
    trained=None,
    seconds=2.0,
    model_info=HERE_MODEL,
    **changes,
):
    """Make a finished trial: `right` says which items of its task were answered correctly, `probes` the same by probe,
    `seen` the same of training items that were asked again, `size` how many it learned from.
    """
    clusters = [f"p{i // 2}" for i in range(len(right))] if task == "qa" else None
    rows = {task: answered(right, clusters=clusters), **{name: answered(hits) for name, hits in (probes or {}).items()}}
    spans = [
        Span(phase="load", wall_s=1.5, host_peak_bytes=500 * MIB),
        Span(phase="predict", wall_s=seconds, host_peak_bytes=700 * MIB, tokens_in=3000, tokens_out=200),
    ]
    if trained:
        spans.append(Span(phase="adapt", step="lora", wall_s=60, host_peak_bytes=1200 * MIB, tokens_in=9000))
    fields = {
        "trial": trial(task, strategy, seed, model, train_items=size, budget=budget, basis="b"),
        "started_at": "2026-11-21T10:00:00+00:00",
        "suite_version": 1,
        "suite_hash": "s",
        "model": model_info.model_copy(update={"name": model}),
        "tasks": (info(task), *(info(name, "probe") for name in probes or {})),
        "spans": tuple(spans),
        "scores": {},
        "trained_parameters": trained,
        "adapted_bytes": 4 * MIB if trained else None,
        "environment": HERE,
    }
    items = {name: Items.from_rows(found, info(name).labels) for name, found in rows.items()}
    again = Items.from_rows(answered(seen), info(task).labels) if seen is not None else None
    return StoredTrialItems(Completed(**{**fields, **changes}), items, again)


def failed(task, strategy, reason, **where):
    return StoredTrialItems(
        Failed(trial=trial(task, strategy, **where), started_at="2026-11-21T10:00:00+00:00", reason=reason)
    )


def skipped(task, strategy, reason, **where):
    return StoredTrialItems(Skipped(trial=trial(task, strategy, **where), reason=reason))


def pattern(share, n=200, shift=0):
    """0/1 scores with the given share right, spread evenly; `shift` moves which items they are."""
    return [int(((i + shift) * 7) % 20 < round(share * 20)) for i in range(n)]


def quick_suite():
    """One row of each sort: baseline, better, tied, trained with two seeds, forgetting, failed, skipped."""
    before = pattern(0.6)
    return [
        completed("sentiment", "zero_shot", pattern(0.5)),
        completed("sentiment", "few_shot(k=4)", pattern(0.55)),
        completed("sentiment", "lora", pattern(0.9), trained=921_600, probes={"know": pattern(0.55)}),
        completed("sentiment", "lora", pattern(0.85), seed=1, trained=921_600, probes={"know": pattern(0.6)}),
        completed("sentiment", "full", pattern(0.85, shift=1), trained=134_515_008, probes={"know": pattern(0.3)}),
        failed("sentiment", "qlora", "killed by the system: out of memory at 22 GiB"),
        skipped("sentiment", "rag", "sentiment has no corpus"),
        completed("know", "zero_shot", before),
        completed("qa", "zero_shot", pattern(0.1)),
        completed("qa", "rag", pattern(0.5), seconds=9),
        completed("qa", "rag+lora", pattern(0.55), trained=921_600, seconds=10, probes={"know": before}),
    ]
