"""A step: one way of customising a system, and what it is given to work with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from harness.api.architecture import Architecture, Footprint
from harness.api.search_space import Choice, Range
from harness.api.systems import HoldsWeights, Model, ProgressCallback, System
from harness.api.tasks import Capability, Provision, TaskData
from harness.api.training_run import TrainingRun
from harness.errors import HarnessError


@dataclass(frozen=True)
class Needs:
    """What a step asks of a task and of a model; `plan` checks it before anything loads.

    Attributes:
        whole_corpus: the model's window must hold every passage of the corpus at once, with a question and its answer.
    """

    task: frozenset[Provision] = frozenset()
    model: frozenset[Capability] = frozenset()
    whole_corpus: bool = False


def _nothing(*_: Any) -> None:
    """Do nothing: a context's calls lead nowhere unless somebody listens."""


def _unavailable(name: str) -> Model:
    raise HarnessError(f"no model can be opened here, {name!r} neither: pass Context(open_model=...).")


@dataclass(frozen=True)
class Context:
    """What a step is given besides its system and task.

    Attributes:
        seed: for everything that is random.
        progress: tells how far the phase is: (done, total).
        count_tokens: adds to the tokens that the phase has read: real ones, padding excluded.
        log: keeps a point of a training curve, e.g. ``{"step": 3, "loss": 0.7}``.
        record_memory: told what training holds at once: (bytes of all gradients, bytes of the optimizer's state).
        record_training: told how a training loop ended.
        locate: finds the folder of a model by pinned name, folder or hub id, fetching it if it has to be.
        open_model: opens another model to ask it something, such as a teacher; it is in `Step.sources`.
        count_rows: keeps what became of rows that the step wrote, numbers by name: ``{"written": 30, "kept": 21}``.
    """

    seed: int = 0
    progress: ProgressCallback = _nothing
    count_tokens: Callable[[int], None] = _nothing
    log: Callable[[Mapping[str, float]], None] = _nothing
    record_memory: Callable[[int, int], None] = _nothing
    record_training: Callable[[TrainingRun], None] = _nothing
    locate: Callable[[str], Path] = Path
    open_model: Callable[[str], Model] = _unavailable
    count_rows: Callable[[Mapping[str, int]], None] = _nothing


@dataclass(frozen=True)
class CorpusFigures:
    """How well a model knows a corpus, on a sample of passages that is the same for every seed.

    Attributes:
        bits_per_byte: negative log2-likelihood of the sample over its UTF-8 bytes: lower is better.
        cloze_recall: share of the sample's cloze items whose last words greedy decoding writes exactly, 0 to 1; None
            where no sentence is long enough for one.
        cloze_items: number of these items.
        passages: that are learned, of the whole corpus.
        restricted_passages: left out, because not everybody may read them.
        paraphrases: learned with the passages; they are not in the sample.
    """

    bits_per_byte: float
    cloze_recall: float | None
    cloze_items: int
    passages: int
    restricted_passages: int = 0
    paraphrases: int = 0


class Step(BaseModel):
    """One way of customising. Parameters are fields; `adapt` is the method.

    Class attributes:
        needs: what must be there, else the trial is skipped with a reason.
        phase: the span that `adapt` is measured under.
        changes_weights: whether the model after the step differs from the one before; probes are asked again then.
        keeps: whether what the step made is worth keeping for other chains that begin alike, by `save` and `load`.
        learns_corpus: whether it learns the corpus, not training items; `measure_corpus` is asked before and after.
        provides: what a task need not have because the step makes it for the later ones, as training items.
        random: whether the seed can change the result; a chain without a random step is run with one seed only.
        space: what a search may try for which parameters; those that the user gave another value than their default
            are not searched.
        paper: where the method comes from.
        asks_model: whether the model answers; else the step gives answers of its own, and none is asked.
        answers_alone: whether it is a whole system, of which no model and no other step is a part: no model is loaded.
        retired: parameters of earlier versions that stored records have, and what became of each, for the error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    needs: ClassVar[Needs] = Needs()
    phase: ClassVar[Literal["adapt", "index"]] = "adapt"
    changes_weights: ClassVar[bool] = False
    keeps_artifact: ClassVar[bool] = False
    learns_corpus: ClassVar[bool] = False
    provides: ClassVar[frozenset[Provision]] = frozenset()
    random: ClassVar[bool] = False
    space: ClassVar[Mapping[str, Range | Choice]] = {}
    paper: ClassVar[str] = ""
    asks_model: ClassVar[bool] = True
    answers_alone: ClassVar[bool] = False
    retired: ClassVar[Mapping[str, str]] = {}

    def sources(self) -> tuple[str, ...]:
        """Name the models that the step finds by `Context.locate` or opens by `Context.open_model`.

        They are fetched before the first trial.
        """
        return ()

    def requirements(self) -> Needs:
        """Return what must be there with the parameters as they are; `needs` unless a parameter decides."""
        return self.needs

    def objection(self, task: TaskData, later: Sequence[Step]) -> str | None:
        """Say why the step cannot be taken on a task before these later steps; None: it can.

        `plan` asks, and skips the trial with the reason.
        """
        del task, later

    def measure_corpus(self, system: System, task: TaskData, context: Context) -> CorpusFigures:
        """Measure how well the system's model knows the corpus; only asked of a step that learns it."""
        raise NotImplementedError

    def footprint(self, shape: Architecture) -> Footprint:
        """Say what the step trains, adds and asks for, so that memory and time can be forecast; by default nothing."""
        del shape
        return Footprint()

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Return the customised system. Weights are changed in place: a trial is a process of its own.

        A step that writes or selects training items returns ``system.replace(material=replace(task, train=...))``:
        later steps get that as their `task`. Rows that a model wrote bear its name (`Example.teacher`).
        """
        raise NotImplementedError

    def depends_on(self, chain_key: str, task: TaskData) -> str:
        """Name everything that decides what the step makes, besides its name and the models in `sources`.

        Args:
            chain_key: names the model, the task's data, the seed, and all steps so far with their parameters, this
                one included.
            task: the training material.
        """
        del task  # it is in `chain_key`
        return chain_key

    def save(self, system: System, folder: Path) -> None:
        """Write what `adapt` made into an empty folder."""
        _with_weights(system.model).save_adapted(folder)

    def load(self, system: System, task: TaskData, context: Context, folder: Path) -> System:
        """Return the system that `adapt` made, from what `save` wrote."""
        del task, context  # what an index needs, weights do not
        model = _with_weights(system.model).load_adapted(folder)
        return system.replace(model=model)


def _with_weights(model: Model) -> HoldsWeights:
    if not isinstance(model, HoldsWeights):
        raise HarnessError(f"{model.info.name!r} has no weights here that a step could have changed.")
    return model
