"""The preference loop computes what its formula says, however pairs are laid out, and what trl's DPOTrainer does."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.api import Context, Example, Query, System, Task, TaskData
from harness.errors import HarnessError
from harness.training.adapters import attach_low_rank, unfreeze
from harness.training.batches import epoch_batches
from harness.training.pairs import PreferencePair, build_pairs, build_split_pairs
from harness.training.preferences import PreferenceLoop, evaluate, log_ratio_margins, train, with_reference
from harness.training.settings import PreferenceSettings
from harness.training.stopping import StoppingRule

TOKEN = st.integers(6, 60)
ANSWER = st.lists(TOKEN, min_size=1, max_size=6)
PAIR = st.builds(PreferencePair, st.lists(TOKEN, min_size=1, max_size=8), ANSWER, ANSWER)
PAIRS = [PreferencePair([10, 11, 12 + n % 5], [20, 21 + n % 3, 2], [20, 30 + n % 4, 31, 2]) for n in range(12)]


def settings_of(learning_rate, epochs, batch_size, **changes):
    return PreferenceSettings(learning_rate=learning_rate, epochs=epochs, batch_size=batch_size, **changes)


@pytest.fixture(scope="module")
def module(tiny_folders, tiny_cache):
    from tests import tiny

    return tiny.open_tiny(tiny_folders(), tiny_cache).module


def trained(module):
    return [p for p in module.parameters() if p.requires_grad]


def low_rank(model):
    torch.manual_seed(0)
    return attach_low_rank(model, rank=4, alpha=8.0, dropout=0.0, targets="all-linear")


def log_ratio(module, pair):
    """The reference: both answers whole, each by an ordinary forward pass."""
    log_probabilities = []
    for answer in (pair.chosen, pair.rejected):
        logs = module(torch.tensor([pair.prompt + answer])).logits[0, len(pair.prompt) - 1 : -1].log_softmax(-1)
        log_probabilities.append(logs.gather(-1, torch.tensor(answer)[:, None]).sum())
    return log_probabilities[0] - log_probabilities[1]


@settings(max_examples=25, deadline=None)
@given(
    prefix=st.lists(TOKEN, max_size=4),
    batch=st.lists(PAIR, min_size=1, max_size=5),
    budget=st.one_of(st.none(), st.integers(1, 80)),
)
def test_margins_are_those_of_whole_answers_alone(module, prefix, batch, budget):
    batch = [PreferencePair(prefix + p.prompt, p.chosen, p.rejected, reference=0.25) for p in batch]
    expected = sorted(0.5 * (log_ratio(module, pair).item() - 0.25) for pair in batch)
    margins = log_ratio_margins(module, settings_of(1e-3, 1, 8, beta=0.5, row_tokens=budget))
    computed = sorted(value for pass_margins in margins(batch) for value in pass_margins.tolist())
    assert computed == pytest.approx(expected, abs=1e-4)


def test_what_both_answers_begin_with_is_read_once():
    pair = PreferencePair([5, 6], [7, 8, 9, 2], [7, 8, 11, 12, 2])
    assert pair.branch.stem == [5, 6, 7, 8]
    assert pair.branch.leaves == ([9, 2], [11, 12, 2])


@pytest.mark.parametrize(("chosen", "rejected"), [([7, 2], [7, 2]), ([7], [7, 8]), ([7, 8], [7])])
def test_a_leaf_is_never_empty(chosen, rejected):
    assert all(PreferencePair([5], chosen, rejected).branch.leaves)


def test_before_the_first_update_nothing_is_preferred(open_tiny):
    model = low_rank(open_tiny())
    pairs = with_reference(model.module, PAIRS, 64)
    figures = evaluate(pairs, log_ratio_margins(model.module, settings_of(1e-3, 1, 4)))
    assert figures["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert figures["reward_margin"] == pytest.approx(0, abs=1e-5)


def test_the_reference_of_a_fresh_adapter_is_the_model_below(open_tiny):
    plain = with_reference(open_tiny().module, PAIRS, 64)
    model = low_rank(open_tiny())
    fresh = with_reference(model.module, PAIRS, 64)
    assert [p.reference for p in fresh] == pytest.approx([p.reference for p in plain], abs=1e-5)


@pytest.mark.parametrize("budget", [None, 20, 768])
def test_the_size_of_rows_does_not_change_what_is_learned(open_tiny, budget):
    trained_weights = []
    for size in (768, budget):
        model = unfreeze(open_tiny())
        loop_settings = settings_of(1e-3, 1, 4, row_tokens=size)
        pairs = with_reference(model.module, PAIRS, size)
        train(
            trained(model.module),
            pairs,
            [],
            log_ratio_margins(model.module, loop_settings),
            PreferenceLoop(loop_settings, Context()),
        )
        trained_weights.append([p.detach().clone() for p in model.module.parameters()])
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(*trained_weights, strict=True))


def run(open_tiny, loop_settings, train_pairs=PAIRS, validation_pairs=(), *, seed=0, record=lambda run: None):
    model = low_rank(open_tiny())
    points = []
    pairs, held_out_pairs = (
        with_reference(model.module, split, loop_settings.row_tokens) for split in (train_pairs, validation_pairs)
    )
    margins = log_ratio_margins(model.module, loop_settings)
    train(
        trained(model.module),
        pairs,
        held_out_pairs,
        margins,
        PreferenceLoop(loop_settings, Context(seed=seed, log=points.append, record_training=record)),
    )
    return model, points, evaluate(held_out_pairs or pairs, margins)


def test_training_makes_the_better_answers_likelier(open_tiny):
    _, points, figures = run(open_tiny, settings_of(5e-3, 4, 4, evaluate_every=3), validation_pairs=PAIRS)
    assert figures["preference_accuracy"] == 1
    assert figures["loss"] < 0.6
    steps = [point for point in points if "loss" in point]
    assert [point["step"] for point in steps] == list(range(1, 13))
    assert {"loss", "learning_rate", "gradient_norm", "reward_margin", "preference_accuracy"} <= steps[0].keys()
    checks = [point for point in points if "validation_loss" in point]
    assert [point["epoch"] for point in checks] == [0, 1, 2, 3, 4]
    assert checks[0]["validation_loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert {"train_loss", "validation_preference_accuracy", "validation_reward_margin"} <= checks[1].keys()
    assert sum("train_preference_accuracy" in point for point in points) == 4


def test_the_epoch_with_the_lowest_validation_loss_stays(open_tiny):
    opposed = [PreferencePair(p.prompt, p.rejected, p.chosen) for p in PAIRS]
    model, points, figures = run(open_tiny, settings_of(5e-3, 4, 4, evaluate_every=3), validation_pairs=opposed)
    values = [point["validation_loss"] for point in points if "validation_loss" in point]
    assert values.index(min(values)) == 0  # that before training: the more PAIRS are learned, the worse these
    assert figures["loss"] == pytest.approx(min(values), abs=1e-5)
    assert not any(p.any() for name, p in model.module.named_parameters() if "lora_B" in name)


def test_patience_ends_it_as_it_ends_supervised_tuning(open_tiny):
    opposed = [PreferencePair(p.prompt, p.rejected, p.chosen) for p in PAIRS]
    loop_settings = settings_of(5e-3, 30, 4, min_steps=6, patience=2, evaluate_every=3)
    runs = []
    run(open_tiny, loop_settings, validation_pairs=opposed, record=runs.append)
    assert (runs[0].steps, runs[0].floor_steps, runs[0].ceiling_steps) == (11, 6, 90)
    assert (runs[0].reason, runs[0].best_step) == ("patience", 0)


def test_one_seed_gives_one_order_and_another_seed_another():
    assert epoch_batches(PAIRS, 5, 1) == epoch_batches(PAIRS, 5, 1) != epoch_batches(PAIRS, 5, 2)
    assert [len(batch) for batch in epoch_batches(PAIRS, 5, 1)] == [5, 5, 2]


def test_pairs_without_numbers_are_an_error(open_tiny):
    broken = [PreferencePair(p.prompt, p.chosen, p.rejected, reference=math.nan) for p in PAIRS]
    model = low_rank(open_tiny())
    loop_settings = settings_of(1e-3, 1, 4)
    with pytest.raises(HarnessError, match=r"gives no numbers .* for the first batch"):
        train(
            trained(model.module),
            broken,
            [],
            log_ratio_margins(model.module, loop_settings),
            PreferenceLoop(loop_settings, Context()),
        )


def test_pairs_are_laid_out_as_the_system_asks_and_end_with_the_turn(open_tiny):
    model = open_tiny()
    task = Task("t", "preference", instruction="Be brief.")
    examples = (Example(Query("1", "Which film?"), ("good",), rejected="bad"), Example(Query("2", "And?"), ("good",)))
    system = System(model, task)
    (pair,) = build_pairs(system, examples)
    (rendered, _) = model.render_prompts(system.prompts([example.query for example in examples]), 4)
    assert pair.prompt == rendered.tokens
    assert pair.chosen == [*model.encode("good"), model.tokenizer.eos_token_id]
    assert pair.rejected == [*model.encode("bad"), model.tokenizer.eos_token_id]


def test_tasks_that_are_learned_together_bring_their_pairs(open_tiny):
    first, second = (
        TaskData(
            Task(name, "preference", instruction=name), (Example(Query("1", "Which film?"), ("good",), rejected="bad"),)
        )
        for name in ("one", "two")
    )
    task_data = TaskData(first.task, first.train, parts=(first, second))
    pairs = build_split_pairs(System(open_tiny(), first.task), task_data, "train")
    assert len(pairs) == 2
    assert pairs[0].prompt != pairs[1].prompt


def peer(model, table, config, rate):
    """Make trl's trainer take tokens in their order; return the loss of every step."""
    from torch.optim import AdamW
    from torch.optim.lr_scheduler import LambdaLR
    from torch.utils.data import SequentialSampler
    from trl import DPOTrainer

    class Trainer(DPOTrainer):
        def _prepare_dataset(self, dataset, *_):
            return dataset

        def _get_train_sampler(self, dataset=None):
            return SequentialSampler(dataset or self.train_dataset)

        def training_step(self, *inputs):
            loss = super().training_step(*inputs)
            losses.append(loss.item())
            return loss

    losses, rule = [], StoppingRule(1.0, math.ceil(len(table) / config.per_device_train_batch_size), warmup=1)
    inner = AdamW(trained(model.module), lr=rate, weight_decay=0.0)
    rates = LambdaLR(inner, lambda step: replace(rule, step=step).learning_rate)
    options = {"args": config, "train_dataset": table, "processing_class": model.tokenizer}
    Trainer(model.module, optimizers=(inner, rates), **options).train()
    return losses


