"""Chains of tuned steps on a tiny model."""

import torch

from harness.api import Context
from harness.models import virtual_tokens
from harness.training.adapters import (
    attach_bottleneck,
    attach_low_rank,
    attach_virtual_tokens,
    freeze_lower_blocks,
    unfreeze,
)
from harness.training.batches import TrainingSample
from harness.training.settings import SupervisedSettings
from harness.training.supervised import train

SAMPLES = [TrainingSample([10 + n % 3, 11, 12 + n], [20 + n % 2, 2]) for n in range(8)]


def low_rank(model, targets="all-linear", **more):
    return attach_low_rank(model, rank=4, alpha=8.0, dropout=0.0, targets=targets, **more)


def tuned(model):
    samples = [
        TrainingSample([*virtual_tokens.virtual_ids(model.module), *sample.prompt], sample.completion)
        for sample in SAMPLES
    ]
    train(model.module, samples, SupervisedSettings(learning_rate=1e-2, epochs=2, batch_size=4), Context())
    return model


def lora(model):
    return tuned(low_rank(model))


def full(model):
    return tuned(unfreeze(model))


def variant(name):
    return lambda model: tuned(low_rank(model, variant=name))


def qlora(model):
    return tuned(low_rank(model, four_bits=True))


def frozen(model):
    return tuned(freeze_lower_blocks(model, 1))


def bottleneck(model):
    return tuned(attach_bottleneck(model, width=8))


def prompt(model):
    torch.manual_seed(0)
    return tuned(attach_virtual_tokens(model, 4, ""))


ADAPTERS = {
    "lora": (lora,),
    "rslora": (variant("rslora"),),
    "dora": (variant("dora"),),
    "qlora": (qlora,),
    "adapter": (bottleneck,),
    "prompt_tuning": (prompt,),
}


CHAINS = ADAPTERS | {
    "full": (full,),
    "frozen": (frozen,),
    "full+frozen": (full, frozen),
    "lora+frozen": (lora, frozen),
    "dora+lora": (variant("dora"), lora),
    "qlora+lora": (qlora, lora),
    "qlora+qlora": (qlora, qlora),
    "qlora+full": (qlora, full),
    "lora+qlora": (lora, qlora),
    "frozen+adapter": (frozen, bottleneck),
    "qlora+adapter": (qlora, bottleneck),
    "full+prompt_tuning": (full, prompt),
    "lora+lora": (lora, lora),
    "full+lora": (full, lora),
    "lora+full": (lora, full),
}
