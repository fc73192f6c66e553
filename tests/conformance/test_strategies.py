"""The contract of strategies: every one in the package, and chains of them, is tried."""

import copy
import dataclasses
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from harness.api import Context, System, TaskData
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.plan import chain, discover
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.predict.answering import predict
from harness.records.record import Completed
from harness.trial.run_trial import run_trial, seed_everything
from strategies.majority import ConstantModel

CHAINS = (
    "few_shot+rag",
    "rag+lora",
    "lora+rag",
    "full+rag",
    "lora+lora",
    "qlora+rag",
    "qlora+lora",
    "prompt_tuning+rag",
    "lora+dpo",
    "lora+dpo+rag",
    "lora+rlhf",
    "rag+self_consistency",
    "synthesise+lora",
    "synthesise+full",
    "synthesise+few_shot",
    "lora+long_context",
    "few_shot+long_context",
    "optimised+lora",
    "few_shot+lora",
    "few_shot+rag+lora",
    "pretrain+lora",
    "pretrain+rag",
    "pretrain+lora+rag",
    "lora+quantise",
    "adapter+quantise",
    "prompt_tuning+quantise",
)
ALONE = ("external",)
"""Whole systems: no tiny model answers; tests/strategies/test_external.py has their contract."""
STRATEGIES = (*(name for name in discover.builtin_names() if name not in ALONE), *CHAINS)
TASKS = {"moods": {"train", "choices"}, "facts": {"train", "corpus", "preferences", "reward"}}
"""The tasks, and what each provides."""
QUICK = {
    "k": 2,
    "epochs": 1,
    "rank": 4,
    "tokens": 4,
    "width": 4,
    "batch_size": 4,
    "learning_rate": 0.01,
    "steps": 1,
    "questions": 3,
    "answers": 2,
    "max_new_tokens": 4,
    "n": 2,
    "max_reasoning_tokens": 4,
    "candidates": 3,
    "budget": 24,
    "items": 4,
    "instruction": "Say what it is.",
}


@pytest.fixture(scope="session")
def prepared(tiny_suite):
    return {name: prepare(load_suite(tiny_suite), name) for name in TASKS}


def list_lacking(strategy, task):
    """Name the steps of a strategy that need something which a task has not."""
    return [name for name in strategy.split("+") if discover.find_step(name).needs.task - TASKS[task]]


@pytest.fixture(
    scope="module",
    params=[(strategy, task) for task in TASKS for strategy in STRATEGIES if not list_lacking(strategy, task)],
    ids=lambda case: f"{case[0]}-{case[1]}",
)
def case(request, prepared, tiny_embedder):
    """A strategy with quick parameters and a task that it can be used on."""
    strategy, task = request.param
    return chain.build(write_quick(strategy, tiny_embedder), discover.find_step), prepared[task]


@pytest.fixture(scope="module")
def fresh(case, tiny_folders, tiny_cache):
    """Load the tiny model anew."""
    from tests import tiny

    return lambda: tiny.open_tiny(find_folder(case[0], tiny_folders), tiny_cache)


def find_folder(links, tiny_folders):
    """Give the folder of the tiny model, with a window that holds the corpus where a step needs it to."""
    return tiny_folders(window=2048) if any(link.step.needs.whole_corpus for link in links) else tiny_folders()


@dataclasses.dataclass
class AdaptedCase:
    """A system adapted with seed 5, the data and weights before, and the folder of its artifacts."""

    system: System
    data_before: TaskData
    weights_before: dict
    folder: Path


@pytest.fixture(scope="module")
def adapted_case(case, fresh, tmp_path_factory):
    links, task = case
    model, data, folder = fresh(), copy.deepcopy(task.task_data), tmp_path_factory.mktemp("kept")
    before = weights(model.module)
    return AdaptedCase(adapt_all(links, model, task.task_data, seed=5, save_to=folder), data, before, folder)


def write_quick(strategy, embedder):
    """Write a strategy with small values for whichever of the usual parameters it has."""
    links = []
    for name in strategy.split("+"):
        values = {**QUICK, "embedder": str(embedder)}
        fields = [f"{field}={values[field]!r}" for field in discover.find_step(name).model_fields if field in values]
        links.append(f"{name}({','.join(fields)})")
    return "+".join(links)


def adapt_all(links, model, data, *, seed=0, save_to=None, load_from=None):
    """Take all steps; each can be saved to, or loaded from, its own folder."""
    system, context = System(model, data.task), Context(seed=seed)
    for index, link in enumerate(links):
        if load_from and link.step.keeps_artifact:
            system = link.step.load(system, data, context, load_from / str(index))
            continue
        seed_everything(seed)
        system = link.step.adapt(system, data, context)
        if save_to and link.step.keeps_artifact:
            (save_to / str(index)).mkdir()
            link.step.save(system, save_to / str(index))
    return system


def predictions(system, task):
    answered = predict(system, [example.query for example in task.test])
    return [(p.answer, p.parsed, p.raw.output, p.raw.text, p.raw.choice_scores) for p in answered]


def agree(first, second):
    """Tell whether two lists of predictions are the same but for rounding in the scores."""
    pairs = list(zip(first, second, strict=True))
    return all(a[:-1] == b[:-1] and a[-1] == pytest.approx(b[-1], abs=1e-4) for a, b in pairs)


