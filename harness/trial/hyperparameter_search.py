"""Look for a strategy's parameters on the validation split, within a budget that is the same for every strategy.

The first candidate are the defaults; later ones come from a tree-structured Parzen estimator (Bergstra et al. 2011).
Nothing here sees the test split.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.api import Choice, Range, System, TaskData
from harness.data.prepare import PreparedTask
from harness.errors import HarnessError, memory_in_one_line
from harness.metrics import Items, get
from harness.plan import chain
from harness.plan.discover import find_step
from harness.plan.hyperparameters import Space, space_of, step_names
from harness.predict import answering, prediction_rows
from harness.predict.label_calibration import reread
from harness.records.loss_curves import runs
from harness.records.measurements import Span
from harness.records.planned_trial import PlannedTrial
from harness.records.record import Budget, Candidate, Search
from harness.trial.adaptation import adapt
from harness.trial.open_planned import open_planned
from harness.trial.recorder import Recorder

RANDOM = 4
"""Candidates that are drawn at random before the estimator has something to go by."""
REPEATS = 20
"""Proposals in a row that were tried before, after which the space is taken to be exhausted."""

Values = dict[str, Any]


def search(recorder: Recorder, planned: PlannedTrial, target: PreparedTask, material: Sequence[TaskData]) -> Search:
    """Try candidates until the budget is spent or there is nothing new to try.

    Args:
        recorder: every candidate becomes a span of phase ``search``: loading, adapting and asking the validation split.
        planned: the trial, with its budget.
        target: the task that it is about; its test items only keep rows like them out of what a step writes.
        material: of this task first, then of the others that a step learns from.

    Raises:
        HarnessError: no candidate could be finished; the message is the first one's.
    """
    budget, steps, info = planned.trial.budget, planned.trial.steps, target.info
    assert budget is not None  # noqa: S101 - the caller has looked
    links = chain.restore(steps, find_step)
    space = space_of(links)
    upwards = get(info.metrics[0]).higher_is_better is not False
    proposer = _Proposer(space, _values(steps, space), lambda values: _fits(steps, values), recorder.seed, upwards)
    tried: list[Candidate] = []
    with TemporaryDirectory(prefix="harness-search-") as scratch:
        rehearsal = _Rehearsal(recorder, planned, target, material, Path(scratch))
        while not _spent(budget, tried) and (values := proposer.propose()) is not None:
            of = f" of {budget.amount}" if budget.unit == "trials" else ""
            candidate = rehearsal.run(values, f"candidate {len(tried) + 1}{of}")
            proposer.tell(candidate.score)
            tried.append(candidate)
    chosen = best(tried, proposer.up)
    return Search(
        metric=info.metrics[0],
        items=len(material[0].validation),
        candidates=tuple(tried),
        chosen=chosen,
        steps=_with(steps, tried[chosen].parameters),
    )


def best(tried: Sequence[Candidate], up: int) -> int:
    """Give the place of the best score; of equal ones, of the lowest validation loss, and then of the first.

    Raises:
        HarnessError: none has a score.
    """

    def rank(index: int) -> tuple[float, float]:
        score, loss = tried[index].score, tried[index].validation_loss
        return (-math.inf if score is None else up * score, -math.inf if loss is None else -loss)

    chosen = max(range(len(tried)), key=rank)  # of equals, max gives the first
    if tried[chosen].score is None:
        raise HarnessError(f"no candidate of the search could be finished; the defaults: {tried[0].reason}")
    return chosen


@dataclass(frozen=True)
class _Rehearsal:
    """Tries candidates, each on a model of its own."""

    recorder: Recorder
    planned: PlannedTrial
    target: PreparedTask
    material: Sequence[TaskData]
    scratch: Path

    def run(self, values: Values, name: str) -> Candidate:
        """Adapt with some parameters and ask the validation split; a failure is a result too."""
        within = replace(self.recorder, cache=self.scratch, within=name, charged=[], curves=[], trainings=[])
        score, reason = None, None
        within.emit({"phase": "search", "step": name})
        with self.recorder.meter.span("search"):
            try:
                with memory_in_one_line():  # others may need less
                    score = self._score(within, values)
            except HarnessError as error:
                reason = str(error)
        span: Span = self.recorder.meter.spans[-1]
        last = runs(within.curves)[-1:]
        losses = [point["validation_loss"] for run in last for point in run if "validation_loss" in point]
        return Candidate(
            parameters=values,
            score=score,
            validation_loss=min(losses, default=None),
            wall_s=span.wall_s,
            tokens=(span.tokens_in or 0) + (span.tokens_out or 0),
            reason=reason,
        )

    def _score(self, within: Recorder, values: Values) -> float:
        task = self.material[0]
        model = open_planned(self.planned, self.recorder.cache)
        steps = _with(self.planned.trial.steps, values)
        system = adapt(within, System(model, task.task), steps, self.material, self.target.test)
        queries = [example.query for example in task.validation]
        predictions = answering.predict(system, queries, within.reporter("predict"))
        within.meter.count_tokens(**prediction_rows.count_tokens(predictions))
        answers = reread(predictions, task.train, system.task, task.validation)
        rows = prediction_rows.build_rows(system.task, task.validation, answers, "target")
        info = self.target.info
        value = get(self.target.info.metrics[0]).value(Items.from_rows(rows, self.target.info.labels))
        if value is None or not math.isfinite(value):
            raise HarnessError(f"{info.metrics[0]} is not defined on the validation split of {task.task.name}.")
        return value


class _Proposer:
    """Proposes parameters that go together, the defaults first, and nothing twice."""

    def __init__(
        self, space: Space, defaults: Values, fits: Callable[[Values], bool], seed: int, upwards: bool
    ) -> None:
        import optuna  # noqa: PLC0415 - most trials have no search

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=RANDOM)
        self.up = 1 if upwards else -1
        self._study = optuna.create_study(direction="maximize" if upwards else "minimize", sampler=sampler)
        self._study.enqueue_trial(defaults)
        self._space, self._fits, self._failed = space, fits, optuna.trial.TrialState.FAIL
        self._seen: list[tuple[Values, float | None]] = []
        self._asked: Any = None

    def propose(self) -> Values | None:
        """Give parameters that were not tried yet; None where there seem to be none left."""
        for _ in range(REPEATS):
            self._asked = self._study.ask()
            values = {name: _suggest(self._asked, name, part) for name, part in self._space.items()}
            before = next((entry for entry in self._seen if entry[0] == values), None)
            if before is None and not self._fits(values):
                self._study.tell(self._asked, state=self._failed)
                continue
            if before is None:
                self._seen.append((values, None))
                return values
            self.tell(before[1], again=True)
        return None

    def tell(self, score: float | None, *, again: bool = False) -> None:
        """Say what the last proposal scored; None: it failed."""
        if not again:
            self._seen[-1] = (self._seen[-1][0], score)
        if score is None:
            self._study.tell(self._asked, state=self._failed)
        else:
            self._study.tell(self._asked, score)


def _fits(steps: Sequence[Mapping[str, Any]], values: Values) -> bool:
    """Tell whether a chain takes these parameters together."""
    try:
        chain.restore(_with(steps, values), find_step)
    except HarnessError:
        return False
    return True


def _suggest(trial: Any, name: str, part: Range | Choice) -> Any:
    if isinstance(part, Choice):
        return trial.suggest_categorical(name, list(part.values))
    integral = isinstance(part.low, int) and isinstance(part.high, int)
    return (trial.suggest_int if integral else trial.suggest_float)(name, part.low, part.high, log=part.log)


def _spent(budget: Budget, tried: Sequence[Candidate]) -> bool:
    """Tell whether nothing more may be begun; the defaults always may."""
    used = {
        "trials": len(tried),
        "tokens": sum(candidate.tokens for candidate in tried),
        "seconds": sum(candidate.wall_s for candidate in tried),
    }
    return bool(tried) and used[budget.unit] >= budget.amount


def _values(steps: Sequence[Mapping[str, Any]], space: Space) -> Values:
    """Read the parameters of a space off a resolved chain."""
    by_name = dict(zip(step_names([str(step["step"]) for step in steps]), steps, strict=True))
    return {name: by_name[name.rpartition(".")[0]][name.rpartition(".")[2]] for name in space}


def _with(steps: Sequence[Mapping[str, Any]], values: Values) -> tuple[dict[str, Any], ...]:
    """Put parameters into a resolved chain."""
    chains: list[dict[str, Any]] = []
    for name, step in zip(step_names([str(step["step"]) for step in steps]), steps, strict=True):
        step_values = {key.rpartition(".")[2]: value for key, value in values.items() if key.rpartition(".")[0] == name}
        chains.append({**step, **step_values})
    return tuple(chains)
