"""The record tells one tokenizer and one chat template from another."""

from harness.measure.environment import package_versions
from harness.models.loading import tokenizer_hash
from tests import tiny
from tests.tiny import CHAT, NO_SYSTEM, make_spaced_tokenizer, make_tokenizer


def test_a_model_brings_the_hashes_of_its_tokenizer_and_its_template(tiny_folders, tiny_cache):
    info = tiny.open_tiny(tiny_folders(), tiny_cache).info
    assert info.tokenizer_hash
    assert info.chat_template_hash
    assert info.tokenizer_hash == tiny.open_tiny(tiny_folders(), tiny_cache).info.tokenizer_hash


def test_another_vocabulary_rule_or_special_token_is_another_tokenizer():
    same = tokenizer_hash(make_tokenizer(CHAT))
    assert tokenizer_hash(make_tokenizer(NO_SYSTEM)) == same  # the template has a hash of its own
    added, special = make_tokenizer(CHAT), make_tokenizer(CHAT)
    added.add_tokens(["<tool>"])
    special.add_special_tokens({"eos_token": "<|user|>"})
    hashes = [same, *map(tokenizer_hash, (make_tokenizer(adds_bos=True), make_spaced_tokenizer(), added, special))]
    assert len(set(hashes)) == len(hashes)


def test_versions_of_packages_that_move_numbers_are_recorded():
    moving = "bm25s rouge-score optuna jinja2 faiss-cpu tokenizers sentence-transformers scikit-learn numpy safetensors"
    assert {*moving.split(), "accelerate", "peft", "bitsandbytes", "pypdf"} <= package_versions().keys()