def test_losses_and_weights_are_those_of_trl_step_by_step(open_tiny, tmp_path):
    pytest.importorskip("trl")
    from datasets import Dataset
    from trl import DPOConfig

    loop_settings = settings_of(5e-3, 1, 4, beta=0.3)
    ours, points, _ = run(open_tiny, loop_settings)
    theirs = low_rank(open_tiny())
    order = [pair for batch in epoch_batches(PAIRS, loop_settings.batch_size, 1) for pair in batch]
    columns = {"prompt_ids": "prompt", "chosen_ids": "chosen", "rejected_ids": "rejected"}
    table = Dataset.from_list([{name: getattr(pair, field) for name, field in columns.items()} for pair in order])
    config = DPOConfig(
        output_dir=str(tmp_path),
        beta=loop_settings.beta,
        per_device_train_batch_size=loop_settings.batch_size,
        num_train_epochs=1,
        max_grad_norm=1.0,
        precompute_ref_log_probs=True,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    losses = peer(theirs, table, config, loop_settings.learning_rate)
    assert losses == pytest.approx([point["loss"] for point in points if "loss" in point], abs=1e-5)
    assert losses[-1] < losses[0]
    our_weights, peer_weights = (dict(model.module.named_parameters()) for model in (ours, theirs))
    assert all(torch.allclose(our_weights[name], peer_weights[name], atol=1e-4) for name in our_weights)
