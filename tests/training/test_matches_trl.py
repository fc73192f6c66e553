"""The supervised loop takes trl's steps: the same loss at each, and the same weights in the end, in float32."""

import pytest
import torch

from harness.api import Context, Example, Query, System, Task
from harness.prompts.layout import render_prompt
from harness.training.adapters import unfreeze
from harness.training.batches import epoch_batches
from harness.training.settings import SupervisedSettings
from harness.training.supervised import train
from harness.training.training_samples import build_samples

TASK = Task("t", "qa", instruction="Be brief.", max_new_tokens=8)
ANSWERS = ("good", "a delight", "bad film", "it was awful , a bad film and a long one")
EXAMPLES = [
    Example(Query(str(n), "Which film was it ?" if n % 3 else "Which of the films was it , and who said so ?"), (a,))
    for n, a in enumerate(ANSWERS * 4)
]
EPOCHS, BATCH, RATE, DECAY, NORM = 2, 4, 2e-3, 0.1, 0.5


def by_trl(model, accumulated, folder):
    """Train with SFTTrainer on the same prompts and answers as text; return the loss of each step."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    prompts = System(model, TASK).prompts([e.query for e in EXAMPLES])
    pairs = {
        e.query.id: {
            "prompt": render_prompt(p, model.tokenizer, max_tokens=None).text,
            "completion": f" {e.references[0]}",
        }
        for p, e in zip(prompts, EXAMPLES, strict=True)
    }
    order = [e for number in range(EPOCHS) for batch in epoch_batches(EXAMPLES, BATCH, number) for e in batch]
    arguments = SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=BATCH // accumulated,
        gradient_accumulation_steps=accumulated,
        num_train_epochs=1,
        train_sampling_strategy="sequential",
        learning_rate=RATE,
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={"num_decay_steps": 2},  # a fifth of 8 steps, rounded up
        weight_decay=DECAY,
        max_grad_norm=NORM,
        completion_only_loss=True,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    trainer = SFTTrainer(
        model.module,
        args=arguments,
        train_dataset=Dataset.from_list([pairs[e.query.id] for e in order]),
        processing_class=model.tokenizer,
    )
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.mark.parametrize(
    ("accumulated", "division"),
    [
        (1, {"row_tokens": 768, "packs": True}),
        (1, {"row_tokens": 768, "packs": False}),
        (2, {"row_tokens": 60, "packs": True}),
        (2, {"row_tokens": 60, "packs": False}),
    ],
)
def test_every_step_has_the_loss_of_trl_and_the_weights_end_the_same(open_tiny, tmp_path, accumulated, division):
    pytest.importorskip("trl")
    ours, theirs = (unfreeze(open_tiny(template=None)) for _ in range(2))
    expected = by_trl(theirs, accumulated, tmp_path)
    points = []
    settings = SupervisedSettings(
        learning_rate=RATE,
        epochs=EPOCHS,
        batch_size=BATCH,
        weight_decay=DECAY,
        warmup=0.0,
        max_norm=NORM,
        row_tokens=division["row_tokens"],
    )
    samples = build_samples(System(ours, TASK), EXAMPLES)
    assert len({sample.tokens for sample in samples}) > 4
    train(ours.module, samples, settings, Context(log=points.append), packs=division["packs"])
    losses = [point["loss"] for point in points if "loss" in point]
    assert len(losses) == len(expected) == 8
    assert losses == pytest.approx(expected, abs=1e-4)
    assert max(point["gradient_norm"] for point in points if "loss" in point) > NORM  # clipping is part of it
    reference = dict(theirs.module.named_parameters())
    differences = torch.cat([(p - reference[name]).abs().flatten() for name, p in ours.module.named_parameters()])
    assert differences.mean() < 1e-6
    assert differences.max() < RATE / 2  # where a gradient is all but zero, Adam makes a step of its rounding
