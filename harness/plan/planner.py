"""What a run will do, decided before any model loads: every trial with its key, or with the reason to skip it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.api import Capability, ProgressCallback, Provision
from harness.data.fresh import FreshItems, choose
from harness.data.prepare import PreparedTask, prepare
from harness.data.suite import Suite, load_suite
from harness.errors import HarnessError
from harness.metrics.statistical_power import detectable_difference, paired_sd
from harness.plan import chain
from harness.plan.chain import Link
from harness.plan.config import CHECK_ITEMS, SEEN_ITEMS, RunConfig
from harness.plan.discover import find_step
from harness.plan.hyperparameters import space_of
from harness.plan.model_identity import ModelReference, identify
from harness.records.planned_trial import PlannedTrial
from harness.records.record import Budget, Trial

PROTOCOL_VERSION = 1
"""Raised whenever prompts, answer parsing or scoring change: results of two versions do not stand in one table."""

BASELINE = "zero_shot"
"""The strategy that a probe is asked with: what the model knew before anything was done to it."""

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
    """What is known of a task before it is run.

    Attributes:
        detectable_difference: smallest true difference of accuracy between two strategies that this test split shows
            with 80 % power (two-sided 5 %, correlation 0.5, half of the answers right).
        warnings: leaks between the splits and the like.
    """

    name: str
    role: str
    sizes: dict[str, int]
    detectable_difference: float
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """All trials, in the order in which they are run; `prepared`: the tasks that they are of, read and split."""

    suite: str
    version: int
    tasks: tuple[TaskPlan, ...]
    trials: tuple[PlannedTrial, ...]
    prepared: Mapping[str, PreparedTask] = field(default_factory=dict[str, PreparedTask], repr=False)


def make_plan(config: RunConfig, progress: ProgressCallback | None = None) -> Plan:
    """Decide every trial of a run.

    Args:
        config: what was asked for.
        report: told (bytes there, bytes in all) while a pinned archive is downloaded.

    Raises:
        HarnessError: the suite, a task, a strategy or a model is unknown, or the data are wrong.
    """
    suite = load_suite(config.suite)
    fresh = choose(suite, config.split, config.tasks) if config.split else None
    names = [suite.task(name).name for name in config.tasks] or [task.name for task in suite.tasks]
    names = [fresh.task] if fresh else names
    chains = _chains(config.strategies or suite.strategies, f" (of {suite.file})" if not config.strategies else "")
    models = [identify(name) for name in config.models]
    limits = {name: size for name, size in config.limits.model_dump().items() if size is not None}
    file = fresh.file if fresh else None
    prepared = {name: prepare(suite, name, limits=limits, progress=progress, fresh=file) for name in names}
    maker = _Maker(suite, config, limits, dict(prepared), fresh)
    trials = [
        maker.trial(task, links, model, seed, size)
        for seed in config.seeds
        for model in models
        for task in prepared.values()
        for links in (chains if task.info.role == "target" else _chains([BASELINE]))
        if seed == config.seeds[0] or _is_random(links)
        for size in _sizes(config.train_sizes, task, links)
    ]
    tasks = tuple(_task_plan(task) for task in prepared.values())
    return Plan(suite.name, suite.version, tasks, tuple(trials), maker.prepared)


def _chains(texts: Sequence[str], where: str = "") -> list[tuple[Link, ...]]:
    """Build each strategy once; single steps first, then chains, those that begin alike side by side."""
    built: dict[str, tuple[Link, ...]] = {}
    for text in texts:
        try:
            links = chain.build(text, find_step)
        except HarnessError as error:
            raise HarnessError(f"{error}{where}") from None
        built.setdefault(chain.canonical(links), links)
    firsts = list(dict.fromkeys(chain.canonical(links[:1]) for links in built.values()))
    return sorted(
        built.values(), key=lambda links: (len(links) > 1, firsts.index(chain.canonical(links[:1])), len(links))
    )


def _tunes_on(task: str, links: Sequence[Link]) -> bool:
    """Tell whether weights are changed by a task's training items."""
    return any(
        link.step.changes_weights and (not link.tasks or task in link.tasks or "all" in link.tasks) for link in links
    )


def _sizes(asked: Sequence[int], task: PreparedTask, links: Sequence[Link]) -> list[int | None]:
    """Give the numbers of training items to try, rising; None: all of them, or nothing is learned from them."""
    there = len(task.task_data.train)
    if not asked or not any(link.step.requirements().task & {"train", "preferences"} for link in links):
        return [None]
    return [*sorted(size for size in asked if size < there), *([None] if any(size >= there for size in asked) else [])]


def _is_random(links: Sequence[Link]) -> bool:
    return any(link.step.random for link in links)


