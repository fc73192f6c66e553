"""The forecast of one trial: what each phase computes, how long that takes, and how much is held at most."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from harness.api.architecture import Architecture, Footprint
from harness.data.prepare import PreparedTask
from harness.forecast import kernels, memory, workload
from harness.forecast.calibration import Calibration
from harness.forecast.embedder import Embedder, find
from harness.forecast.phases import Phases
from harness.forecast.seconds import Rates
from harness.forecast.token_lengths import TokenLengths
from harness.forecast.workload import PromptShape, Workload
from harness.plan import chain
from harness.plan.chain import Link
from harness.plan.discover import find_step
from harness.records.measurements import Forecast
from harness.records.planned_trial import PlannedTrial
from harness.trial.arrivals import expected

_WORDING_TOKENS, _GENERATED, _OTHER_PASSAGES = 5_000, 5, 3
"""As in `harness.trial.ablations`: what paraphrases may cost and a written token does, and ways to choose passages."""
_OF_THE_TASK = {"learned", "learned_sd", "answer", "passage", "passage_sd", "passage_longest"}
"""What exemplars and passages have, wherever they stand."""


@dataclass(frozen=True)
class Forecaster:
    """Forecasts trials of one model on this machine.

    Attributes:
        machine: its calibration with this model.
        counted: gives the lengths of a task's texts.
        located: gives the folder of a model that a step brings; None where it is not here yet.
        retrieves: whether any trial of the run does: the libraries for it are loaded for all.
    """

    shape: Architecture
    machine: Calibration
    counted: Callable[[PreparedTask], TokenLengths]
    located: Callable[[str], Path | None]
    retrieves: bool = False

    def forecast(self, planned: PlannedTrial, prepared: Mapping[str, PreparedTask]) -> Forecast:
        """Predict one trial.

        Args:
            planned: with its steps, its probes and how many items are asked again.
            prepared: the tasks of the suite by name, as this trial takes them.
        """
        links = chain.restore(planned.trial.steps, find_step)
        return _Trial(self, planned, prepared, links, Rates(self.machine, self.shape)).forecast()


@dataclass(frozen=True)
class _Trial:
    by: Forecaster
    planned: PlannedTrial
    prepared: Mapping[str, PreparedTask]
    links: Sequence[Link]
    rates: Rates

    def forecast(self) -> Forecast:
        task = self.prepared[self.planned.trial.task]
        found, done = Phases(code_bytes=self.by.machine.code_bytes), list[Footprint]()
        found.add("load", self.rates.loading())
        found.host_bytes = self._base + self.by.shape.parameters * self.by.shape.dtype_bytes
        found.others_bytes = sum(one.size_bytes for link in self.links for one in self._embedders(link))
        for link in self.links:
            footprint = link.step.footprint(self.by.shape)
            self._adapt(found, task, link, footprint, done)
            done.append(footprint)
        end = self._end(done)
        system = self._asked(task, done)
        self._ask(found, "predict", system, len(task.test), end)
        for name in self.planned.probes:
            probe = self.prepared[name]
            self._ask(found, "probe", self._asked(probe, [_of_weights(one) for one in done]), len(probe.test), end)
        for planted in task.canaries:
            self._ask(found, "probe", self._planted(planted, task, done), len(planted.test), end)
        if self.planned.measurement.seen_items:
            again = min(self.planned.measurement.seen_items, len(task.test), self._train_items(task))
            self._ask(found, "seen", system, again, end)
        if self.planned.measurement.requests:
            one = workload.alone(system)
            asked, seconds = expected(self.planned, self.rates.answering(one))
            seconds += self._generated(found, end, workload.lengths_alone(system, asked))
            found.add("serve", seconds, asked * one.sent, asked * one.written)
        self._check(found, task, system, done)
        self._search(found, task, system)
        seconds = {name: round(value, 3) for name, value in found.seconds.items()}
        return Forecast(
            phases_s=seconds,
            host_peak_bytes=round(found.host_bytes),
            tokens_in=round(found.sent),
            tokens_out=round(found.written),
        )

    @property
    def _base(self) -> float:
        machine = self.by.machine
        retrieves = machine.retrieval_bytes if self.by.retrieves else 0.0
        return machine.base_bytes + machine.first_use_bytes + retrieves

    def _adapt(
        self, found: Phases, task: PreparedTask, link: Link, footprint: Footprint, done: Sequence[Footprint]
    ) -> None:
        """Add what one step takes."""
        if footprint.indexed:
            self._index(found, task, link, self._base + self._memory_of(self._end(done)).total)
        if footprint.asked and (task.task_data.task.choices or not footprint.labels_only):
            system = self._asked(task, [*done, replace(footprint, asked=0)])
            self._ask(found, link.step.phase, system, footprint.asked, self._end(done))
        if footprint.epochs:
            for one in self._learned(task, link):
                self._train(found, one, footprint, done if one is task else ())

    def _index(self, found: Phases, task: PreparedTask, link: Link, held_bytes: float) -> None:
        """Add what embedding the corpus takes, besides what is held."""
        found.reach(held_bytes)
        for one in self._embedders(link):
            lengths, passages = one.lengths(task), len(task.task_data.corpus)
            tokens, products = passages * fmean(lengths or [0]), one.products(passages)
            found.products += products
            seconds = self.rates.embedding(tokens, one.block_parameters) + self.rates.code(products)
            found.add("index", seconds + self.rates.machine.open_s, tokens)
            found.reach(held_bytes + one.held_bytes(lengths))

    def _embedded(self, texts: int) -> int:
        """Count the products of different sizes of embedding so many questions."""
        return sum(one.products(texts) for link in self.links for one in self._embedders(link))

    def _embedders(self, link: Link) -> list[Embedder]:
        """Find the models that a step brings, those that are here."""
        found = (find(self.by.located(source)) for source in link.step.sources())
        return [one for one in found if one]

    def _generated(self, found: Phases, footprint: Footprint, lengths: float, *, learning: bool = False) -> float:
        """Give the seconds in which code is made for passes of so many lengths."""
        products = lengths * kernels.products(self.by.shape, footprint, learning=learning)
        found.products += products
        return self.rates.code(products)

    def _train(self, found: Phases, task: PreparedTask, footprint: Footprint, done: Sequence[Footprint]) -> None:
        length, items = self.by.counted(task), self._train_items(task)
        if footprint.learns == "samples":
            items = footprint.sampled
        system = self._asked(task, [*done, _prompts_of(footprint)])
        more = system.own - length.asked
        longest = length.learned_longest + system.longest - length.asked_longest
        spread = math.sqrt(max(0.0, system.own_sd**2 - length.asked_sd**2 + length.learned_sd**2))
        taught = replace(system, own=length.learned + more, longest=longest, own_sd=spread)
        one = workload.learning(taught, length.answer, items, footprint, taught.longest)
        seconds = footprint.epochs * (self.rates.learning(one, footprint) + self.rates.updates(footprint, items))
        seconds += self.rates.quantising(footprint)
        held_out = len(task.task_data.validation)
        share = held_out / items if items else 0.0
        checked = replace(one, tokens=one.tokens * share, predictions=one.predictions * share)
        seconds += footprint.epochs * self.rates.reading(checked)
        if footprint.learns == "pairs":
            seconds += self.rates.reading(one)
        if footprint.learns == "samples":
            sampling = workload.thinking(
                replace(system, thought=footprint.sampled_tokens, samples=1), footprint.sampled
            )
            seconds += self.rates.answering(sampling)
        watched = workload.asking(system, 2 * min(footprint.watched, held_out))
        seconds += footprint.epochs * self.rates.answering(watched)
        seconds += self._generated(found, footprint, one.lengths * share / footprint.epochs + watched.lengths)
        unseen = max(0.0, one.lengths - found.learned)
        found.learned += unseen
        seconds += self._generated(found, footprint, unseen, learning=True)
        found.add("adapt", seconds, footprint.epochs * one.sent)
        slack = memory.training_slack(self.by.shape, one.largest.tokens, self.by.machine.slack)
        held = memory.training(self.by.shape, footprint, one.largest, slack=slack)
        found.reach(self._base + held.total)

    def _ask(self, found: Phases, phase: str, system: PromptShape, items: int, end: Footprint) -> None:
        """Add what answering questions takes."""
        thought, answered = workload.thinking(system, items), workload.asking(system, items * system.samples)
        seconds = self.rates.answering(thought) + self.rates.answering(answered)
        seconds += self._small_parts(thought, end) + self._small_parts(answered, end)
        more = max(0.0, max(thought.ending, answered.ending) - found.ending)
        found.ending += more
        seconds += self._generated(found, end, thought.lengths + answered.lengths + more)
        if phase != "probe":  # what is asked there needs no passages and no exemplars
            found.products += self._embedded(items)
        found.add(phase, seconds, thought.sent + answered.sent, thought.written + answered.written)
        for one in (thought, answered):
            found.reach(self._base + self._memory_of(end, one).total)

    def _check(self, found: Phases, task: PreparedTask, system: PromptShape, done: Sequence[Footprint]) -> None:
        """Add the self-tests: other words, other passages, other weights, each a few items again."""
        items, end = self.planned.measurement.check_items, self._end(done)
        if not items:
            return
        written = system.usually + system.samples * system.thought
        each = system.own + system.choices + _GENERATED * written  # what all prompts begin with is read once
        wordings = min(len(task.paraphrases), max(1, int(_WORDING_TOKENS // max(items * each, 1))))
        ways = wordings + (_OTHER_PASSAGES if any(step.passages for step in done) else 0)
        ways += (2 if end.added else 0) + (1 if end.weight_bits else 0)
        for _ in range(ways):
            self._ask(found, "check", system, items, end)

    def _small_parts(self, one: Workload, end: Footprint) -> float:
        """Give the seconds that adapters and 4-bit weights add to reading: a third of what they add to training."""
        machine, shape = self.by.machine, self.by.shape
        added = max(0.0, machine.small_s - machine.through_s) / 3 * shape.layers / machine.layers
        whole = self.rates.made_whole(end) * (one.tokens / workload.ROW_TOKENS + one.steps)
        return end.modules / 7 * added * one.tokens + whole

    def _memory_of(self, end: Footprint, one: Workload | None = None) -> memory.PeakMemory:
        one = one or Workload()
        slack = memory.reading_slack(self.by.machine.slack)
        return memory.answering(self.by.shape, end, one.largest, round(one.cached), slack=slack)

    def _end(self, done: Sequence[Footprint]) -> Footprint:
        """Put together what the steps have left of the model."""
        tuned = [one for one in done if one.trained]
        return _of_weights(tuned[-1]) if tuned else Footprint()

    def _asked(self, task: PreparedTask, done: Sequence[Footprint]) -> PromptShape:
        return workload.asked(self.by.counted(task), done, task.task_data.task.max_new_tokens)

    def _planted(self, planted: PreparedTask, task: PreparedTask, done: Sequence[Footprint]) -> PromptShape:
        """Say how planted secrets are asked for: as the task's own items, behind its exemplars and passages."""
        own = self.by.counted(task).model_dump(include=_OF_THE_TASK)
        asked = self.by.counted(planted).model_copy(update=own)
        return workload.asked(asked, done, planted.task_data.task.max_new_tokens)

    def _learned(self, task: PreparedTask, link: Link) -> list[PreparedTask]:
        if not link.tasks:
            return [task]
        names = [name for name, one in self.prepared.items() if one.info.role == "target"]
        return [self.prepared[name] for name in (names if "all" in link.tasks else link.tasks) if name in self.prepared]

    def _train_items(self, task: PreparedTask) -> int:
        there = len(task.task_data.train)
        return min(there, self.planned.trial.train_items or there)

    def _search(self, found: Phases, task: PreparedTask, system: PromptShape) -> None:
        """Add the search of parameters: so many times the adaptation and the validation items."""
        budget = self.planned.trial.budget
        if budget is None:
            return
        adapting = sum(found.seconds.get(name, 0.0) for name in ("adapt", "index"))
        once = adapting + self.rates.answering(workload.asking(system, len(task.task_data.validation)))
        amount = {"trials": budget.amount * once, "seconds": float(budget.amount)}.get(budget.unit)
        rate = sum(found.seconds.values()) / max(found.sent + found.written, 1)
        found.add("search", amount if amount is not None else budget.amount * rate)


def _of_weights(footprint: Footprint) -> Footprint:
    """Keep what a step did to the weights, not what it did to the prompts."""
    return replace(footprint, exemplars=0, passages=0, reranked=0, thought_tokens=0, samples=1, asked=0)


def _prompts_of(footprint: Footprint) -> Footprint:
    """Keep what a step does to the prompts while it learns; it is not tuned yet."""
    return Footprint(virtual_tokens=footprint.virtual_tokens)
