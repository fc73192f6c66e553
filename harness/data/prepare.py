"""Prepares a task of a suite for trials: training material, test items, and what a record keeps of both."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import errors
from harness.api import Example, ProgressCallback, Task, TaskData
from harness.data import fresh as fresh_items
from harness.data.canaries import NEW_TOKENS, Probe, plant
from harness.data.class_balance import guessing_score, order_metrics
from harness.data.conversations import learned_turns
from harness.data.corpus import corpus_hash, evidence_index
from harness.data.corpus_leaks import corpus_leak_notes, find_corpus_leaks
from harness.data.examples import Pool, labels_of, to_pool
from harness.data.fetch import fetch
from harness.data.leaks import Leak, find_leaks
from harness.data.notes import access_notes, label_notes, leak_notes, synthetic_notes
from harness.data.readers import restrict
from harness.data.schema import TaskConfig
from harness.data.splits import Splits, split, stratified_order
from harness.data.suite import Suite
from harness.data.task_rows import SPLITS, read_task
from harness.data.training_changes import change_training
from harness.errors import HarnessError
from harness.metrics import label_sets
from harness.records.record import TaskInfo


@dataclass(frozen=True)
class PreparedTask:
    """A task, ready for trials.

    Attributes:
        task_data: all that a step may learn from; the test items aren't in it.
        info: what a record keeps.
        majority: score of always answering the commonest label: its share of the test items; None where there are
            no labels.
        leaks: test items that are in the training data, most similar first.
        planted_ids: training items that are planted secrets.
        canaries: probes for planted secrets, asked of every system as it asks the task itself.
        paraphrases: other instructions, with which some test items are asked too.
    """

    task_data: TaskData
    test: tuple[Example, ...]
    info: TaskInfo
    majority: float | None = None
    leaks: tuple[Leak, ...] = ()
    canaries: tuple["PreparedTask", ...] = ()
    planted_ids: frozenset[str] = frozenset()
    paraphrases: tuple[str, ...] = ()


def prepare(  # noqa: PLR0913 - the last ones may be left out
    suite: Suite,
    task_name: str,
    *,
    limits: Mapping[str, int] | None = None,
    progress: ProgressCallback | None = None,
    fresh: Path | None = None,
    draw: int = 0,
) -> PreparedTask:
    """Read, check and split a task's data.

    Args:
        suite: from `load_suite`.
        task_name: one of its tasks.
        limits: most items a split may have, e.g. ``{"train": 40, "test": 40}``; the first ones are kept, so a
            smaller run uses a part of the same items.
        progress: called with the bytes of a pinned archive's download, if there has to be one.
        fresh: a file whose items replace the test split; the training material stays the same.
        draw: where there are more training items than the split takes, another number draws another split of the same
            size (`Splits.redraw`); test and validation items, and the hash of the data, stay the same.

    Raises:
        HarnessError: anything wrong in the suite's settings or data: names the file, and the row if it is one.
    """
    task = suite.task(task_name)
    where = f"task {task.name!r} of {suite.file}"
    for name in set(limits or {}) - set(SPLITS):
        raise errors.unknown("split", name, SPLITS)
    if task.source:
        fetch(task.source, progress)
    try:
        tables, documents = read_task(suite, task)
        corpus = documents.passages
        labels = labels_of(task, list(tables.values()))
        index = evidence_index(corpus)
        drop = "all" in tables
        share = suite.config.max_bad_rows
        pools = {
            name: to_pool(table, task, labels, index, drop=drop, max_bad_rows=share) for name, table in tables.items()
        }
        whole = _split(task, pools)
        all_splits = whole.cut(dict(limits or {}))
        first_draw, preparation = _change_training(task, all_splits)
        splits = first_draw
        if draw and all_splits.spare:
            redrawn = all_splits.redraw(draw, stratify=task.kind == "classification")
            splits, preparation = _change_training(task, redrawn)
        if fresh:
            pools["fresh"] = fresh_items.read(fresh, task, labels, index, share)
    except HarnessError as error:
        raise HarnessError(f"{where}: {error}") from error
    test = pools["fresh"].examples[: (limits or {}).get("test")] if fresh else splits.test
    leaks = find_leaks((*splits.train, *splits.validation), test)
    planted = plant(task.name, task.kind, task.canaries)
    splits = replace(
        splits,
        train=(*restrict(splits.train, corpus), *planted.train),
        validation=restrict(splits.validation, corpus),
    )
    test = restrict(test, corpus)
    corpus = (*corpus, *planted.passages)
    canaries = tuple(_probe_task(probe, suite.tasks.index(task)) for probe in planted.probes)
    labels_left = tuple(labels.values())
    scored_splits = replace(splits, test=test)
    notes = (
        *([f"the test items are those of {fresh.name}, not the suite's own."] if fresh else []),
        *synthetic_notes(task),
        *documents.notes,
        *(note for pool in pools.values() for note in pool.warnings),
        *leak_notes(leaks, len(test)),
        *corpus_leak_notes(find_corpus_leaks(test, documents.passages), len(test)),
        *access_notes(documents.passages, test),
        *label_notes(task, labels_left, scored_splits, whole.train),
    )
    data = TaskData(
        Task(
            task.name,
            task.kind,
            label_sets.instruct(task.instruction, labels_left) if task.kind == "multi_label" else task.instruction,
            labels_left,
            task.new_tokens,
            "bare" if task.kind == "language_modelling" and not task.template else task.form,
            task.question_label,
            task.answer_label,
            suite.templates[task.template] if task.template else "",
        ),
        splits.train,
        splits.validation,
        corpus,
        corpus_hash(corpus),
        reward=task.reward,
        templates=suite.templates,
    )
    canary_hashes = [canary.info.data_hash for canary in canaries]
    planned_splits = replace(first_draw, train=(*first_draw.train, *planted.train), test=test)
    metrics = order_metrics(task, whole.train, labels_left)
    info = _task_info(task, data, scored_splits, notes, _data_hash(planned_splits, data, canary_hashes)).model_copy(
        update={
            "metrics": metrics,
            "chance": guessing_score(task, metrics[0], labels_left, whole.train, test),
            "order": suite.tasks.index(task),
            "preparation": (*preparation, *planted.sentences),
            "pool_items": len(all_splits.train) + len(all_splits.spare) if all_splits.spare else None,
        }
    )
    # artifacts go by the training material, which fresh test items do not change, and another draw does
    training_splits = replace(splits, test=first_draw.test)
    task_hash = (
        _data_hash(training_splits, data, canary_hashes) if fresh or splits is not first_draw else info.data_hash
    )
    data = replace(data, metrics=info.metrics, order=suite.tasks.index(task), hash=task_hash)
    planted_ids = frozenset(example.query.id for example in planted.train)
    return PreparedTask(
        data, test, info, _majority(task, test), leaks, canaries, paraphrases=task.paraphrases, planted_ids=planted_ids
    )


def _split(task: TaskConfig, pools: Mapping[str, Pool]) -> Splits:
    stratify, seed = task.kind == "classification", task.split_seed
    if "all" in pools:
        probe = task.role == "probe"
        return split(pools["all"].examples, task.sizes, seed=seed, stratify=stratify, probe=probe)
    ordered_splits = {
        name: stratified_order(pool.examples, seed=seed, stratify=stratify) for name, pool in pools.items()
    }
    ordered_splits = _unique_ids(ordered_splits)
    if task.sizes.validation and "validation" not in ordered_splits:
        sizes = task.sizes.model_copy(update={"test": task.sizes.validation, "validation": 0})
        cut = split(ordered_splits["train"], sizes, seed=seed, stratify=stratify, probe=False)
        ordered_splits |= {"train": cut.train + cut.spare, "validation": cut.test}
    for name, examples in ordered_splits.items():
        requested = getattr(task.sizes, name)
        if not examples or (requested is not None and requested > len(examples)):
            raise HarnessError(f"the {name} file has {len(examples)} usable rows; 'sizes' asks for {requested or 1}.")
    kept_sizes = {name: size for name in ordered_splits if (size := getattr(task.sizes, name)) is not None}
    return Splits(**ordered_splits).cut(kept_sizes)


def _change_training(task: TaskConfig, splits: Splits) -> tuple[Splits, tuple[str, ...]]:
    """Change the training split as the suite asks; return a sentence on each change."""
    held_out = (*splits.validation, *splits.test)
    turns = learned_turns(splits.train)
    train, sentences = change_training(turns, held_out, task.preparation, labelled=task.kind == "classification")
    if len(turns) > len(splits.train):
        sentences = (f"{len(splits.train)} conversations are {len(turns)} assistant turns to learn", *sentences)
    return replace(splits, train=train), sentences


def _unique_ids(splits: Mapping[str, tuple[Example, ...]]) -> dict[str, tuple[Example, ...]]:
    """Put the split's name before the ids if two files share one."""
    counts = Counter(e.query.id for examples in splits.values() for e in examples)
    if not counts or max(counts.values()) == 1:
        return dict(splits)
    return {
        name: tuple(replace(e, query=replace(e.query, id=f"{name}/{e.query.id}")) for e in examples)
        for name, examples in splits.items()
    }


