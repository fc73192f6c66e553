"""The supervised loop: the weights that it leaves, what it logs, and what it refuses."""

import copy
import math

import pytest
import torch

from harness.api import Context, Example, Query, System, Task, TaskData
from harness.errors import HarnessError
from harness.training.adapters import unfreeze
from harness.training.batches import TrainingSample
from harness.training.divergence import DivergenceDetector
from harness.training.losses import mean_loss
from harness.training.settings import SupervisedSettings
from harness.training.supervised import fit, train
from harness.training.training_samples import build_samples
from harness.training.validation import ValidationSet

SAMPLES = [TrainingSample([10 + n % 3, 11, 12 + n], [20 + n % 2, 2]) for n in range(12)]
FAST = SupervisedSettings(learning_rate=3e-3, epochs=3, batch_size=4, evaluate_every=3)


def trainable(open_tiny, kind="llama"):
    return unfreeze(open_tiny(kind)).module


def weights(module):
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_training_lowers_the_loss(open_tiny):
    module = trainable(open_tiny)
    before = mean_loss(module, SAMPLES, 64)
    train(module, SAMPLES, FAST, Context())
    assert mean_loss(module, SAMPLES, 64) < before - 1
    assert not module.training


def test_one_seed_gives_one_result_and_another_seed_another(open_tiny):
    trained_weights = []
    for seed in (1, 1, 2):
        module = trainable(open_tiny)
        train(module, SAMPLES, FAST, Context(seed=seed))
        trained_weights.append(weights(module))
    assert same(trained_weights[0], trained_weights[1])
    assert not same(trained_weights[0], trained_weights[2])


def test_the_curve_has_every_step_and_every_epoch(open_tiny):
    points, steps, tokens = [], [], []
    context = Context(log=points.append, progress=lambda *where: steps.append(where), count_tokens=tokens.append)
    train(trainable(open_tiny), SAMPLES, FAST, context, ValidationSet(SAMPLES[:4]))
    losses = [point for point in points if "loss" in point]
    assert [point["step"] for point in losses] == list(range(1, 10))
    assert [point["epoch"] for point in points if "validation_loss" in point] == [0, 1, 2, 3]
    assert all(point["gradient_norm"] > 0 and point["learning_rate"] > 0 for point in losses)
    assert steps == [(n, 9) for n in range(1, 10)]
    assert sum(tokens) == 3 * sum(sample.tokens for sample in SAMPLES)


def test_the_epoch_with_the_lowest_validation_loss_is_the_one_that_stays(open_tiny):
    module = trainable(open_tiny)
    # the better SAMPLES are learned, the worse these
    opposed = [TrainingSample(sample.prompt, [41, 2]) for sample in SAMPLES]
    points = []
    train(
        module,
        SAMPLES,
        SupervisedSettings(learning_rate=3e-3, epochs=6, batch_size=4, evaluate_every=3),
        Context(log=points.append),
        ValidationSet(opposed),
    )
    values = [point["validation_loss"] for point in points if "validation_loss" in point]
    assert 0 < values.index(min(values)) < len(values) - 1
    assert mean_loss(module, opposed, 768) == pytest.approx(min(values), abs=1e-5)


def test_the_last_epoch_stays_if_it_is_the_best(open_tiny):
    module = trainable(open_tiny)
    points = []
    train(module, SAMPLES, FAST, Context(log=points.append), ValidationSet(SAMPLES))
    values = [point["validation_loss"] for point in points if "validation_loss" in point]
    assert values == sorted(values, reverse=True)
    assert mean_loss(module, SAMPLES, 768) == pytest.approx(values[-1], abs=1e-5)


def test_weights_without_numbers_are_an_error_of_the_model(open_tiny):
    module = trainable(open_tiny)
    with torch.no_grad():
        module.get_output_embeddings().weight[20] = math.nan
    with pytest.raises(HarnessError, match=r"gives no numbers .* for the first batch of the training items"):
        train(module, SAMPLES, FAST, Context())


def test_a_loss_that_becomes_no_number_is_an_error_that_says_what_to_lower():
    detector = DivergenceDetector(steps=10)
    detector.check(2.0, 1.0)
    with pytest.raises(HarnessError, match=r"diverged at step 2: the loss is nan; lower learning_rate\."):
        detector.check(math.nan, 1.0)


def test_how_a_batch_is_divided_does_not_change_what_is_learned(open_tiny):
    trained_weights = []
    for budget, packs in ((1, True), (16, True), (768, True), (16, False), (768, False)):
        module = trainable(open_tiny)
        settings = SupervisedSettings(learning_rate=1e-3, epochs=1, batch_size=4, row_tokens=budget)
        train(module, SAMPLES, settings, Context(), packs=packs)
        trained_weights.append(weights(module))
    for divided_weights in trained_weights[1:]:
        assert all(
            torch.allclose(trained_weights[0][name], divided_weights[name], atol=1e-4) for name in divided_weights
        )


@pytest.mark.parametrize("kind", ["llama", "sliding", "recurrent"])
def test_a_system_is_trained_on_the_text_that_it_will_be_asked(open_tiny, kind):
    task = Task("t", "qa", instruction="Be brief.", max_new_tokens=4)
    examples = tuple(Example(Query(str(n), f"Which film {n}?"), ("good", "other")) for n in range(6))
    model = unfreeze(open_tiny(kind))
    system = System(model, task)
    samples = build_samples(system, examples)
    (rendered, *_) = model.render_prompts(system.prompts([examples[0].query]), 4)
    assert samples[0].prompt == rendered.tokens
    assert samples[0].completion == [*model.encode("good"), model.tokenizer.eos_token_id]
    tuned = fit(
        model,
        system,
        TaskData(task, examples, examples[:2]),
        SupervisedSettings(learning_rate=5e-3, epochs=8, batch_size=3),
        Context(),
    )
    answers = tuned.model.generate(tuned.prompts([e.query for e in examples]), max_new_tokens=4, one_line=True)
    assert [answer.output for answer in answers] == ["good"] * 6


def test_a_plain_answer_stands_behind_a_space(open_tiny):
    model = open_tiny(template=None)
    task = Task("t", "qa")
    (sample,) = build_samples(System(model, task), (Example(Query("1", "Which film?"), ("good",)),))
    assert model.tokenizer.decode(sample.completion) == " good</s>"
    assert model.tokenizer.decode(sample.prompt).endswith("Answer:")


def test_weights_in_16_bits_learn_too(open_tiny):
    module = copy.deepcopy(trainable(open_tiny)).to(torch.bfloat16)
    before = mean_loss(module, SAMPLES, 64)
    train(module, SAMPLES, FAST, Context())
    assert mean_loss(module, SAMPLES, 64) < before - 1
    assert {p.dtype for p in module.parameters()} == {torch.bfloat16}
