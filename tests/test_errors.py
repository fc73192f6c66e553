"""A misspelt or shortened name is answered with the one that was meant."""

import pytest

from harness.errors import unknown


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("rag", ("lora", "rag(k=1)"), "rag(k=1)"),
        ("rag", ("lora+rag(k=1)", "rag(k=3)+lora", "rag(k=1)"), "rag(k=1)"),
        ("rag", ("lora", "full+rag(k=1)"), "full+rag(k=1)"),
        ("lorra", ("lora", "rag(k=1)"), "lora"),
        ("smollm2", ("smol", "smollm2-135m-instruct"), "smollm2-135m-instruct"),
        ("rag(k=2)", ("rag(k=1)", "lora"), "rag(k=1)"),
        ("LoRA", ("full", "lora"), "lora"),
        ("RAG", ("lora", "rag(k=1)"), "rag(k=1)"),
        ("Qwen2.5-Coder-05b", ("qwen2.5-coder-0.5b-instruct", "minilm"), "qwen2.5-coder-0.5b-instruct"),
    ],
)
def test_the_name_that_was_meant_is_said(name, known, meant):
    assert f"did you mean {meant!r}?" in str(unknown("strategy", name, known))


@pytest.mark.parametrize("name", ["", "qqq"])
def test_where_nothing_is_near_all_names_are_said(name):
    assert str(unknown("strategy", name, ("lora", "rag"))).endswith("known: lora, rag.")
