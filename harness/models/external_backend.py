"""The place of a model in trials whose strategy is a whole system elsewhere: nothing is fetched, loaded or asked."""

from __future__ import annotations

from pathlib import Path

from harness.api import Answer, Model, ModelInfo
from harness.endpoints.external_wire import EXTERNAL
from harness.errors import HarnessError
from harness.models.registry import Backend, ModelReference, Use


class ExternalBackend(Backend):
    """No name means such a model: a step says that it needs none (`harness.api.Step.answers_alone`)."""

    computes_here = False

    def identify(self, name: str, use: Use) -> None:
        """Know no name."""
        del name, use

    def open(self, reference: str, cache: Path) -> Model:
        """Return what stands for the model until the step has put the system in its place."""
        del cache
        return _StandIn(ModelInfo(name=reference))


class _StandIn:
    """Holds a model's place; it is never asked."""

    def __init__(self, info: ModelInfo) -> None:
        self.info = info

    def generate(self, *_: object, **__: object) -> list[Answer]:
        raise HarnessError("no model was loaded: the strategy answers by itself.")


def stand_in(name: str) -> ModelReference:
    """Return the reference of a trial that asks no model, under the name of the run's model.

    Args:
        name: of the model whose rows it stands among.
    """
    return ModelReference(name, EXTERNAL, EXTERNAL, frozenset({"generate"}), EXTERNAL)
