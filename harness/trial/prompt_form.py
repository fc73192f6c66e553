"""The form in which a model is asked a task: chat or plain, chosen once for all strategies of the model.

A task whose form is ``auto`` is asked in both forms, without examples, passages or training, and the form with the
better score on validation items is taken; equal scores leave the model its chat form. Small models often follow
labelled lines better than their own chat template, and others read nothing but that template.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from operator import itemgetter
from pathlib import Path

from harness.api import Example, Form, HasForms, Model, System, TaskData
from harness.errors import HarnessError
from harness.measure.environment import package_versions
from harness.metrics import Items, get
from harness.predict import answering, label_calibration, prediction_rows
from harness.records.measurements import PromptForm
from harness.records.record import PROTOCOL_VERSION
from harness.trial import artifacts
from harness.trial.artifacts import Account
from harness.trial.recorder import Recorder

MIN_ITEMS, MAX_ITEMS = 10, 64
"""Validation items that the forms are compared on: with fewer, a model with a chat template is asked in chat."""
_FILE = "form.json"


def choose(
    recorder: Recorder, material: Sequence[TaskData], identity: str, open_model: Callable[[], Model]
) -> tuple[list[TaskData], PromptForm | None]:
    """Choose the form of each task that leaves it open.

    Args:
        recorder: takes the span in which a form is measured, or the span of the trial that has measured it.
        material: of the trial's task, then of others that it learns from.
        identity: of the model.
        open_model: opens it; called only if a form has to be measured.

    Returns:
        The material, with the chosen forms; and the choice of the trial's task, None where there was none to make.
    """
    chosen: list[TaskData] = []
    choices: list[PromptForm | None] = []
    for task_data in material:
        choice = _choose(recorder, task_data, identity, open_model) if _is_open(task_data) else None
        choices.append(choice)
        chosen.append(replace(task_data, task=replace(task_data.task, form=choice.form)) if choice else task_data)
    return chosen, choices[0]


def _is_open(task_data: TaskData) -> bool:
    return task_data.task.form == "auto" and len(task_data.validation) >= MIN_ITEMS and bool(task_data.metrics)


def _choose(
    recorder: Recorder, task_data: TaskData, identity: str, open_model: Callable[[], Model]
) -> PromptForm | None:
    examples = task_data.validation[:MAX_ITEMS]
    key = artifacts.artifact_key(
        {
            "chooses": "form",
            "model": identity,
            "task": str(task_data.task),
            "metric": task_data.metrics[0],
            "items": [str(example) for example in examples],
            "packages": package_versions(),
            "protocol": PROTOCOL_VERSION,
        }
    )
    root = recorder.cache / "artifacts"
    with artifacts.in_use(root):
        try:
            artifact = artifacts.find(root, key)
        except HarnessError:  # damaged: measured again
            artifact = None
        if artifact:
            recorder.charged.append(artifact.account.span.model_copy(update={"reused": True}))
            return PromptForm.model_validate_json((artifact.folder / _FILE).read_bytes())
        model = open_model()
        if not isinstance(model, HasForms) or len(model.forms) < 2:
            return None
        choice = _measure(recorder, model, model.forms, task_data, examples)
        if not recorder.within:
            try:
                artifacts.keep(root, key, partial(_save, choice), Account(span=recorder.meter.spans[-1]))
            except OSError as error:
                recorder.notes.append(f"the chosen form could not be kept ({error.strerror or error}).")
        return choice


def _save(choice: PromptForm, folder: Path) -> None:
    (folder / _FILE).write_text(choice.model_dump_json(indent=1), encoding="utf-8")


def _measure(
    recorder: Recorder, model: Model, forms: Sequence[Form], task_data: TaskData, examples: Sequence[Example]
) -> PromptForm:
    """Ask the items in each form."""
    metric = get(task_data.metrics[0])
    scores: dict[Form, float | None] = {}
    with recorder.span("form"):
        for form in forms:
            task = replace(task_data.task, form=form)
            predictions = answering.predict(System(model, task), [example.query for example in examples])
            recorder.meter.count_tokens(**prediction_rows.count_tokens(predictions))
            read = label_calibration.reread(predictions, task_data.train, task, examples)
            items = Items.from_rows(prediction_rows.build_rows(task, examples, read), task.choices)
            scores[form] = metric.value(items)
    sign = 1 if metric.higher_is_better else -1
    known: list[tuple[float, Form]] = [(sign * score, form) for form, score in scores.items() if score is not None]
    best: Form = max(known, key=itemgetter(0))[1] if known else forms[0]  # of equals the first: the model's own
    return PromptForm(form=best, metric=metric.name, items=len(examples), scores=scores)
