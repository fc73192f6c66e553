"""Trials with known steps and peaks, and decisions on them."""

from harness.compare.decide.constraints import Constraints
from harness.compare.decide.decision import decide
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.records.measurements import Request, Serving, Span
from tests.compare.builders import MIB, completed, pattern

STEPS = {"lora": {"step": "lora"}, "rag": {"step": "rag", "k": 1}, "few_shot": {"step": "few_shot"}}


def trial(strategy, share, *, task="qa", memory=700, index=False, shift=0, **changes):
    """A finished trial whose steps are known, with a peak of so many MiB."""
    made = completed(task, strategy, pattern(share, shift=shift), **changes)
    steps = tuple(STEPS[name] for name in strategy.split("+") if name in STEPS)
    told = made.record.trial.model_copy(update={"steps": steps})
    info = made.record.tasks[0].model_copy(update={"sizes": {"train": 80, "test": 200}})
    spans = tuple(span.model_copy(update={"host_peak_bytes": memory * MIB}) for span in made.record.spans)
    if index:
        spans = (*spans, Span(phase="index", step="rag", wall_s=5, host_peak_bytes=memory * MIB))
    tasks = (info, *made.record.tasks[1:])
    return StoredTrialItems(made.record.model_copy(update={"trial": told, "tasks": tasks, "spans": spans}), made.items)


def suite():
    return [
        trial("zero_shot", 0.1, memory=500),
        trial("few_shot", 0.15, memory=600),
        trial("rag", 0.5, memory=900, index=True, seconds=9),
        trial("lora", 0.3, memory=1500, trained=9, probes={"know": pattern(0.4)}),
        trial("rag+lora", 0.55, memory=2500, trained=9, index=True, seconds=10, probes={"know": pattern(0.6)}),
        completed("know", "zero_shot", pattern(0.6)),
    ]


def only(stored, economics=None, **limits):
    return decide(stored, Constraints(**limits), economics, tasks=["qa"]).tasks[0]


def fitting(task):
    return {option.strategy for option in task.options if not option.excluded}


def reason(task, strategy):
    return next(option.reason for option in task.options if option.strategy == strategy)


def served(made, slowest, count=60):
    requests = tuple(
        Request(id=f"{i:04d}", wall_s=slowest * (i + 1) / count, tokens_in=10, tokens_out=5) for i in range(count)
    )
    return StoredTrialItems(made.record.model_copy(update={"serving": Serving(requests=requests)}), made.items)
