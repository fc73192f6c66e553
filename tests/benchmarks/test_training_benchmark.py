"""Training a low-rank adapter against trl's SFTTrainer on the same examples: pytest --benchmark-only, extra `peers`."""

import pytest
import side_by_side

from harness.api import Context, System
from harness.prompts.layout import render_prompt
from harness.training import adapters, losses, supervised, training_samples
from harness.training.settings import SupervisedSettings

pytest.importorskip("trl", reason="pip install -c constraints.txt -e '.[test,peers]'")

PAIRS, EXAMPLES, HELD_OUT, BATCH, RATE = 3, 96, 64, 8, 5e-4
PLAIN = {"gradient_checkpointing": False}
VARIANTS = {
    "like for like": (PLAIN, {}),
    "like for like, both with gradient checkpointing": ({"gradient_checkpointing": True}, {"checkpointing": True}),
    "like for like, trl padding-free": (PLAIN | {"padding_free": True, "max_length": None}, {}),
    "each at its defaults": ({}, {}),
}
"""Settings of trl and ours: batches of 8. trl's defaults include gradient checkpointing, ours do not."""
summaries = {}


@pytest.fixture(scope="module")
def sentiment():
    return side_by_side.quickstart("sentiment", train=EXAMPLES, validation=HELD_OUT)


def build_split(model, data, examples):
    return training_samples.build_samples(System(model, data.task_data.task), examples)


def held_out_loss(model, data):
    """Mean cross-entropy of the validation split's answers, nats a token."""
    held_out = build_split(model, data, data.task_data.validation)
    return losses.mean_loss(model.module.eval(), held_out, 768)


def train_ours(data, options):
    """Train once; return seconds, real tokens and the loss on the validation split."""
    model = adapters.attach_low_rank(side_by_side.fresh_model(), rank=16, alpha=32.0, dropout=0.0, targets="all-linear")
    train_samples = build_split(model, data, data.task_data.train)
    settings = SupervisedSettings(learning_rate=RATE, epochs=1, batch_size=BATCH, **options)
    _, seconds = side_by_side.timed(lambda: supervised.train(model.module, train_samples, settings, Context()))
    return seconds, sum(sample.tokens for sample in train_samples), held_out_loss(model, data)


def train_peer(data, folder, options):
    """Train once with trl; return seconds and the loss on the validation split."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    model = side_by_side.fresh_model()
    system = System(model, data.task_data.task)
    prompts = system.prompts([e.query for e in data.task_data.train])
    rows = [
        {"prompt": render_prompt(prompt, model.tokenizer, max_tokens=None).text, "completion": f" {e.references[0]}"}
        for prompt, e in zip(prompts, data.task_data.train, strict=True)
    ]
    settings = SFTConfig(
        output_dir=str(folder),
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
    adapter = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    trainer = SFTTrainer(
        model.module,
        args=settings,
        train_dataset=Dataset.from_list(rows),
        processing_class=model.tokenizer,
        peft_config=adapter,
    )
    _, seconds = side_by_side.timed(trainer.train)
    return seconds, held_out_loss(model.with_module(trainer.model), data)


@pytest.mark.parametrize("name", VARIANTS)
def test_training_is_faster_than_by_trl(benchmark, sentiment, tmp_path, name):
    pairs, ends = side_by_side.Pairs(), {}
    peer_options, our_options = VARIANTS[name]

    def peer():
        seconds, ends["loss_peer"] = train_peer(sentiment, tmp_path, peer_options)
        pairs.peer_s.append(seconds)

    def ours():
        seconds, ends["tokens"], ends["loss_ours"] = train_ours(sentiment, our_options)
        pairs.ours_s.append(seconds)

    benchmark.pedantic(ours, setup=peer, rounds=PAIRS, iterations=1)
    tokens = ends["tokens"]
    figures = pairs.summary() | {
        "examples": EXAMPLES,
        "batch_size": BATCH,
        "tokens": tokens,
        "ours_tokens_per_s": [round(tokens / s, 1) for s in pairs.ours_s],
        "peer_tokens_per_s": [round(tokens / s, 1) for s in pairs.peer_s],
        "held_out_loss_ours": round(ends["loss_ours"], 3),
        "held_out_loss_peer": round(ends["loss_peer"], 3),
    }
    benchmark.extra_info.update(figures)
    summaries[name] = figures
    side_by_side.write("training", {"peer": "trl SFTTrainer, LoRA r16, bf16", "ways": summaries}, ["trl", "peft"])
    assert figures["ratio"] > 1, figures
