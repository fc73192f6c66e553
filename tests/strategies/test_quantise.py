"""Weights rounded after tuning: the adapter is in them, nothing but 4-bit layers is asked, and little changes."""

import pytest
import torch
from peft import PeftModel

from harness.api import Context, Prompt, System, Task, TaskData
from harness.api.architecture import NF4_BITS
from harness.errors import HarnessError
from harness.models import footprint, quantised
from harness.plan import chain, discover
from harness.training import adapters

TASK = Task("moods", "classification", choices=("good", "bad"), instruction="Which mood?")
PROMPTS = [Prompt(TASK, text) for text in ("The film was a delight.", "The music was bad.")]


def scores(model):
    answers = model.score_choices(PROMPTS, [TASK.choices] * len(PROMPTS))
    return torch.tensor([answer.choice_scores for answer in answers])


def test_an_adapter_is_merged_before_the_weights_are_rounded(open_tiny):
    (link,) = chain.build("quantise", discover.find_step)
    plain = scores(open_tiny())
    model = adapters.attach_low_rank(open_tiny(), rank=4, alpha=8.0, dropout=0.0, targets="all-linear")
    with torch.no_grad():
        for name, parameter in model.module.named_parameters():
            if "lora_" in name:
                parameter.add_(0.1)
    tuned, size = scores(model), footprint.weights_bytes(model)
    system = link.step.adapt(System(model, TASK), TaskData(TASK), Context())
    assert not isinstance(system.model.module, PeftModel)
    assert quantised.is_quantised(system.model.module)
    assert footprint.weights_bytes(system.model) < size / 2
    rounded = scores(system.model)
    assert 0 < (rounded - tuned).abs().max() < (tuned - plain).abs().max() / 2
    assert link.step.footprint(None).weight_bits == NF4_BITS


def test_other_bits_are_refused():
    with pytest.raises(HarnessError, match=r"quantise: bits=3: Input should be 4"):
        chain.build("quantise(bits=3)", discover.find_step)
