"""Preference tuning against trl's DPOTrainer on the same pairs: pytest --benchmark-only, extra `peers`."""

import pytest
import side_by_side

from harness.api import Context, System
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.prompts.layout import render_prompt
from harness.training import adapters, pairs, preferences
from harness.training.settings import PreferenceSettings

pytest.importorskip("trl", reason="pip install -c constraints.txt -e '.[test,peers]'")

ROUNDS, PAIRS, BATCH, RATE, BETA = 3, 48, 8, 5e-5, 0.1
ADAPTER = {"rank": 16, "alpha": 32.0, "dropout": 0.0, "targets": "all-linear"}
VARIANTS = {"defaults": {}, "without gradient checkpointing": {"gradient_checkpointing": False}}
"""Settings of trl: reference computed before training, batches of 8."""
summaries = {}


@pytest.fixture(scope="module")
def everyday():
    return prepare(load_suite("preferences"), "everyday", limits={"train": PAIRS, "validation": 32, "test": 8})


def fresh():
    return adapters.attach_low_rank(side_by_side.fresh_model(), **ADAPTER)


def held_out_margin(model, data):
    """How much more than the untrained model it favours the better answers of the validation split, nats."""
    system = System(model, data.task_data.task)
    held_out_pairs = pairs.build_split_pairs(system, data.task_data, "validation")
    with model.module.disable_adapter():
        held_out_pairs = preferences.with_reference(model.module, held_out_pairs, 768)
    settings = PreferenceSettings(learning_rate=RATE, epochs=1, batch_size=BATCH, beta=1.0)
    margins = preferences.log_ratio_margins(model.module, settings)
    return preferences.evaluate(held_out_pairs, margins)["reward_margin"]


def train_ours(data):
    """Train once, the reference included; return seconds, tokens and the margin on the validation split."""
    model = fresh()
    system = System(model, data.task_data.task)
    settings = PreferenceSettings(learning_rate=RATE, epochs=1, batch_size=BATCH, beta=BETA)
    train_pairs = pairs.build_split_pairs(system, data.task_data, "train")

    def work():
        reference_pairs = preferences.with_reference(model.module, train_pairs, settings.row_tokens)
        parameters = [p for p in model.module.parameters() if p.requires_grad]
        margins = preferences.log_ratio_margins(model.module, settings)
        preferences.train(parameters, reference_pairs, [], margins, preferences.PreferenceLoop(settings, Context()))

    _, seconds = side_by_side.timed(work)
    return seconds, sum(pair.tokens for pair in train_pairs), held_out_margin(model, data)


def train_peer(data, folder, options):
    """Train once with trl, the reference included; return seconds and the margin on the validation split."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    model = fresh()
    system = System(model, data.task_data.task)
    prompts = system.prompts([e.query for e in data.task_data.train])
    rows = [
        {
            "prompt": render_prompt(prompt, model.tokenizer, max_tokens=None).text,
            "chosen": f" {e.references[0]}",
            "rejected": f" {e.rejected}",
        }
        for prompt, e in zip(prompts, data.task_data.train, strict=True)
    ]
    settings = DPOConfig(
        output_dir=str(folder),
        beta=BETA,
        precompute_ref_log_probs=True,
        per_device_train_batch_size=BATCH,
        num_train_epochs=1,
        learning_rate=RATE,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=str(model.module.device) == "cpu",
        **options,
    )
    table = Dataset.from_list(rows)

    def work():  # the trainer computes the reference when it is made
        trainer = DPOTrainer(model.module, args=settings, train_dataset=table, processing_class=model.tokenizer)
        trainer.train()
        return trainer.model

    module, seconds = side_by_side.timed(work)
    return seconds, held_out_margin(model.with_module(module), data)


@pytest.mark.parametrize("name", VARIANTS)
def test_preference_tuning_is_faster_than_by_trl(benchmark, everyday, tmp_path, name):
    pairs, ends = side_by_side.Pairs(), {}

    def peer():
        seconds, ends["margin_peer"] = train_peer(everyday, tmp_path, VARIANTS[name])
        pairs.peer_s.append(seconds)

    def ours():
        seconds, ends["tokens"], ends["margin_ours"] = train_ours(everyday)
        pairs.ours_s.append(seconds)

    benchmark.pedantic(ours, setup=peer, rounds=ROUNDS, iterations=1)
    figures = pairs.summary() | {
        "pairs": PAIRS,
        "batch_size": BATCH,
        "tokens": ends["tokens"],
        "held_out_margin_ours": round(ends["margin_ours"], 3),
        "held_out_margin_peer": round(ends["margin_peer"], 3),
    }
    benchmark.extra_info.update(figures)
    summaries[name] = figures
    side_by_side.write("preferences", {"peer": "trl DPOTrainer, LoRA r16, bf16", "ways": summaries}, ["trl", "peft"])
    assert figures["ratio"] > 1, figures
