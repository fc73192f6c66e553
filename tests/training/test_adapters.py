"""Adapters: what they change, what they leave alone, saving and loading."""

import pytest
import torch

from harness.api import Prompt, System, Task
from harness.errors import HarnessError
from harness.models import quantised
from harness.training.adapters import (
    freeze_lower_blocks,
    merge_adapter,
    unfreeze,
)
from harness.training.optimiser import MasterAdamW
from tests.training.adapter_chains import (
    ADAPTERS,
    CHAINS,
    full,
    lora,
    low_rank,
    tuned,
)

TASK = Task("t", "qa", max_new_tokens=6)
PROMPTS = [Prompt(TASK, f"Which film {n}?") for n in range(5)]
CHOICES = [("good", "bad film", "a delight")] * 5
KINDS = ("llama", "tied", "gpt2")


def predict(model):
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
    first = predict(model)
    adapted = low_rank(model)
    learning = [name for name, p in adapted.module.named_parameters() if p.requires_grad]
    assert learning
    assert all("lora_" in name for name in learning)
    assert adapted.trained_parameters == sum(dict(adapted.module.named_parameters())[n].numel() for n in learning)
    assert agree(predict(adapted), first)  # an update of zero
    after = base(tuned(adapted).module)
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert not agree(predict(adapted), first)


def test_only_the_named_layers_get_an_update(open_tiny):
    adapted = low_rank(open_tiny(), targets="q_proj,v_proj")
    learning = [name for name, p in adapted.module.named_parameters() if p.requires_grad]
    assert learning
    assert all("q_proj" in name or "v_proj" in name for name in learning)


@pytest.mark.parametrize("kind", KINDS)
def test_full_tuning_reaches_every_weight(open_tiny, kind):
    model = unfreeze(open_tiny(kind))
    before = base(model.module)
    after = base(tuned(model).module)
    assert not any(torch.equal(after[name], before[name]) for name in before)


def test_merging_gives_the_same_answers(open_tiny):
    adapted = tuned(low_rank(open_tiny()))
    expected = predict(adapted)
    merged_model = merge_adapter(adapted)
    assert merged_model.base_changed
    assert merged_model.trained_parameters == 0
    assert agree(predict(merged_model), expected)
    assert merge_adapter(merged_model) is merged_model


SAVED_CHAINS = [(chain, "llama") for chain in CHAINS] + [
    (chain, kind) for chain in ("lora", "full", "frozen", "qlora", "qlora+lora", "lora+lora") for kind in KINDS[1:]
]


@pytest.mark.parametrize(("chain", "kind"), SAVED_CHAINS)
def test_what_is_kept_comes_back_and_keeping_changes_nothing(open_tiny, tmp_path, kind, chain):
    model = open_tiny(kind)
    for step in CHAINS[chain]:
        model = step(model)
    expected = predict(model)
    model.save_adapted(tmp_path)
    assert agree(predict(model), expected, 0)
    assert all(file.suffix in (".safetensors", ".json", ".md") for file in tmp_path.rglob("*") if file.is_file())
    back = open_tiny(kind).load_adapted(tmp_path)
    assert agree(predict(back), expected)
    assert back.base_changed == (chain not in ADAPTERS)
    assert not back.module.training


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_what_is_kept_takes_the_place_of_an_earlier_step(open_tiny, tmp_path, chain):
    first, model = open_tiny(), open_tiny()
    for index, step in enumerate(chain):
        model = step(model)
        (tmp_path / str(index)).mkdir()
        model.save_adapted(tmp_path / str(index))
        first = first.load_adapted(tmp_path / str(index))
    assert agree(predict(first), predict(model))


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
    expected = predict(first)
    second = low_rank(first)
    assert second.base_changed
    assert agree(predict(second), expected)