@dataclass(frozen=True)
class _Maker:
    """Makes trials of one suite."""

    suite: Suite
    config: RunConfig
    limits: dict[str, int]
    prepared: dict[str, PreparedTask]
    fresh: FreshItems | None = None
    identities: dict[str, str] = field(default_factory=dict[str, str])

    def identity(self, source: str) -> str:
        """Identify the weights of a model that a step brings, once: the same name may mean others tomorrow."""
        if source not in self.identities:
            self.identities[source] = identify(source, "embedder").identity
        return self.identities[source]

    def trial(
        self, task: PreparedTask, links: tuple[Link, ...], model: ModelReference, seed: int, size: int | None
    ) -> PlannedTrial:
        """Plan one trial; a chain without randomness has seed 0, whichever seeds are asked for.

        Args:
            task: asked.
            links: the chain.
            model: adapted.
            seed: of everything random.
            size: training items; None: all. The test items are the same, so all sizes share a basis.
        """
        changes = any(link.step.changes_weights for link in links)
        probes = [one for one in self.prepared.values() if one.info.role == "probe"] if changes else []
        learned = self.learned(task, links)
        seen = self.config.seen_items if _tunes_on(task.info.name, links) else 0
        trial = Trial(
            suite=self.suite.name,
            task=task.info.name,
            strategy=chain.canonical(links),
            model=model.name,
            seed=seed if _is_random(links) else 0,
            steps=chain.resolved(links),
            basis=_basis(task),
            train_items=size,
            budget=self.config.budget if space_of(links) else None,
            fresh=self.fresh.label if self.fresh else None,
        )
        sources = tuple(dict.fromkeys(source for link in links for source in link.step.sources()))
        weights = [model.identity, *map(self.identity, sources)]
        decides = [_told(trial), weights, [_basis(one) for one in (*probes, *learned)]]
        if trial.budget:
            decides.append({name: asdict(part) for name, part in space_of(links).items()})
        if _tunes_on(task.info.name, links) and seen != SEEN_ITEMS:
            decides.append({"seen_items": seen})
        decides += _controls(task, self.config.check_items)
        decides += _requests(self.config)
        return PlannedTrial(
            trial=trial.model_copy(update={"key": _sha256(decides)}),
            suite=str(self.suite.folder.resolve()),
            model=model.reference,
            limits={**self.limits, **({} if size is None else {"train": size})},
            probes=tuple(probe.info.name for probe in probes),
            seen_items=seen,
            learned=tuple(one.info.name for one in learned),
            threads=self.config.threads,
            requests=self.config.requests,
            arrival_rate=self.config.arrival_rate,
            latency_target_s=self.config.latency_target_s,
            energy=self.config.energy,
            check_items=self.config.check_items,
            sources=sources,
            fresh=str(self.fresh.file) if self.fresh else None,
            skip=_reason_to_skip([task, *learned], links, model, trial.budget),
        )

    def learned(self, task: PreparedTask, links: Sequence[Link]) -> list[PreparedTask]:
        """Prepare the other tasks that the steps learn from, in the suite's order.

        Raises:
            HarnessError: a step names a task that the suite has not, or that is only a probe.
        """
        named = {name for link in links for name in link.tasks}
        targets = [one.name for one in self.suite.targets]
        for name in sorted(named - {"all", *targets}):
            self.suite.task(name)
            raise HarnessError(f"task {name!r} of {self.suite.file} is a probe: nothing may be trained on it.")
        wanted = [name for name in targets if name in named or "all" in named]
        for name in wanted:
            if name not in self.prepared:
                self.prepared[name] = prepare(self.suite, name, limits=self.limits)
        return [self.prepared[name] for name in wanted if name != task.info.name]


def _told(trial: Trial) -> dict[str, Any]:
    """Give what a trial says of itself; what it leaves at None is left out, so that keys from before stay the same."""
    later = {name for name in ("train_items", "budget", "fresh") if getattr(trial, name) is None}
    return trial.model_dump(mode="json", exclude=later)


def _controls(task: PreparedTask, items: int) -> list[dict[str, Any]]:
    """Give what decides the self-tests of a trial, where it is not as it always was.

    Paraphrases are part of the key, so that other wordings are asked and never taken for those of before; they are no
    part of the basis, because no score depends on them: records with and without them stand in one table.
    """
    told: list[dict[str, Any]] = [{"check_items": items}] if items != CHECK_ITEMS else []
    return told + ([{"paraphrases": task.paraphrases}] if task.paraphrases and items else [])


def _requests(config: RunConfig) -> list[dict[str, Any]]:
    """Give what decides how requests are asked, where it is not as usual."""
    options = {name: getattr(config, name) for name in ("requests", "arrival_rate", "latency_target_s")}
    told = {name: value for name, value in options.items() if value != RunConfig.model_fields[name].default}
    return [told] if told else []


def _basis(task: PreparedTask) -> str:
    """Hash what trials must share to stand in one table: data after limits, wording, metrics, protocol."""
    return _sha256([PROTOCOL_VERSION, task.info.data_hash, asdict(task.task_data.task), task.info.metrics])


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _reason_to_skip(
    tasks: Sequence[PreparedTask], links: Sequence[Link], model: ModelReference, budget: Budget | None
) -> str | None:
    """Say what a step lacks; the first of the tasks is the trial's own."""
    for link in links:
        learned = [one for one in tasks if one.info.name in link.tasks] if "all" not in link.tasks else tasks
        for task in learned or tasks[:1]:
            for provision in sorted(link.step.requirements().task - task.task_data.provides):
                return f"{link.name} needs {_PROVISIONS[provision]}; task {task.info.name!r} has none"
        for capability in sorted(link.step.requirements().model - model.can):
            return f"{link.name} needs a model that {_CAPABILITIES[capability]}; {model.name!r} cannot"
    if budget and not tasks[0].task_data.validation:
        return f"a search of parameters needs validation items; task {tasks[0].info.name!r} has none"
    return None


def _task_plan(task: PreparedTask) -> TaskPlan:
    smallest = detectable_difference(paired_sd(), len(task.test))
    return TaskPlan(task.info.name, task.info.role, task.info.sizes, smallest, task.info.warnings)
