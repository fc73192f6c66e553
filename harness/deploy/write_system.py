"""Write the system of a finished trial as files that other libraries load: weights, prompt, index, samples, model card.

The weights come from the trial's artifact, or from running the same steps again. The written files are then checked:
they answer the trial's first questions, and their answers are compared with the stored ones.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.api import Example, Model, ModelInfo, Passage, Prompt, System
from harness.data.prepare import PreparedTask, prepare
from harness.data.suite import load_suite
from harness.decoding import prefix_sharing
from harness.deploy.model_card import card
from harness.errors import HarnessError
from harness.models import bottleneck, registry
from harness.models.local_model import require_local
from harness.plan.config import RunConfig, SplitLimits
from harness.plan.planner import make_plan
from harness.predict import answering
from harness.prompts import layout, template
from harness.records.planned_trial import PlannedTrial
from harness.records.record import Completed, Row
from harness.training import weight_formats
from harness.trial import prompt_form
from harness.trial.adaptation import adapt
from harness.trial.recorder import Emit, Recorder

SAMPLES = 20
"""Stored answers that are written with a system, and that it is checked against."""


def _ignore(_: object) -> None:
    """Drop a progress event."""


@dataclass(frozen=True)
class DeployedFiles:
    """The written folder, and the outcome of its check.

    Attributes:
        adapter: the weights are an adapter for the base model, not merged into it.
        samples: stored answers that were compared; reproduced: those that the written model gives again.
    """

    folder: Path
    adapter: bool
    samples: int
    reproduced: int


def deploy(  # noqa: PLR0913 - what is deployed, from where, to where, and how
    record: Completed,
    rows: Sequence[Row],
    folder: Path,
    cache: Path,
    *,
    suite: str | None = None,
    adapter: bool = False,
    scores: Sequence[str] = (),
    emit: Emit = _ignore,
) -> DeployedFiles:
    """Write a trial's system, and check it against the trial's stored answers.

    Args:
        record: of the trial.
        rows: of the trial.
        folder: a new or empty one.
        cache: has converted models and artifacts.
        suite: name or folder of its suite; None: the name in the record.
        adapter: write the adapter alone, for the base model to be served with; it is merged into the weights otherwise.
        scores: the measured figures in words, for the model card.
        emit: receives progress events.

    Raises:
        HarnessError: the folder is in use, the data or the model are no longer those of the record, or no other
            library could load what the steps made.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise HarnessError(f"{folder} is there already and not empty: name a new folder.")
    planned = replan(record, suite or record.trial.suite)
    system, target = _rebuild(record, planned, cache, emit)
    scratch = folder.with_name(f".{folder.name}.making")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(parents=True)
        adapter = _write_weights(system, planned.model_reference, scratch / "model", adapter=adapter)
        _write_prompt_and_index(system, scratch)
        samples = [row for row in rows if row.role == "target" and not row.restricted][:SAMPLES]
        _write_lines(scratch / "samples.jsonl", [_sample(system, row) for row in samples])
        emit({"phase": "check"})
        model = _reopen(planned.model_reference, scratch / "model", cache, adapter=adapter)
        reproduced = _count_reproduced(model, system, target, samples)
        text = card(
            record,
            adapter=adapter,
            samples=len(samples),
            reproduced=reproduced,
            scores=scores,
            chat=_is_chat(system),
            restricted=_restrictions(system, _learned(system, target) if record.trained_parameters else ()),
        )
        (scratch / "README.md").write_text(text, encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        scratch.rename(folder)
    except OSError as error:
        raise HarnessError(f"{folder} cannot be written ({error.strerror or error}): free or change it.") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return DeployedFiles(folder, adapter, len(samples), reproduced)


def replan(record: Completed, suite: str) -> PlannedTrial:
    """Plan a stored trial again.

    Raises:
        HarnessError: its key would differ, because data, model or versions have changed.
    """
    trial, sizes = record.trial, record.tasks[0].sizes
    names = tuple(info.name for info in record.tasks if info.role != "control" and not info.name.count("."))
    config = RunConfig.model_validate(
        {
            "suite": suite,
            "strategies": (trial.strategy,),
            "models": (trial.model,),
            "tasks": names,
            "seeds": (trial.seed,),
            "budget": trial.budget,
            "answers": trial.answers or "auto",
            "train_sizes": (trial.train_items,) if trial.train_items else (),
        }
    )
    exact = [name for name in ("train", "validation", "test") if sizes.get(name)]
    for limits in (SplitLimits.model_validate({}), SplitLimits.model_validate({name: sizes[name] for name in exact})):
        for planned in make_plan(config.model_copy(update={"limits": limits})).trials:
            if planned.trial.key == trial.key or _makes_same_system(planned, record):
                return planned
    raise HarnessError(
        f"{trial.label} on {trial.suite}/{trial.task} can no longer be planned as it was: its data, wording or model "
        "have changed. Run it again, and deploy that."
    )


def _makes_same_system(planned: PlannedTrial, record: Completed) -> bool:
    """True where a trial adapts the model as a stored one did; its test items may differ."""
    trial, stored = planned.trial, record.trial
    same_training = trial.train_items == stored.train_items and not planned.train_tasks
    return same_training and (trial.task, trial.basis, trial.steps) == (stored.task, stored.basis, stored.steps)


def _rebuild(record: Completed, planned: PlannedTrial, cache: Path, emit: Emit) -> tuple[System, PreparedTask]:
    suite = load_suite(planned.suite_folder)
    names, draw = (planned.trial.task, *planned.train_tasks), planned.trial.seed
    prepared = [prepare(suite, name, limits=planned.limits, draw=draw) for name in names]
    target = prepared[0]
    if target.info.data_hash != record.tasks[0].data_hash:
        raise HarnessError(f"the data of task {target.info.name!r} are no longer those of the record: run it again.")
    recorder = Recorder(cache, emit, planned.trial.seed)
    with recorder.span("load"):
        model = registry.open_model(planned.model_reference, cache, by=planned.backend)
    _check_model(model.info, record.model)
    identity = planned.model_identity or planned.model_reference
    material, _ = prompt_form.choose(recorder, [task.task_data for task in prepared], identity, lambda: model)
    steps = record.search.steps if record.search else record.trial.steps
    system = adapt(recorder, System(model, material[0].task), steps, material, target.test)
    calibration = record.tasks[0].calibration
    return system.replace(prior=calibration.shift if calibration and calibration.default else ()), target


def _check_model(model: ModelInfo, recorded: ModelInfo) -> None:
    """Compare a model with the one of a record, whose identity older records lack.

    Raises:
        HarnessError: they differ.
    """
    if model.hash != recorded.hash:
        raise HarnessError(f"the weights of {recorded.name!r} are no longer those of the record: run it again.")
    if recorded.identity and model.identity != recorded.identity:
        raise HarnessError(
            f"the configuration, tokenizer or chat template of {recorded.name!r} are no longer those of the record: run"
            " it again."
        )


def _write_weights(system: System, base: str, folder: Path, *, adapter: bool) -> bool:
    """Write weights, configuration and tokenizer; return True where they are an adapter for the base model."""
    model = require_local(system.model)
    if bottleneck.attached_shape(prefix_sharing.causal_lm(model.module)):
        raise HarnessError(
            "bottleneck adapters are blocks of this project that no other library loads: deploy lora or full instead."
        )
    is_adapter = weight_formats.has_adapter(model) and (adapter or not weight_formats.is_mergeable(model))
    if adapter and not is_adapter:
        raise HarnessError("this system has no adapter of its own: deploy it without --adapter.")
    if is_adapter and (model.base_changed or weight_formats.is_four_bit(model)):
        raise HarnessError(
            "the weights below this adapter are not those of the base model: deploy it merged, without --adapter."
        )
    if is_adapter:
        for settings in model.module.peft_config.values():
            settings.base_model_name_or_path = base
    else:
        model = weight_formats.merge_in_full_precision(model)
    model.module.save_pretrained(str(folder), safe_serialization=True)
    model.tokenizer.save_pretrained(str(folder))
    return is_adapter


def _write_prompt_and_index(system: System, folder: Path) -> None:
    """Write the parts of the prompt, its template, and the index with its passages."""
    task = system.task
    if task.written:
        raise HarnessError("a system whose choices are written cannot be exported: run it with --answers auto.")
    left_out = ("template", "written")
    prompt_parts: dict[str, Any] = {name: part for name, part in asdict(task).items() if name not in left_out}
    exemplars = getattr(system.exemplars, "examples", ())
    prompt_parts["exemplars"] = [
        {"question": exemplar.query.text, "answer": exemplar.references[0]}
        | ({"readers": exemplar.readers} if exemplar.readers else {})
        for exemplar in exemplars
    ]
    prompt_parts["exemplars_per_question"] = getattr(system.exemplars, "k", None)
    prompt_parts["prior_nats"] = list(system.prior)
    prompt_parts["reasoning"] = asdict(system.reasoning) if system.reasoning else None
    prompt_parts["passages_per_question"] = getattr(system.retriever, "k", None)
    (folder / "prompt.json").write_text(_json(prompt_parts, 2) + "\n", encoding="utf-8")
    if not _is_chat(system):
        text = task.template or template.built_in("plain.jinja")
        (folder / "prompt.jinja").write_text(text, encoding="utf-8")
    if system.retriever is not None:
        (folder / "index").mkdir()
        retriever: Any = system.retriever
        for searcher in retriever.searchers:
            searcher.save(folder / "index")
        _write_lines(folder / "index" / "passages.jsonl", [asdict(passage) for passage in retriever.passages])


def _learned(system: System, target: PreparedTask) -> tuple[Example, ...]:
    return (system.material or target.task_data).train


def _restrictions(system: System, learned: Sequence[Example]) -> tuple[str, ...]:
    """List what of the written files only some people may read, a phrase each; `learned`: what the weights are from."""
    passages: Sequence[Passage] = getattr(system.retriever, "passages", ())
    exemplars: Sequence[Example] = getattr(system.exemplars, "examples", ())
    counts = {
        "passages of `index/passages.jsonl`": sum(bool(passage.readers) for passage in passages),
        "exemplars of `prompt.json`": sum(bool(exemplar.readers) for exemplar in exemplars),
        "training examples behind the weights": sum(bool(example.readers) for example in learned),
    }
    return tuple(f"{count:,} {what}" for what, count in counts.items() if count)


def _is_chat(system: System) -> bool:
    """Tell whether prompts are turns of the tokenizer's chat template, and no template of the task's own."""
    return not system.task.template and not layout.is_plain(system.task.form, require_local(system.model).tokenizer)


def _reopen(base: str, folder: Path, cache: Path, *, adapter: bool) -> Model:
    """Open the written model as a user would."""
    if adapter:
        return require_local(registry.open_model(base, cache)).load_adapted(folder)
    return registry.open_model(str(folder), cache)


def _count_reproduced(model: Model, system: System, target: PreparedTask, samples: Sequence[Row]) -> int:
    """Count the stored answers that the reopened model gives again."""
    answers = {row.id: row.answer for row in samples}
    queries = [example.query for example in target.test if example.query.id in answers]
    predictions = answering.predict(replace(system, model=model), queries)
    return sum(prediction.answer == answers[prediction.query.id] for prediction in predictions)


def _sample(system: System, row: Row) -> dict[str, Any]:
    """One stored answer, with each choice as it follows the prompt, and the tokens any of which ends it."""
    sample: dict[str, Any] = {"id": row.id, "prompt": row.prompt, "output": row.output, "answer": row.answer}
    if row.choice_scores:
        prompt, model = Prompt(system.task, row.input), require_local(system.model)
        options = row.choices or system.task.choices
        sample["continuations"] = [layout.answer_text(prompt, option, model.tokenizer) for option in options]
        sample["end_ids"] = sorted(model.scored_ends(system.task))
        sample["choice_scores_nats"] = list(row.choice_scores)
    return sample | {"references": list(row.references)}


def _write_lines(path: Path, lines: Sequence[Any]) -> None:
    path.write_text("".join(f"{_json(line)}\n" for line in lines), encoding="utf-8")


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, default=sorted)
