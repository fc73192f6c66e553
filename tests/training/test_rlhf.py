"""Policy optimisation: trl's loss, rewards that rise, a divergence that the weight holds down."""

from itertools import islice

import pytest
import torch

from harness.api import Context, Example, Needs, Query, System, Task, TaskData
from harness.errors import HarnessError
from harness.plan.config import RunConfig
from harness.plan.discover import find_step
from harness.plan.planner import make_plan
from harness.training.adapters import attach_low_rank
from harness.training.policy import PolicySettings, advantages, optimise_policy, surrogate_loss
from harness.training.rollouts import build_questions, draw_batches, pack_rollouts, sample_answers

TASK = Task("t", "qa", instruction="Be brief.", max_new_tokens=4)
EXAMPLES = tuple(Example(Query(str(n), f"Which film {n}?"), ("good",), rejected="bad") for n in range(12))
TASK_DATA = TaskData(TASK, EXAMPLES[:8], EXAMPLES[8:])
SETTINGS = PolicySettings(1e-2, steps=6, questions=4, answers=4, max_new_tokens=3)


@pytest.fixture
def system(open_tiny):
    torch.manual_seed(0)
    return System(attach_low_rank(open_tiny(), rank=4, alpha=8.0, dropout=0.0, targets="all-linear"), TASK)


def wants(token):
    """A reward for answers that have a token."""
    return lambda questions, answers: torch.tensor([[float(token in answer) for answer in group] for group in answers])


def favourite(system):
    """A token that the untrained policy draws now and then."""
    groups = sample_answers(system.model, build_questions(system, TASK_DATA, "train", 3), 8, 3, seed=1)
    tokens = [token for group in groups for answer in group for token in answer]
    return max(set(tokens), key=tokens.count)


def optimised(system, reward, policy_settings, seed=0):
    points = []
    tuned = optimise_policy(system, TASK_DATA, reward, policy_settings, Context(seed=seed, log=points.append))
    return tuned, points


def test_the_reward_rises_and_the_curve_tells_of_it_before_and_after(system):
    _, points = optimised(system, wants(favourite(system)), PolicySettings(2e-2, 12, 4, 8, 3, beta=0.0))
    held_out = [point for point in points if "validation_reward" in point]
    assert [point["step"] for point in held_out] == [0, 3, 6, 9, 12]
    assert held_out[0]["validation_kl"] == pytest.approx(0, abs=1e-6)
    assert held_out[-1]["validation_kl"] > 0.1
    steps = [point for point in points if "reward" in point]
    assert len(steps) == 12
    assert {"loss", "kl", "completion_tokens", "cut_off", "learning_rate", "gradient_norm"} <= steps[0].keys()
    mean = [sum(point["reward"] for point in part) / 3 for part in (steps[:3], steps[-3:])]
    assert mean[1] > mean[0] + 0.2


def test_a_weight_on_the_divergence_keeps_the_policy_close(system, open_tiny):
    ends = []
    for beta in (0.0, 5.0):
        torch.manual_seed(0)
        model = attach_low_rank(open_tiny(), rank=4, alpha=8.0, dropout=0.0, targets="all-linear")
        token = favourite(system)
        _, points = optimised(system.replace(model=model), wants(token), PolicySettings(2e-2, 8, 4, 4, 3, beta=beta))
        ends.append([point["validation_kl"] for point in points if "validation_kl" in point][-1])
    assert ends[1] < ends[0] / 2


def test_one_seed_gives_one_policy_and_another_seed_another(open_tiny):
    trained_weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(0)
        model = attach_low_rank(open_tiny(), rank=4, alpha=8.0, dropout=0.0, targets="all-linear")
        optimised(
            System(model, TASK),
            lambda _, answers: torch.tensor([[float(sum(a)) for a in f] for f in answers]),
            SETTINGS,
            seed,
        )
        trained_weights.append([p.detach().clone() for p in model.module.parameters() if p.requires_grad])
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(trained_weights[0], trained_weights[1], strict=True))
    assert any(not torch.allclose(a, b, atol=1e-3) for a, b in zip(trained_weights[0], trained_weights[2], strict=True))


@pytest.mark.parametrize("kind", ["llama", "sliding"])
def test_answers_laid_out_together_have_the_likelihoods_that_they_have_alone(open_tiny, kind):
    model = open_tiny(kind)
    questions = build_questions(System(model, TASK), TASK_DATA, "train", 3)
    answers = sample_answers(model, questions, 3, 3, seed=0)
    values = torch.arange(24.0).view(8, 3)
    log_likelihoods = {}
    for rollouts in pack_rollouts(model, questions, answers, values, 60):
        logs = rollouts.token_log_likelihoods(model.module)
        for value in rollouts.advantages.unique():
            log_likelihoods[value.item()] = logs[rollouts.advantages == value].sum().item()
    for index, (question, group) in enumerate(zip(questions, answers, strict=True)):
        for number, tokens in enumerate(group):
            with torch.no_grad():
                out = model.module(torch.tensor([question.prompt + tokens])).logits[0].log_softmax(-1)
            expected = sum(out[len(question.prompt) - 1 + i, token].item() for i, token in enumerate(tokens))
            assert log_likelihoods[values[index, number].item()] == pytest.approx(expected, abs=1e-3)


def test_an_answer_ends_with_the_turn_or_is_cut_off_and_draws_differ(open_tiny):
    model = open_tiny()
    answers = sample_answers(model, build_questions(System(model, TASK), TASK_DATA, "train", 6), 4, 6, seed=3)
    end = model.tokenizer.eos_token_id
    assert all(answer[-1] == end or len(answer) == 6 for group in answers for answer in group)
    assert all(end not in answer[:-1] for group in answers for answer in group)
    assert any(len({tuple(answer) for answer in group}) > 1 for group in answers)