def _task_info(task: TaskConfig, data: TaskData, splits: Splits, notes: tuple[str, ...], data_hash: str) -> TaskInfo:
    sizes = {name: len(getattr(splits, name)) for name in SPLITS} | (
        {"corpus": len(data.corpus)} if data.corpus else {}
    )
    return TaskInfo(
        name=task.name,
        kind=task.kind,
        role=task.role,
        metrics=task.all_metrics,
        labels=data.task.choices,
        instruction=task.instruction,
        data_hash=data_hash,
        sizes=sizes,
        warnings=notes,
        groups=task.groups,
        synthetic_by=task.synthetic_by,
    )


def _probe_task(probe: Probe, order: int) -> PreparedTask:
    """Turn a probe into a task."""
    task = Task(probe.name, probe.kind, max_new_tokens=NEW_TOKENS)
    info = TaskInfo(
        name=probe.name,
        kind=probe.kind,
        role="probe",
        order=order,
        metrics=probe.metrics,
        chance=probe.chance,
        data_hash=_data_hash(Splits(test=probe.items), TaskData(task)),
        sizes={"test": len(probe.items)},
    )
    return PreparedTask(TaskData(task), probe.items, info)


def _data_hash(splits: Splits, data: TaskData, probe_hashes: Sequence[str] = ()) -> str:
    """Sha256 over every item in use, its split and place, the labels, the corpus and the hashes of other items."""
    options = [data.reward, dict(data.templates)] if data.reward or data.templates else []
    digest = hashlib.sha256(json.dumps([data.task.choices, data.corpus_hash, *options, *probe_hashes]).encode())
    for name in (*SPLITS, *(["spare"] if splits.spare else [])):
        for e in getattr(splits, name):
            item = [name, e.query.id, e.query.input, e.query.choices, e.references, e.cluster, e.evidence, e.rejected]
            optional = [part for part in (e.query.user, e.query.history, e.groups) if part]
            digest.update(json.dumps([*item, *optional]).encode())
    return digest.hexdigest()


def _majority(task: TaskConfig, test: tuple[Example, ...]) -> float | None:
    if task.kind != "classification":
        return None
    return Counter(e.references[0] for e in test).most_common(1)[0][1] / len(test)