def test_a_kept_chain_can_be_trained_further(open_tiny, tmp_path):
    lora(open_tiny()).save_adapted(tmp_path)
    back = open_tiny().load_adapted(tmp_path)
    again = lora(back)
    assert not agree(predict(again), predict(open_tiny().load_adapted(tmp_path)))
    assert System(again, TASK).prompts([]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_blocks_and_embeddings_take_no_gradient_and_no_optimiser_state(open_tiny, kind):
    model = open_tiny(kind)
    before = base(model.module)
    model = freeze_lower_blocks(model, 1)
    below = ("embed_tokens", "layers.0.", "wte", "wpe", ".h.0.") + (("lm_head",) if kind == "tied" else ())
    learning = {name for name, weight in model.module.named_parameters() if weight.requires_grad}
    assert learning == {name for name in before if not any(part in name for part in below)}
    assert model.changed_weights == learning
    optimiser = MasterAdamW([p for p in model.module.parameters() if p.requires_grad], weight_decay=0.0)
    master_count = sum(master.numel() for master in optimiser.masters)
    assert master_count == model.trained_parameters < sum(p.numel() for p in model.module.parameters()) * 0.6
    first_block = next(p for name, p in model.module.named_parameters() if "layers.0." in name or ".h.0." in name)
    tuned(model)
    assert first_block.grad is None
    after = base(model.module)
    assert {name for name in after if not torch.equal(after[name], before[name])} == learning


def test_the_backward_pass_ends_at_the_lowest_trainable_block(open_tiny):
    model = freeze_lower_blocks(open_tiny(), 1)
    outputs = {}
    for index, block in enumerate(model.module.model.layers):
        block.register_forward_hook(lambda _m, _i, output, index=index: outputs.update({index: output}))
    model.module.train()(torch.arange(10, 20)[None])
    assert not outputs[0].requires_grad
    assert outputs[1].requires_grad


def test_two_thirds_of_the_blocks_are_frozen_unless_told_and_never_more_than_there_are(open_tiny):
    default = freeze_lower_blocks(open_tiny(), None)
    assert default.changed_weights == freeze_lower_blocks(open_tiny(), 1).changed_weights
    assert any("norm" in name for name in freeze_lower_blocks(open_tiny(), 2).changed_weights)
    with pytest.raises(HarnessError, match="the model has 2 blocks"):
        freeze_lower_blocks(open_tiny(), 3)


@pytest.mark.parametrize("chain", ["frozen", "full+frozen"])
def test_only_changed_weights_are_kept(open_tiny, tmp_path, chain):
    model = open_tiny()
    for step in CHAINS[chain]:
        model = step(model)
    model.save_adapted(tmp_path)
    size = (tmp_path / "base.safetensors").stat().st_size
    full_bytes = model.info.parameters * 4
    assert size < full_bytes * 0.7 if chain == "frozen" else size >= full_bytes


@pytest.mark.parametrize("chain", ["rslora", "dora", "qlora"])
def test_a_variant_merged_answers_the_same(open_tiny, chain):
    model = CHAINS[chain][0](open_tiny())
    expected = predict(model)
    merged_model = merge_adapter(model)
    assert not quantised.is_quantised(merged_model.module)
    assert agree(predict(merged_model), expected)


def test_a_variant_is_what_it_says(open_tiny):
    scales = [
        low_rank(open_tiny(), variant=name).module.model.model.layers[0].mlp.up_proj.scaling["default"]
        for name in ("lora", "rslora")
    ]
    assert scales == [8.0 / 4, 8.0 / 2]
    names = [name for name, _ in low_rank(open_tiny(), variant="dora").module.named_parameters()]
    assert any("lora_magnitude_vector" in name for name in names)


def test_low_rank_updates_on_4_bits_have_the_model_s_own_type(open_tiny, tmp_path):
    model = open_tiny()
    model = low_rank(model.with_module(model.module.to(torch.bfloat16)), four_bits=True)
    assert {p.dtype for p in model.module.parameters() if p.requires_grad} == {torch.bfloat16}
    model.save_adapted(tmp_path)
    assert {file.name for file in tmp_path.glob("*.safetensors")} == {"adapter_model.safetensors"}
    other = open_tiny()
    back = other.with_module(other.module.to(torch.bfloat16)).load_adapted(tmp_path)
    assert {p.dtype for name, p in back.module.named_parameters() if "lora_" in name} == {torch.bfloat16}
    assert quantised.is_quantised(back.module.get_base_model())


@pytest.mark.parametrize("first", ["adapter", "prompt_tuning"])
@pytest.mark.parametrize("then", ["lora", "full", "frozen", "qlora", "adapter", "prompt_tuning"])
def test_what_cannot_be_merged_is_refused_with_what_to_do(open_tiny, first, then):
    model = CHAINS[first][0](open_tiny())
    with pytest.raises(HarnessError, match=f"{first} has trained cannot be merged.*put {first} last"):
        CHAINS[then][0](model)
