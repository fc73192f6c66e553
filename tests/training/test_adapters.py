"""Adapters: what they change, what they leave alone, and that what is kept comes back."""

import pytest
import torch

from harness.api import Context, Prompt, System, Task
from harness.errors import HarnessError
from harness.training.adapters import attach_low_rank, merged, unfrozen
from harness.training.batches import Sample
from harness.training.supervised import Settings, train

DATA = [Sample([10 + n % 3, 11, 12 + n], [20 + n % 2, 2]) for n in range(8)]
TASK = Task("t", "qa", max_new_tokens=6)
PROMPTS = [Prompt(TASK, f"Which film {n}?") for n in range(5)]
CHOICES = [("good", "bad film", "a delight")] * 5
KINDS = ("llama", "tied", "gpt2")


def low_rank(model, targets="all-linear"):
    return attach_low_rank(model, rank=4, alpha=8.0, dropout=0.0, targets=targets)


def tuned(model):
    train(model.module, DATA, Settings(1e-2, epochs=2, batch_size=4), Context())
    return model


def asked(model):
    return (
        [answer.choice_scores for answer in model.score_choices(PROMPTS, CHOICES)],
        [answer.output for answer in model.generate(PROMPTS, max_new_tokens=6, one_line=False)],
    )


def agree(a, b, tolerance=1e-4):
    return a[1] == b[1] and all(x == pytest.approx(y, abs=tolerance) for x, y in zip(a[0], b[0], strict=True))


def base(module):
    return {
        name.replace("base_model.model.", "").replace(".base_layer.", "."): p.detach().clone()
        for name, p in module.named_parameters()
        if "lora_" not in name
    }


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_trains_alone_and_the_weights_below_stay_bit_by_bit(open_tiny, kind):
    model = open_tiny(kind)
    before = base(model.module)
    first = asked(model)
    adapted = low_rank(model)
    learning = [name for name, p in adapted.module.named_parameters() if p.requires_grad]
    assert learning
    assert all("lora_" in name for name in learning)
    assert adapted.trained_parameters == sum(dict(adapted.module.named_parameters())[n].numel() for n in learning)
    assert agree(asked(adapted), first)  # an update of zero
    after = base(tuned(adapted).module)
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert not agree(asked(adapted), first)


def test_only_the_named_layers_get_an_update(open_tiny):
    adapted = low_rank(open_tiny(), targets="q_proj,v_proj")
    learning = [name for name, p in adapted.module.named_parameters() if p.requires_grad]
    assert learning
    assert all("q_proj" in name or "v_proj" in name for name in learning)


@pytest.mark.parametrize("kind", KINDS)
def test_full_tuning_reaches_every_weight(open_tiny, kind):
    model = unfrozen(open_tiny(kind))
    before = base(model.module)
    after = base(tuned(model).module)
    assert not any(torch.equal(after[name], before[name]) for name in before)


def test_merging_gives_the_same_answers(open_tiny):
    adapted = tuned(low_rank(open_tiny()))
    expected = asked(adapted)
    whole = merged(adapted)
    assert whole.base_changed
    assert whole.trained_parameters == 0
    assert agree(asked(whole), expected)
    assert merged(whole) is whole


def lora(model):
    return tuned(low_rank(model))


def full(model):
    return tuned(unfrozen(model))


CHAINS = {
    "lora": (lora,),
    "full": (full,),
    "lora+lora": (lora, lora),
    "full+lora": (full, lora),
    "lora+full": (lora, full),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_what_is_kept_comes_back_and_keeping_changes_nothing(open_tiny, tmp_path, kind, chain):
    model = open_tiny(kind)
    for step in chain:
        model = step(model)
    expected = asked(model)
    model.save_adapted(tmp_path)
    assert agree(asked(model), expected, 0)
    assert all(file.suffix in (".safetensors", ".json", ".md") for file in tmp_path.rglob("*") if file.is_file())
    back = open_tiny(kind).load_adapted(tmp_path)
    assert agree(asked(back), expected)
    assert back.base_changed == (chain != (lora,))
    assert not back.module.training


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_what_is_kept_takes_the_place_of_an_earlier_step(open_tiny, tmp_path, chain):
    first, model = open_tiny(), open_tiny()
    for place, step in enumerate(chain):
        model = step(model)
        (tmp_path / str(place)).mkdir()
        model.save_adapted(tmp_path / str(place))
        first = first.load_adapted(tmp_path / str(place))
    assert agree(asked(first), asked(model))


def test_weights_of_another_model_are_refused(open_tiny, tmp_path):
    full(open_tiny("gpt2")).save_adapted(tmp_path)
    with pytest.raises(HarnessError, match="those of another model"):
        open_tiny("llama").load_adapted(tmp_path)


def test_an_adapter_is_kept_without_the_weights_below(open_tiny, tmp_path):
    model = open_tiny()
    lora(model).save_adapted(tmp_path)
    assert sum(file.stat().st_size for file in tmp_path.rglob("*")) < model.info.parameters * 4 / 2


def test_a_second_adapter_goes_on_from_the_first(open_tiny):
    first = lora(open_tiny())
    expected = asked(first)
    second = low_rank(first)
    assert second.base_changed
    assert agree(asked(second), expected)


def test_a_kept_chain_can_be_trained_further(open_tiny, tmp_path):
    lora(open_tiny()).save_adapted(tmp_path)
    back = open_tiny().load_adapted(tmp_path)
    again = lora(back)
    assert not agree(asked(again), asked(open_tiny().load_adapted(tmp_path)))
    assert System(again, TASK).prompts([]) == []
