"""Settings of the supervised loop are declared once: they are the parameters of every step that tunes."""

import pytest
from pydantic import ValidationError

from harness.api import Context, System, Task, TaskData
from harness.plan.discover import find_step
from harness.training import supervised
from harness.training.settings import SupervisedSettings
from harness.training.tuned_step import TunedStep

ORDER = (
    "learning_rate",
    "epochs",
    "min_steps",
    "patience",
    "evaluate_every",
    "warmup",
    "batch_size",
    "weight_decay",
    "max_norm",
    "best_by",
    "checkpointing",
    "row_tokens",
    "watch_items",
)
"""Part of trial keys and of `harness strategies`."""
PARAMETERS = {
    "learning_rate": 0.01,
    "epochs": 3,
    "batch_size": 5,
    "weight_decay": 0.2,
    "min_steps": 5,
    "warmup": 0.3,
    "max_norm": 0.5,
    "patience": 4,
    "evaluate_every": 7,
    "best_by": "metric",
    "checkpointing": True,
    "row_tokens": 99,
    "watch_items": 2,
}
"""None of them a default."""
OWN_PARAMETERS = {
    "full": (),
    "frozen": ("layers",),
    "lora": ("rank", "alpha", "dropout", "targets", "variant"),
    "qlora": ("rank", "alpha", "dropout", "targets"),
    "adapter": ("width", "activation", "after"),
    "prompt_tuning": ("tokens", "text"),
    "ia3": (),
    "peft": ("method", "options"),
}


def test_a_step_that_tunes_declares_none_of_the_settings_again():
    assert tuple(SupervisedSettings.model_fields) == tuple(TunedStep.model_fields) == ORDER
    assert not set(ORDER) & set(vars(TunedStep).get("__annotations__", {}))


@pytest.mark.parametrize("name", OWN_PARAMETERS)
def test_parameters_keep_their_order_with_those_of_the_method_last(name):
    assert tuple(find_step(name).model_fields) == ORDER + OWN_PARAMETERS[name]


@pytest.mark.parametrize("name", OWN_PARAMETERS)
def test_every_parameter_reaches_the_loop(name, monkeypatch):
    fits = []
    step_class = find_step(name)
    monkeypatch.setattr(step_class, "attach", lambda self, model: model)
    monkeypatch.setattr(supervised, "fit", lambda model, system, task, settings, context: fits.append(settings))
    task = Task("t", "qa")
    step_class(**PARAMETERS).adapt(System(None, task), TaskData(task), Context())
    (settings,) = fits
    assert {field: getattr(settings, field) for field in ORDER} == PARAMETERS


@pytest.mark.parametrize("mistake", [{"epochs": 0}, {"warmup": 1.0}, {"min_steps": -1}, {"packs": True}])
def test_settings_outside_their_range_are_refused(mistake):
    with pytest.raises(ValidationError):
        SupervisedSettings(learning_rate=1e-3, **mistake)
