"""Every trial of a run with its key, or with the reason to skip it, decided before any model loads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.api import Capability, ProgressCallback, Provision
from harness.api.tasks import requirements_of
from harness.data.fresh import FreshItems, parse_split
from harness.data.prepare import PreparedTask, prepare
from harness.data.suite import Suite, load_suite
from harness.errors import HarnessError
from harness.metrics.metric import CHOICE_KINDS
from harness.metrics.statistical_power import ALPHA, detectable_difference, paired_sd
from harness.models import registry
from harness.models.external_backend import stand_in
from harness.models.registry import ModelReference
from harness.plan import chain, window
from harness.plan.chain import Link
from harness.plan.config import RunConfig
from harness.plan.discover import find_step
from harness.plan.few_tests import few_test_notes
from harness.plan.hyperparameters import space_of
from harness.plan.trial_keys import basis_of, check_options, key_fields, key_hash, request_options
from harness.records.planned_trial import DEFAULTS, PlannedTrial
from harness.records.record import Trial

BASELINE = "zero_shot"
"""The strategy that probes are asked with: what the model knew before anything was done to it."""

_PROVISIONS: dict[Provision, str] = {
    "train": "training items",
    "choices": "answer choices",
    "corpus": "a corpus",
    "preferences": "preference pairs",
    "reward": "a reward",
}
_CAPABILITIES: dict[Capability, str] = {
    "generate": "can generate",
    "score_choices": "can score choices",
    "train": "can be trained",
}


@dataclass(frozen=True)
class TaskPlan:
    """A task before it is run.

    Attributes:
        detectable_difference: smallest true difference of accuracy between two strategies that this test split shows,
            at the level adjusted for all pairs of the plan's strategies, with 80 % power (two-sided 5 %, correlation
            0.5, half of the answers right).
        warnings: leaks between the splits and the like.
    """

    name: str
    role: str
    sizes: dict[str, int]
    detectable_difference: float
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """All trials, in the order in which they are run; `prepared`: their tasks, read and split."""

    suite: str
    version: int
    tasks: tuple[TaskPlan, ...]
    trials: tuple[PlannedTrial, ...]
    prepared: Mapping[str, PreparedTask] = field(default_factory=dict[str, PreparedTask], repr=False)


def make_plan(config: RunConfig, progress: ProgressCallback | None = None) -> Plan:
    """Decide every trial of a run.

    Args:
        config: suite, strategies, models, seeds and limits.
        progress: called with (bytes there, bytes in all) while a pinned archive is downloaded.

    Raises:
        HarnessError: the suite, a task, a strategy or a model is unknown, or the data are wrong.
    """
    suite = load_suite(config.suite)
    suite = suite.strict if config.strict else suite
    fresh = parse_split(suite, config.split, config.tasks) if config.split else None
    names = [suite.task(name).name for name in config.tasks] or [task.name for task in suite.tasks]
    names = [fresh.task] if fresh else names
    chains = {name: _compared(suite, name, config.strategies) for name in names}
    models = [registry.identify(name) for name in config.models]
    limits = {name: size for name, size in config.limits.model_dump().items() if size is not None}
    file = fresh.file if fresh else None
    prepared = {name: prepare(suite, name, limits=limits, progress=progress, fresh=file) for name in names}
    builder = _TrialBuilder(suite, config, limits, dict(prepared), fresh)
    trials = [
        builder.trial(task, links, model, seed, size)
        for seed in config.seeds
        for model in models
        for task in prepared.values()
        for links in chains[task.info.name]
        if seed == config.seeds[0] or _is_random(links)
        if model is models[0] or not _answers_alone(links)
        for size in _train_sizes(config.train_sizes, task, links)
    ]
    tasks = tuple(
        _task_plan(
            task,
            [
                *([] if fresh or "test" in limits else few_test_notes(suite.task(task.info.name), task.info.sizes)),
                *(note for model in models for note in builder.long_items(task, model).notes),
            ],
            len(chains[task.info.name]) * len(models),
        )
        for task in prepared.values()
    )
    return Plan(suite.name, suite.version, tasks, tuple(trials), builder.prepared)


def _compared(suite: Suite, name: str, asked: Sequence[str]) -> list[tuple[Link, ...]]:
    """Return what is compared on a task: what was asked for, else what the suite names; on a probe the baseline."""
    if suite.task(name).role == "probe":
        return _chains([BASELINE])
    return _chains(asked) if asked else _chains(suite.strategies_of(name), f" (of {suite.file})")


def _chains(texts: Sequence[str], where: str = "") -> list[tuple[Link, ...]]:
    """Build each strategy once; single steps first, then chains, those that begin alike side by side."""
    chains: dict[str, tuple[Link, ...]] = {}
    for text in texts:
        try:
            links = chain.build(text, find_step)
        except HarnessError as error:
            raise HarnessError(f"{error}{where}") from None
        chains.setdefault(chain.canonical(links), links)
    firsts = list(dict.fromkeys(chain.canonical(links[:1]) for links in chains.values()))
    return sorted(
        chains.values(), key=lambda links: (len(links) > 1, firsts.index(chain.canonical(links[:1])), len(links))
    )


def _trains_on(task: str, links: Sequence[Link]) -> bool:
    """Tell whether weights are changed by a task's training items."""
    return any(
        link.step.changes_weights
        and not link.step.learns_corpus
        and (not link.tasks or task in link.tasks or "all" in link.tasks)
        for link in links
    )