def test_every_question_comes_before_one_comes_again():
    batches = list(islice(draw_batches(EXAMPLES, 5, 0), 12))
    flat = [example.query.id for step in batches for example in step]
    assert all(len(set(flat[i : i + 12])) == 12 for i in range(0, 60, 12))
    assert flat == [e.query.id for step in islice(draw_batches(EXAMPLES, 5, 0), 12) for e in step]
    assert len(next(draw_batches(EXAMPLES, 30, 0))) == 30


def test_answers_that_are_all_worth_the_same_teach_nothing():
    standardised = advantages(torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 3.0]]))
    assert standardised[0].tolist() == [0, 0, 0]
    assert standardised[1].tolist() == pytest.approx([-0.5773, -0.5773, 1.1546], abs=1e-3)


def test_the_loss_is_that_of_trl(open_tiny, tmp_path):
    pytest.importorskip("trl")
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    model, policy_settings = open_tiny(), PolicySettings(1e-2, 1, 2, 2, 3, beta=0.3, clip=0.2)
    config = GRPOConfig(
        output_dir=str(tmp_path),
        loss_type="bnpo",
        beta=policy_settings.beta,
        epsilon=policy_settings.clip,
        num_generations=2,
        per_device_train_batch_size=2,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        report_to=[],
    )
    table = Dataset.from_list([{"prompt": "a"}, {"prompt": "b"}])
    trainer = GRPOTrainer(
        model.module, lambda **_: [0.0], args=config, train_dataset=table, processing_class=model.tokenizer
    )
    trainer.current_gradient_accumulation_steps = 1
    generator = torch.Generator().manual_seed(0)
    prompts, answers = (
        torch.randint(6, 60, (2, 5), generator=generator),
        torch.randint(6, 60, (2, 4), generator=generator),
    )
    with torch.no_grad():
        logs = model.module(torch.cat([prompts, answers], 1)).logits[:, 4:-1].log_softmax(-1)
    new = logs.gather(-1, answers[..., None])[..., 0]
    old, reference = (new + scale * torch.randn(new.shape, generator=generator) for scale in (0.4, 0.3))
    mask, values = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]), torch.tensor([0.7, -0.7])
    inputs = {
        "prompt_ids": prompts,
        "prompt_mask": torch.ones_like(prompts),
        "completion_ids": answers,
        "completion_mask": mask,
        "advantages": values,
        "old_per_token_logps": old,
        "ref_per_token_logps": reference,
    }
    peer = trainer._compute_loss(trainer.model, inputs).item()
    ours, kl = surrogate_loss(new, old, reference, values[:, None].expand(2, 4), policy_settings)
    assert (ours * mask).sum().item() / 6 == pytest.approx(peer, abs=1e-5)
    assert (kl >= 0).all()


def test_divergence_is_an_error_that_says_what_to_lower(system):
    broken = lambda questions, answers: torch.full((len(questions), len(answers[0])), float("nan"))  # noqa: E731
    with pytest.raises(HarnessError, match=r"gives no numbers .* for the validation items"):
        optimised(system, broken, SETTINGS)


def test_a_policy_that_gets_worse_stops_and_is_the_one_from_before(system):
    token = favourite(system)
    rewards, runs = iter((1.0, *(-float(n) for n in range(100)))), []

    def reward(questions, answers):
        if len(answers[0]) == 1:  # of validation: ever worse
            return torch.full((len(questions), 1), next(rewards))
        return wants(token)(questions, answers)

    before = [p.detach().clone() for p in system.model.module.parameters()]
    policy_settings = PolicySettings(1e-2, 40, 4, 4, 3, min_steps=4, patience=2, evaluate_every=2)
    optimise_policy(system, TASK_DATA, reward, policy_settings, Context(record_training=runs.append))
    assert (runs[0].steps, runs[0].ceiling_steps, runs[0].reason, runs[0].best_step) == (7, 40, "patience", 0)
    assert all(torch.equal(a, b) for a, b in zip(before, system.model.module.parameters(), strict=True))


def test_what_is_needed_depends_on_the_reward():
    kind = find_step("rlhf")
    assert kind().requirements() == kind.needs == Needs(frozenset({"preferences"}), frozenset({"train", "generate"}))
    assert kind(reward="task").requirements().task == {"train", "reward"}


def test_a_task_without_pairs_or_reward_is_skipped_with_a_reason(tiny_suite, tiny_folders):
    config = RunConfig(
        suite=str(tiny_suite),
        tasks=("moods",),
        models=(str(tiny_folders()),),
        strategies=("rlhf", "rlhf(reward=task)", "lora+dpo"),
    )
    reasons = {planned.trial.strategy: planned.skip for planned in make_plan(config).trials}
    assert reasons == {
        "rlhf": "rlhf needs preference pairs; task 'moods' has none",
        "rlhf(reward=task)": "rlhf needs a reward; task 'moods' has none",
        "lora+dpo": "dpo needs preference pairs; task 'moods' has none",
    }


def test_a_verifiable_reward_needs_no_reward_model(open_tiny):
    step = find_step("rlhf")(reward="task", steps=2, questions=2, answers=2, max_new_tokens=3, rank=4)
    points = []
    model = open_tiny()
    data = TaskData(TASK, EXAMPLES[:4], EXAMPLES[8:], reward="token_f1")
    system = step.adapt(System(model, TASK), data, Context(log=points.append))
    assert list(system.model.module.peft_config) == ["default"]
    assert not any("reward_accuracy" in point for point in points)
    assert sum("reward" in point for point in points) == 2