def weights(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_every_query_gets_one_prediction_in_order(case, adapted_case):
    _, task = case
    queries = [example.query for example in task.test]
    answers = predict(adapted_case.system, queries)
    assert [prediction.query for prediction in answers] == queries
    for prediction in answers:
        asks = not isinstance(adapted_case.system.model, ConstantModel)
        assert (prediction.query.input in prediction.raw.text) == asks
        assert (prediction.raw.prompt_tokens > 0) == asks
        assert (prediction.answer is None) == prediction.parsed.startswith("failed: ")
        if task.task_data.task.choices:
            assert prediction.answer in task.task_data.task.choices


def test_training_material_stays_as_it_is(case, adapted_case):
    assert case[1].task_data == adapted_case.data_before


def test_one_seed_gives_one_result_and_another_matters_only_to_what_is_random(case, adapted_case, fresh):
    links, task = case
    repeated, other_seed = (predictions(adapt_all(links, fresh(), task.task_data, seed=seed), task) for seed in (5, 6))
    expected = predictions(adapted_case.system, task)
    assert agree(repeated, expected)
    assert agree(other_seed, expected) or any(link.step.random for link in links)


def test_weights_change_only_where_a_step_says_so(case, adapted_case):
    if isinstance(adapted_case.system.model, ConstantModel):
        assert not any(link.step.changes_weights for link in case[0])
        return
    before, after = adapted_case.weights_before, weights(adapted_case.system.model.module)
    changed = after.keys() != before.keys() or any(not torch.equal(after[name], before[name]) for name in before)
    assert changed == any(link.step.changes_weights for link in case[0])


def test_what_is_kept_and_taken_up_again_answers_the_same(case, adapted_case, fresh):
    links, task = case
    loaded = adapt_all(links, fresh(), task.task_data, seed=5, load_from=adapted_case.folder)
    assert agree(predictions(loaded, task), predictions(adapted_case.system, task))


def test_a_trial_gives_a_whole_record_and_no_step_sees_a_test_item(
    case, tiny_suite, tiny_folders, tmp_path, monkeypatch
):
    links, task = case
    texts_per_step = []
    for kind in {type(link.step) for link in links}:
        monkeypatch.setattr(kind, "adapt", record_texts(kind.adapt, texts_per_step))
    config = RunConfig(
        suite=str(tiny_suite),
        tasks=(task.info.name, "quiz"),
        models=(str(find_folder(links, tiny_folders)),),
        strategies=(chain.canonical(links),),
    )
    planned = make_plan(config).trials[0]
    record, rows = run_trial(planned, cache=tmp_path, emit=lambda event: None)
    assert Completed.model_validate_json(record.model_dump_json()) == record
    target = [row for row in rows if row.role == "target"]
    assert [row.id for row in target] == [example.query.id for example in task.test]
    probed = any(link.step.changes_weights for link in links)
    assert sum(row.role == "probe" for row in rows) == (6 if probed else 0)
    assert len(texts_per_step) == len(links)
    for texts in texts_per_step:
        assert any(task.task_data.train[0].query.input in text for text in texts)
        assert not any(example.query.input in text for example in task.test for text in texts)


def record_texts(adapt, texts_per_step):
    """Wrap a step's method so that every text that it is given, however deep, is recorded first."""

    def wrapped(self, system, task, context):
        texts, visited = [], {}
        gather_texts([dataclasses.replace(system, model=None), task, context], texts, visited)
        texts_per_step.append(texts)
        return adapt(self, system, task, context)

    return wrapped


def gather_texts(value, texts, visited):
    """Follow containers, objects and what functions close over."""
    if id(value) in visited or isinstance(value, (type, torch.nn.Module, torch.Tensor)):
        return
    visited[id(value)] = value  # referenced, or another object could get its id
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, dict):
        gather_texts([*value.keys(), *value.values()], texts, visited)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for member in value:
            gather_texts(member, texts, visited)
    elif hasattr(value, "__closure__"):
        for cell in value.__closure__ or ():
            with suppress(ValueError):  # an empty cell
                gather_texts(cell.cell_contents, texts, visited)
    elif dataclasses.is_dataclass(value):
        gather_texts([getattr(value, field.name) for field in dataclasses.fields(value)], texts, visited)
    elif hasattr(value, "__dict__"):
        gather_texts(vars(value), texts, visited)


def test_training_material_has_no_place_for_test_items():
    assert {field.name for field in dataclasses.fields(TaskData)} == {
        "task",
        "train",
        "validation",
        "corpus",
        "corpus_hash",
        "metrics",
        "reward",
        "templates",
        "order",
        "hash",
        "parts",
        "paraphrases",
    }


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("task", TASKS)
def test_what_a_task_lacks_is_a_reason_to_skip(strategy, task, prepared, tiny_suite, tiny_folders):
    assert TASKS[task] == prepared[task].task_data.provides
    folder = find_folder(chain.build(strategy, discover.find_step), tiny_folders)
    config = RunConfig(suite=str(tiny_suite), tasks=(task,), models=(str(folder),), strategies=(strategy,))
    (planned,) = make_plan(config).trials
    steps = list_lacking(strategy, task)
    if steps:
        assert planned.skip.startswith(f"{steps[0]} needs ")
        assert repr(task) in planned.skip
    else:
        assert planned.skip is None


@pytest.mark.parametrize("name", discover.builtin_names())
def test_a_strategy_says_where_it_comes_from_and_what_its_parameters_are(name):
    step = discover.find_step(name)
    assert step.paper
    assert all(field.description for field in step.model_fields.values())
    assert len(Path(discover.inspect.getsourcefile(step)).read_text().splitlines()) <= 150