def _train_sizes(sizes: Sequence[int], task: PreparedTask, links: Sequence[Link]) -> list[int | None]:
    """Return the numbers of training items to try, rising; None: all of them, or the chain learns from none."""
    available = len(task.task_data.train)
    if not sizes or not any(link.step.requirements().task & {"train", "preferences"} for link in links):
        return [None]
    smaller = sorted(size for size in sizes if size < available)
    return [*smaller, *([None] if any(size >= available for size in sizes) else [])]


def _answers_alone(links: Sequence[Link]) -> bool:
    return any(link.step.answers_alone for link in links)


def _is_random(links: Sequence[Link]) -> bool:
    return any(link.step.random for link in links)


@dataclass(frozen=True)
class _TrialBuilder:
    """Plans the trials of one suite."""

    suite: Suite
    config: RunConfig
    limits: dict[str, int]
    prepared: dict[str, PreparedTask]
    fresh: FreshItems | None = None
    identities: dict[str, str] = field(default_factory=dict[str, str])
    smaller: dict[tuple[str, int], str] = field(default_factory=dict[tuple[str, int], str])
    long: dict[tuple[str, str], window.LongItems] = field(default_factory=dict[tuple[str, str], window.LongItems])

    def long_items(self, task: PreparedTask, model: ModelReference) -> window.LongItems:
        """Find the items that are too long for a model, once."""
        key = task.info.name, model.reference
        if key not in self.long:
            self.long[key] = window.too_long(task, model, self.suite.config.max_bad_rows)
        return self.long[key]

    def identity(self, source: str) -> str:
        """Identify the weights of a model that a step brings, once: the same name may mean others tomorrow."""
        if source not in self.identities:
            self.identities[source] = registry.identify(source, "embedder").identity
        return self.identities[source]

    def trial(
        self, task: PreparedTask, links: tuple[Link, ...], model: ModelReference, seed: int, size: int | None
    ) -> PlannedTrial:
        """Plan one trial; a chain without randomness has seed 0, whichever seeds are asked for.

        Args:
            task: the target.
            links: the chain.
            model: to adapt; a system elsewhere stands among its rows and asks none.
            seed: of everything random.
            size: training items; None: all. The test items are the same, so all sizes share a basis.
        """
        model = stand_in(model.name) if _answers_alone(links) else model
        changes_weights = any(link.step.changes_weights for link in links)
        probes = [probe for probe in self.prepared.values() if probe.info.role == "probe"] if changes_weights else []
        probes = [probe for probe in probes if not _lacking(probe, model)]
        train_tasks = self.train_tasks(task, links)
        trains = _trains_on(task.info.name, links)
        seen_items = self.config.measurement.seen_items if trains else 0
        measurement = self.config.measurement.model_copy(update={"seen_items": seen_items})
        trial = Trial(
            suite=self.suite.name,
            task=task.info.name,
            strategy=chain.canonical(links),
            model=model.name,
            seed=seed if _is_random(links) else 0,
            steps=chain.resolved(links),
            basis=basis_of(task),
            train_items=size,
            budget=self.config.budget if space_of(links) else None,
            fresh=self.fresh.label if self.fresh else None,
            answers="written" if self._is_written(task) and not _answers_alone(links) else None,
        )
        sources = tuple(dict.fromkeys(source for link in links for source in link.step.sources()))
        weights = [model.identity, *map(self.identity, sources)]
        key_parts: list[Any] = [key_fields(trial), weights, [basis_of(other) for other in (*probes, *train_tasks)]]
        if trial.budget:
            key_parts.append({name: asdict(part) for name, part in space_of(links).items()})
        if trains and seen_items != DEFAULTS.seen_items:
            key_parts.append({"seen_items": seen_items})
        key_parts += check_options(task, measurement)
        key_parts += request_options(measurement)
        return PlannedTrial(
            trial=trial.model_copy(update={"key": key_hash(key_parts)}),
            suite_folder=str(self.suite.folder.resolve()),
            model_reference=model.reference,
            model_identity=model.identity,
            backend=model.backend,
            limits={**self.limits, **({} if size is None else {"train": size})},
            probes=tuple(probe.info.name for probe in probes),
            measurement=measurement,
            train_tasks=tuple(other.info.name for other in train_tasks),
            threads=self.config.threads,
            rows=self.config.rows,
            row_tokens=self.config.row_tokens,
            sources=sources,
            data_hashes=self._data_hashes((task, *probes, *train_tasks), size),
            fresh_file=str(self.fresh.file) if self.fresh else None,
            skip=next(self._reasons_to_skip([task, *train_tasks], links, model), None),
        )

    def _is_written(self, task: PreparedTask) -> bool:
        return self.config.answers == "written" and task.info.role == "target" and task.info.kind in CHOICE_KINDS

    def train_tasks(self, task: PreparedTask, links: Sequence[Link]) -> list[PreparedTask]:
        """Prepare the other tasks that the steps learn from, in the suite's order.

        Raises:
            HarnessError: a step names a task that the suite has not, or that is only a probe.
        """
        task_names = {name for link in links for name in link.tasks}
        targets = [target.name for target in self.suite.targets]
        for name in sorted(task_names - {"all", *targets}):
            self.suite.task(name)
            raise HarnessError(f"task {name!r} of {self.suite.file} is a probe: nothing may be trained on it.")
        names = [name for name in targets if name in task_names or "all" in task_names]
        for name in names:
            if name not in self.prepared:
                self.prepared[name] = prepare(self.suite, name, limits=self.limits)
        return [self.prepared[name] for name in names if name != task.info.name]

    def _data_hashes(self, tasks: Sequence[PreparedTask], size: int | None) -> dict[str, str]:
        """Return the hashes that the trial checks its data against; a smaller training split has another one."""
        return {task.info.name: self._data_hash(task, size) for task in tasks}

    def _data_hash(self, task: PreparedTask, size: int | None) -> str:
        name = task.info.name
        if size is None:
            return task.info.data_hash
        if (name, size) not in self.smaller:
            fresh = self.fresh.file if self.fresh and self.fresh.task == name else None
            smaller = prepare(self.suite, name, limits={**self.limits, "train": size}, fresh=fresh)
            self.smaller[name, size] = smaller.info.data_hash
        return self.smaller[name, size]

    def _reasons_to_skip(
        self, tasks: Sequence[PreparedTask], links: Sequence[Link], model: ModelReference
    ) -> Iterator[str]:
        """Yield what the task or the model lacks; the first of the tasks is the trial's own."""
        for capability in _lacking(tasks[0], model):
            name = "a system elsewhere" if _answers_alone(links) else repr(model.name)
            yield f"task {tasks[0].info.name!r} needs a model that {_CAPABILITIES[capability]}; {name} cannot"
        yield from _joined_to_systems(links)
        provided: frozenset[Provision] = frozenset()
        for index, link in enumerate(links):
            later = [following.step for following in links[index + 1 :]]
            learned_tasks = tasks if "all" in link.tasks else [task for task in tasks if task.info.name in link.tasks]
            for task in learned_tasks or tasks[:1]:
                for provision in sorted(link.step.requirements().task - task.task_data.provides - provided):
                    yield f"{link.name} needs {_PROVISIONS[provision]}; task {task.info.name!r} has none"
                if objection := link.step.objection(task.task_data, later):
                    yield f"{link.name}: {objection}"
                if link.step.requirements().whole_corpus and (problem := window.shortage(task, model)):
                    yield f"{link.name} {problem}"
            for capability in sorted(link.step.requirements().model - model.capabilities):
                yield f"{link.name} needs a model that {_CAPABILITIES[capability]}; {model.name!r} cannot"
            provided |= link.step.provides
        if self.config.budget and space_of(links) and not tasks[0].task_data.validation:
            yield f"a search of parameters needs validation items; task {tasks[0].info.name!r} has none"
        if skip := self.long_items(tasks[0], model).skip:
            yield skip


def _joined_to_systems(links: Sequence[Link]) -> Iterator[str]:
    """Yield why a chain cannot be taken that joins a step to a whole system."""
    systems = [link.name for link in links if link.step.answers_alone]
    if systems and len(links) > 1:
        yield f"{systems[0]} is a whole system: no other step can be joined to it"


def _lacking(task: PreparedTask, model: ModelReference) -> list[Capability]:
    """Return what a task's kind needs of a model and this one cannot do."""
    return sorted(requirements_of(task.task_data.task.kind) - model.capabilities)


def _task_plan(task: PreparedTask, notes: Sequence[str], rows: int) -> TaskPlan:
    pairs = max(1, rows * (rows - 1) // 2)
    smallest = detectable_difference(paired_sd(), len(task.test), alpha=ALPHA / pairs)
    return TaskPlan(task.info.name, task.info.role, task.info.sizes, smallest, (*task.info.warnings, *notes))
