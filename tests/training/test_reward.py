"""A reward model scores whole answers as an ordinary forward pass would; a metric scores what was answered."""

from contextlib import suppress

import pytest
import torch

from harness.api import Context, Example, Query, System, Task, TaskData
from harness.decoding.packed_rows import Branch
from harness.errors import HarnessError
from harness.training.adapters import attach_low_rank
from harness.training.reward import (
    ADAPTER,
    CUT_OFF_PENALTY,
    Question,
    RewardModel,
    active_adapter,
    drop_adapter,
    fit_reward_model,
    metric_reward,
)
from harness.training.settings import PreferenceSettings

TASK = Task("t", "qa", instruction="Be brief.", max_new_tokens=4)
EXAMPLES = tuple(
    Example(Query(str(n), f"Which film {n % 7}?"), (f"good {n % 3}",), rejected=f"bad {n % 4}") for n in range(16)
)
TASK_DATA = TaskData(TASK, EXAMPLES[:12], EXAMPLES[12:], reward="exact_match")


def policy(model):
    torch.manual_seed(0)
    return attach_low_rank(model, rank=4, alpha=8.0, dropout=0.0, targets="all-linear")


@pytest.mark.parametrize("kind", ["llama", "tied", "gpt2", "sliding"])
@pytest.mark.parametrize("budget", [None, 14, 768])
def test_a_reward_is_the_heads_value_at_the_answers_last_token(open_tiny, kind, budget):
    model = open_tiny(kind)
    if not model.supports_packing and budget is not None:
        pytest.skip("its branches cannot share a row")
    reward = RewardModel(model.module.eval(), torch.nn.Linear(64, 1), budget, ends=frozenset({2}))
    branches = [Branch([10, 11, 12 + n], ([20, 21, 2], [30 + n, 2])) for n in range(3)]
    with torch.no_grad():
        rewards_by_branch = {
            index: value
            for indices, values in reward.rewards(branches)
            for index, value in zip(indices, values.view(-1, 2).tolist(), strict=True)
        }
        for index, branch in enumerate(branches):
            for leaf, value in zip(branch.leaves, rewards_by_branch[index], strict=True):
                tokens = torch.tensor([branch.stem + leaf])
                hidden = model.module(tokens, output_hidden_states=True).hidden_states[-1][0, -1]
                assert value == pytest.approx(reward.head(hidden).item(), abs=1e-4)


def fitted(model, points, **changes):
    parameters = {"learning_rate": 5e-3, "epochs": 4, "batch_size": 4} | changes
    return fit_reward_model(
        model, System(model, TASK), TASK_DATA, PreferenceSettings(**parameters), Context(log=points.append)
    )


def test_a_reward_model_learns_which_answer_is_better_and_says_how_well(open_tiny):
    points = []
    model = policy(open_tiny())
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    reward = fitted(model, points)
    assert [p for p in points if "reward_accuracy" in p] == [{"reward_accuracy": 1.0, "reward_accuracy_n": 4}]
    first = next(point for point in points if "reward_model_loss" in point)
    assert first.keys() >= {"step", "reward_model_preference_accuracy", "reward_model_learning_rate"}
    assert points[0].keys() >= {"step", "reward_model_validation_loss"}
    questions = questions_of(model)
    texts = [[[*model.encode(text), 2] for text in ("good 1", "bad 1")] for _ in questions]
    rewards = reward(questions, texts)
    assert rewards.shape == (4, 2)
    assert (rewards[:, 0] > rewards[:, 1]).all()
    after = model.module.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def questions_of(model):
    prompts = model.render_prompts(System(model, TASK).prompts([e.query for e in TASK_DATA.validation]), 4)
    return [Question(e, prompt.tokens, TASK_DATA) for e, prompt in zip(TASK_DATA.validation, prompts, strict=True)]


def test_rewards_of_the_training_answers_have_mean_zero_and_deviation_one(open_tiny):
    model = policy(open_tiny())
    reward = fitted(model, [])
    prompts = model.render_prompts(System(model, TASK).prompts([e.query for e in TASK_DATA.train]), 4)
    questions = [Question(e, prompt.tokens, TASK_DATA) for e, prompt in zip(TASK_DATA.train, prompts, strict=True)]
    answers = [[[*model.encode(text), 2] for text in (e.references[0], e.rejected)] for e in TASK_DATA.train]
    rewards = reward(questions, answers)
    assert rewards.mean().item() == pytest.approx(0, abs=1e-4)
    assert rewards.std().item() == pytest.approx(1, abs=1e-4)


def test_an_answer_that_was_cut_off_is_worth_less(open_tiny):
    model = open_tiny()
    end = model.tokenizer.eos_token_id
    reward = RewardModel(policy(model).module, torch.nn.Linear(64, 1), 768, ends=frozenset({end}))
    reward.module.add_adapter(ADAPTER, reward.module.peft_config["default"])
    torch.nn.init.zeros_(reward.head.weight)
    (question, *_) = questions_of(model)
    complete, cut = reward([question], [[[20, 21, end], [20, 21]]])[0].tolist()
    assert complete - cut == pytest.approx(CUT_OFF_PENALTY)


def test_only_the_policy_is_left_of_it(open_tiny, tmp_path):
    model = policy(open_tiny())
    fitted(model, [], epochs=1)
    assert model.module.active_adapter == "default"
    drop_adapter(model)
    assert list(model.module.peft_config) == ["default"]
    assert all("default" in name for name, p in model.module.named_parameters() if p.requires_grad)
    model.save_adapted(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


def test_the_policys_adapter_comes_back_even_after_an_error(open_tiny):
    model = policy(open_tiny())
    model.module.add_adapter(ADAPTER, model.module.peft_config["default"])
    with suppress(RuntimeError), active_adapter(model.module, ADAPTER):
        assert model.module.active_adapter == ADAPTER
        raise RuntimeError
    assert model.module.active_adapter == "default"


def test_a_metric_rewards_the_answer_as_it_would_be_read(open_tiny):
    model = open_tiny()
    (question, *_) = questions_of(model)
    right = question.example.references[0]
    answers = [[model.encode(text) for text in (f"Answer: {right}\nand more", "good", "")]]
    assert metric_reward(model.tokenizer)([question], answers).tolist() == [[1.0, 0.0, 0.0]]


def test_a_metric_that_scores_no_single_answer_is_no_reward(open_tiny):
    model = open_tiny()
    (question, *_) = questions_of(model)
    question = Question(question.example, question.prompt, TaskData(TASK, reward="macro_f1"))
    with pytest.raises(HarnessError, match="'macro_f1' cannot be the reward of task 't'"):
        metric_reward(model.tokenizer)([question], [[[20]]])
