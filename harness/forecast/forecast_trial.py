"""Forecast of one trial: workload, seconds and peak memory of each phase."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from harness.api.architecture import Architecture, Footprint
from harness.data.prepare import PreparedTask
from harness.forecast import corpus_writing, kernels, memory, workload
from harness.forecast.available_items import capped
from harness.forecast.calibration import MachineCalibration
from harness.forecast.embedder import Embedder, open_embedder
from harness.forecast.phases import PhaseTotals
from harness.forecast.seconds import RuntimeEstimator
from harness.forecast.token_lengths import TokenLengths
from harness.forecast.training_length import training_length
from harness.forecast.workload import PromptShape, Workload
from harness.plan import chain
from harness.plan.chain import Link
from harness.plan.discover import find_step
from harness.predict import label_calibration
from harness.records.ablation_names import PASSAGE_ABLATIONS
from harness.records.measurements import Forecast
from harness.records.planned_trial import MANY_LABELS, PlannedTrial
from harness.trial import ablations
from harness.trial.arrivals import expected

_TRAINING_FIELDS = {"learned", "learned_sd", "answer", "passage", "passage_sd", "passage_longest"}
"""Fields of `TokenLengths` that exemplars and passages depend on, whichever questions they are shown with."""


@dataclass(frozen=True)
class Forecaster:
    """Forecasts trials of one model on this machine.

    Attributes:
        calibration: of this machine with this model.
        token_lengths: counts a task's texts.
        locate: finds the folder of a model that a step loads; None where it is not on this machine yet.
        retrieves: some trial of the run retrieves: the libraries for it are loaded for all.
    """

    shape: Architecture
    calibration: MachineCalibration
    token_lengths: Callable[[PreparedTask], TokenLengths]
    locate: Callable[[str], Path | None]
    retrieves: bool = False

    def forecast(self, planned: PlannedTrial, prepared: Mapping[str, PreparedTask]) -> Forecast:
        """Predict one trial.

        Args:
            planned: with its steps, its probes and what is measured of it.
            prepared: the tasks of the suite by name, as this trial takes them.
        """
        links = chain.restore(planned.trial.steps, find_step)
        return _TrialForecast(self, planned, prepared, links, RuntimeEstimator(self.calibration, self.shape)).forecast()


@dataclass(frozen=True)
class _TrialForecast:
    forecaster: Forecaster
    planned: PlannedTrial
    prepared: Mapping[str, PreparedTask]
    links: Sequence[Link]
    runtime: RuntimeEstimator

    def forecast(self) -> Forecast:
        task, shape = self.prepared[self.planned.trial.task], self.forecaster.shape
        totals, footprints = PhaseTotals(product_code_bytes=self.forecaster.calibration.code_bytes), list[Footprint]()
        totals.add("load", self.runtime.loading_s())
        totals.host_peak_bytes = self._base_bytes + shape.parameters * shape.dtype_bytes
        totals.other_models_bytes = sum(
            embedder.size_bytes for link in self.links for embedder in self._embedders(link)
        )
        for link in self.links:
            footprint = capped(link.step.footprint(shape), task, self._train_items(task))
            self._add_step(totals, task, link, footprint, footprints)
            footprints.append(footprint)
        weights, prompts = _weights_after(footprints), self._prompt_shape(task, footprints)
        if not all(link.step.asks_model for link in self.links):
            return _forecast(totals)
        if prompts.keeps_prefix:
            self._add_prefix(totals, prompts, weights)
        if task.info.kind == "classification" and prompts.choice_tokens:
            inputs = label_calibration.count_inputs(task.task_data)
            self._add_answers(totals, "calibrate", replace(prompts, samples=1), inputs, weights)
            if prompts.choice_count >= MANY_LABELS and not self.planned.measurement.all_scores:
                prompts = workload.best_only(prompts)
        self._add_answers(totals, "predict", prompts, len(task.test), weights)
        for name in self.planned.probes:
            probe = self.prepared[name]
            probe_prompts = self._prompt_shape(probe, [_without_prompts(footprint) for footprint in footprints])
            self._add_answers(totals, "probe", probe_prompts, len(probe.test), weights)
        for canary_task in task.canaries:
            canary_prompts = self._canary_prompt_shape(canary_task, task, footprints)
            self._add_answers(totals, "probe", canary_prompts, len(canary_task.test), weights)
        if self.planned.measurement.seen_items:
            items = min(self.planned.measurement.seen_items, len(task.test), self._train_items(task))
            self._add_answers(totals, "seen", prompts, items, weights)
        if self.planned.measurement.requests:
            self._add_requests(totals, prompts, weights)
        self._add_checks(totals, task, prompts, footprints)
        self._add_search(totals, task, prompts)
        return _forecast(totals)

    @property
    def _base_bytes(self) -> float:
        calibration = self.forecaster.calibration
        retrieval_bytes = calibration.retrieval_bytes if self.forecaster.retrieves else 0.0
        return calibration.base_bytes + calibration.first_use_bytes + retrieval_bytes

    def _add_step(
        self, totals: PhaseTotals, task: PreparedTask, link: Link, footprint: Footprint, earlier: Sequence[Footprint]
    ) -> None:
        """Add one step's adaptation, after the earlier ones."""
        weights = _weights_after(earlier)
        if footprint.embeds_corpus:
            self._add_indexing(totals, task, link, self._base_bytes + self._inference_peak(weights).total)
        if footprint.extra_prompts:
            prompts = self._prompt_shape(task, [*earlier, footprint])
            self._add_answers(totals, link.step.phase, prompts, footprint.extra_prompts, weights)
        if footprint.written_questions or footprint.paraphrases:
            self._add_writing(totals, task, footprint, weights)
        if footprint.epochs:
            for train_task in self._train_tasks(task, link):
                self._add_training(totals, train_task, footprint, earlier if train_task is task else ())
        if footprint.objective == "corpus":
            self._add_corpus_measuring(totals, task, footprint)

    def _add_corpus_measuring(self, totals: PhaseTotals, task: PreparedTask, footprint: Footprint) -> None:
        """Add measuring what is known of the corpus, before and after."""
        lengths, passages = self.forecaster.token_lengths(task), len(task.task_data.corpus)
        work = workload.corpus_workload(lengths, min(passages, workload.CORPUS_SAMPLE), footprint)
        cloze = workload.cloze_workload(lengths, min(passages, workload.CLOZE_SAMPLE))
        seconds = self.runtime.forward_s(work) + self.runtime.answering_s(cloze)
        tokens = work.input_tokens + cloze.input_tokens
        totals.add("check", 2 * seconds, 2 * tokens, 2 * cloze.output_tokens)

    def _add_indexing(self, totals: PhaseTotals, task: PreparedTask, link: Link, allocated_bytes: float) -> None:
        """Add embedding the corpus, on top of the bytes that are allocated."""
        totals.raise_peak(allocated_bytes)
        for embedder in self._embedders(link):
            lengths, passages = embedder.passage_lengths(task), len(task.task_data.corpus)
            tokens, products = passages * fmean(lengths or [0]), embedder.count_products(passages)
            totals.products += products
            seconds = self.runtime.embedding_s(tokens, embedder.block_parameters)
            seconds += self.runtime.code_generation_s(products)
            totals.add("index", seconds + self.runtime.calibration.open_s, tokens)
            totals.raise_peak(allocated_bytes + embedder.activation_bytes(lengths))

    def _add_writing(self, totals: PhaseTotals, task: PreparedTask, footprint: Footprint, weights: Footprint) -> None:
        """Add a teacher's questions and paraphrases; one that is another model counts as one of this size."""
        lengths, passages = self.forecaster.token_lengths(task), len(task.task_data.corpus)
        for work in corpus_writing.writing_workloads(lengths, passages, footprint):
            seconds = self.runtime.answering_s(work) + self._adapter_s(work, weights)
            totals.add("adapt", seconds, work.input_tokens, work.output_tokens)
            totals.raise_peak(self._base_bytes + self._inference_peak(weights, work).total)

    def _add_prefix(self, totals: PhaseTotals, prompts: PromptShape, weights: Footprint) -> None:
        """Add reading what all prompts begin with; its keys and values stay until the end."""
        work = corpus_writing.prefix_workload(prompts)
        totals.add("index", self.runtime.forward_s(work) + self._adapter_s(work, weights), work.input_tokens)
        totals.raise_peak(self._base_bytes + self._inference_peak(weights, work).total)
        totals.kept_prefix_bytes = memory.cache_bytes(self.forecaster.shape, prompts.prefix_tokens)

    def _embedders(self, link: Link) -> list[Embedder]:
        """Open the models that a step loads, those that are on this machine."""
        sources = () if _has_teacher(link) else link.step.sources()
        embedders = (open_embedder(self.forecaster.locate(source)) for source in sources)
        return [embedder for embedder in embedders if embedder]

    def _embedding_products(self, questions: int) -> int:
        """Count the products of different sizes of embedding so many questions."""
        return sum(embedder.count_products(questions) for link in self.links for embedder in self._embedders(link))

    def _code_s(self, totals: PhaseTotals, footprint: Footprint, lengths: float, *, backward: bool = False) -> float:
        """Add the code for passes of so many lengths; return the seconds of generating it."""
        products = lengths * kernels.count_products(self.forecaster.shape, footprint, backward=backward)
        totals.products += products
        return self.runtime.code_generation_s(products)

    def _add_training(
        self, totals: PhaseTotals, task: PreparedTask, footprint: Footprint, earlier: Sequence[Footprint]
    ) -> None:
        """Add training on one task: epochs, optimizer steps, validation, sampling, code and peak memory."""
        lengths, learns_corpus = self.forecaster.token_lengths(task), footprint.objective == "corpus"
        items = self._learned_items(task, footprint, earlier)
        prompts = self._prompt_shape(task, [*map(_shown_while_training, earlier), _prompts_while_training(footprint)])
        variance = max(0.0, prompts.suffix_sd**2 - lengths.asked_sd**2 + lengths.learned_sd**2)
        train_prompts = replace(
            prompts,
            suffix_tokens=lengths.learned + (prompts.suffix_tokens - lengths.asked),
            longest_suffix_tokens=lengths.learned_longest + prompts.longest_suffix_tokens - lengths.asked_longest,
            suffix_sd=math.sqrt(variance),
        )
        epoch = (
            workload.corpus_workload(lengths, items, footprint)
            if learns_corpus
            else workload.training_workload(train_prompts, lengths.answer, items, footprint)
        )
        steps_s = footprint.epochs * (
            self.runtime.training_s(epoch, footprint) + self.runtime.optimizer_s(footprint, items)
        )
        seconds = self.runtime.quantisation_s(footprint)
        validation_items = len(task.task_data.validation)
        evaluated_items = min(items, workload.CORPUS_VALIDATION) if learns_corpus else validation_items
        share = evaluated_items / items if items else 0.0
        validation = replace(epoch, tokens=epoch.tokens * share, logit_positions=epoch.logit_positions * share)
        evaluation_s = self.runtime.forward_s(validation)
        if footprint.objective == "pairs":
            seconds += self.runtime.forward_s(epoch)
        if footprint.objective == "samples":
            sampled = replace(prompts, reasoning_tokens=footprint.sampled_tokens, samples=1)
            steps_s += self.runtime.answering_s(workload.reasoning_workload(sampled, footprint.sampled_answers))
            evaluation_s += self.runtime.answering_s(workload.reasoning_workload(sampled, evaluated_items))
        monitored_items = 2 * min(footprint.monitored_items, validation_items)
        monitoring = workload.answering_workload(prompts, monitored_items)
        evaluation_s += self.runtime.answering_s(monitoring)
        length = training_length(footprint, items, evaluated_items + monitored_items)
        seconds += steps_s + length.evaluations * evaluation_s
        saved_s = (1 - length.floor_share) * steps_s
        saved_s += (length.evaluations - length.floor_evaluations) * evaluation_s
        inference_lengths = epoch.distinct_lengths * share / footprint.epochs + monitoring.distinct_lengths
        seconds += self._code_s(totals, footprint, inference_lengths)
        new_lengths = max(0.0, epoch.distinct_lengths - totals.training_lengths)
        totals.training_lengths += new_lengths
        seconds += self._code_s(totals, footprint, new_lengths, backward=True)
        totals.add("adapt", seconds, footprint.epochs * epoch.input_tokens)
        totals.add_saving("adapt", saved_s)
        shape, largest_pass = self.forecaster.shape, epoch.largest_pass
        slack = memory.training_slack(shape, largest_pass.tokens, self.forecaster.calibration.slack)
        peak = memory.training_peak(shape, footprint, largest_pass, slack=slack)
        totals.raise_peak(self._base_bytes + peak.total)

    def _add_answers(
        self, totals: PhaseTotals, phase: str, prompts: PromptShape, items: int, weights: Footprint
    ) -> None:
        """Add answering so many questions in batches."""
        reasoning = workload.reasoning_workload(prompts, items)
        answers = workload.answering_workload(prompts, items * prompts.samples)
        seconds = self.runtime.answering_s(reasoning) + self.runtime.answering_s(answers)
        seconds += self._adapter_s(reasoning, weights) + self._adapter_s(answers, weights)
        batch_sizes = max(reasoning.decode_batch_sizes, answers.decode_batch_sizes)
        new_batch_sizes = max(0.0, batch_sizes - totals.decode_batch_sizes)
        totals.decode_batch_sizes += new_batch_sizes
        new_lengths = reasoning.distinct_lengths + answers.distinct_lengths + new_batch_sizes
        seconds += self._code_s(totals, weights, new_lengths)
        if phase != "probe":  # probes need no passages and no exemplars
            totals.products += self._embedding_products(items)
        input_tokens = reasoning.input_tokens + answers.input_tokens
        totals.add(phase, seconds, input_tokens, reasoning.output_tokens + answers.output_tokens)
        for work in (reasoning, answers):
            totals.raise_peak(self._base_bytes + self._inference_peak(weights, work).total)

    def _add_requests(self, totals: PhaseTotals, prompts: PromptShape, weights: Footprint) -> None:
        """Add single requests, as many as fit into their time."""
        work = workload.request_workload(prompts)
        requests, seconds = expected(self.planned, self.runtime.answering_s(work))
        seconds += self._code_s(totals, weights, workload.request_lengths(prompts, requests))
        totals.add("serve", seconds, requests * work.input_tokens, requests * work.output_tokens)

    def _add_checks(
        self, totals: PhaseTotals, task: PreparedTask, prompts: PromptShape, footprints: Sequence[Footprint]
    ) -> None:
        """Add ablations and self-tests: paraphrases, other passages, other forms of the weights, a few items each."""
        items, weights = self.planned.measurement.check_items, _weights_after(footprints)
        if not items:
            return
        new_tokens = prompts.mean_new_tokens + prompts.samples * prompts.reasoning_tokens
        item_tokens = prompts.suffix_tokens + prompts.choice_tokens + ablations.GENERATED_TOKEN_COST * new_tokens
        affordable = max(1, int(ablations.PARAPHRASE_TOKENS // max(items * item_tokens, 1)))
        runs = min(len(task.paraphrases), affordable)
        runs += len(PASSAGE_ABLATIONS) if any(footprint.passages for footprint in footprints) else 0
        runs += (2 if weights.added_parameters else 0) + (1 if weights.weight_bits else 0)
        for _ in range(runs):
            self._add_answers(totals, "check", prompts, items, weights)

    def _adapter_s(self, work: Workload, weights: Footprint) -> float:
        """Return the seconds that adapters and 4-bit weights add to inference: a third of what they add to training."""
        calibration, shape = self.forecaster.calibration, self.forecaster.shape
        token_s = max(0.0, calibration.small_s - calibration.through_s) / 3 * shape.layers / calibration.layers
        passes = work.tokens / workload.ROW_TOKENS + work.decode_steps
        dequantisation_s = self.runtime.dequantisation_s(weights) * passes
        return weights.modules_per_block / 7 * token_s * work.tokens + dequantisation_s

    def _inference_peak(self, weights: Footprint, work: Workload | None = None) -> memory.PeakMemory:
        work = work or Workload()
        slack = memory.inference_slack(self.forecaster.calibration.slack)
        cached_tokens = round(work.peak_cache_tokens)
        return memory.inference_peak(self.forecaster.shape, weights, work.largest_pass, cached_tokens, slack=slack)

    def _prompt_shape(self, task: PreparedTask, footprints: Sequence[Footprint]) -> PromptShape:
        lengths = self.forecaster.token_lengths(task)
        return workload.prompt_shape(lengths, footprints, task.task_data.task.max_new_tokens)

    def _canary_prompt_shape(
        self, canary_task: PreparedTask, task: PreparedTask, footprints: Sequence[Footprint]
    ) -> PromptShape:
        """Predict the prompts for planted canaries: with the exemplars and passages of the task itself."""
        training_lengths = self.forecaster.token_lengths(task).model_dump(include=_TRAINING_FIELDS)
        lengths = self.forecaster.token_lengths(canary_task).model_copy(update=training_lengths)
        return workload.prompt_shape(lengths, footprints, canary_task.task_data.task.max_new_tokens)

    def _train_tasks(self, task: PreparedTask, link: Link) -> list[PreparedTask]:
        """Return the tasks that a step trains on."""
        if not link.tasks:
            return [task]
        targets = [name for name, prepared in self.prepared.items() if prepared.info.role == "target"]
        names = targets if "all" in link.tasks else link.tasks
        return [self.prepared[name] for name in names if name in self.prepared]

    def _learned_items(self, task: PreparedTask, footprint: Footprint, earlier: Sequence[Footprint]) -> int:
        """Return what one epoch goes through: training items, sampled answers, or passages."""
        if footprint.objective == "samples":
            return footprint.sampled_answers
        passages = len(task.task_data.corpus)
        if footprint.objective == "corpus":
            return passages
        return corpus_writing.learned_items(self._train_items(task), earlier, passages)

    def _train_items(self, task: PreparedTask) -> int:
        available = len(task.task_data.train)
        return min(available, self.planned.trial.train_items or available)

    def _add_search(self, totals: PhaseTotals, task: PreparedTask, prompts: PromptShape) -> None:
        """Add the hyper-parameter search: adaptation and the validation items, once per candidate."""
        budget = self.planned.trial.budget
        if budget is None:
            return
        adaptation_s = sum(totals.seconds.get(phase, 0.0) for phase in ("adapt", "index"))
        validation = workload.answering_workload(prompts, len(task.task_data.validation))
        candidate_s = adaptation_s + self.runtime.answering_s(validation)
        seconds = {"trials": budget.amount * candidate_s, "seconds": float(budget.amount)}.get(budget.unit)
        token_s = sum(totals.seconds.values()) / max(totals.input_tokens + totals.output_tokens, 1)
        if budget.unit == "trials":
            totals.add_saving("search", budget.amount * totals.saved_s.get("adapt", 0.0))
        totals.add("search", seconds if seconds is not None else budget.amount * token_s)


def _has_teacher(link: Link) -> bool:
    """Tell whether a step's other model writes for it, so that it embeds nothing."""
    return "train" in link.step.provides


def _forecast(totals: PhaseTotals) -> Forecast:
    return Forecast(
        phases_s={phase: round(seconds, 3) for phase, seconds in totals.seconds.items()},
        floor_phases_s={
            phase: round(totals.seconds[phase] - saved, 3) for phase, saved in totals.saved_s.items() if saved > 0
        },
        host_peak_bytes=round(totals.host_peak_bytes),
        tokens_in=round(totals.input_tokens),
        tokens_out=round(totals.output_tokens),
    )


def _weights_after(footprints: Sequence[Footprint]) -> Footprint:
    """Return what the steps did to the weights: the last one that trained."""
    trained = [footprint for footprint in footprints if footprint.trained_parameters]
    return _without_prompts(trained[-1]) if trained else Footprint()


def _without_prompts(footprint: Footprint) -> Footprint:
    """Keep what a step did to the weights, not what it did to the prompts."""
    return replace(
        footprint, exemplars=0, passages=0, reranked_passages=0, reasoning_tokens=0, samples=1, extra_prompts=0
    )


def _shown_while_training(footprint: Footprint) -> Footprint:
    """Return a step's footprint on prompts that are learned from: passages may be others there."""
    return replace(footprint, passages=footprint.training_passages or footprint.passages)


def _prompts_while_training(footprint: Footprint) -> Footprint:
    """Keep what a step does to the prompts while it trains; the answers' lengths are not learned yet."""
    return Footprint(virtual_tokens=footprint.virtual_tokens)
