"""A misspelt or shortened name is answered with the one that was meant."""

import pytest
import torch

from harness.errors import HarnessError, OutOfMemoryError, memory_in_one_line, out_of_memory, unknown


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


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0"),
            "out of GPU memory (CUDA out",
        ),
        (RuntimeError("CUDA error: out of memory"), "out of GPU memory (CUDA error: out of memory)"),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
            "out of GPU memory",
        ),
        (RuntimeError("NCCL Error 1: out of memory"), "out of GPU memory"),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
            "out of memory (",
        ),
        (RuntimeError("std::bad_alloc"), "out of memory"),
        (OSError(12, "Cannot allocate memory"), "out of memory"),
        (MemoryError(), "out of memory: try a smaller model or batch_size"),
    ],
)
def test_a_lack_of_memory_of_any_kind_is_one_line(error, text):
    memory = out_of_memory(error)
    assert str(memory).startswith(text)
    assert "\n" not in str(memory)
    assert "qlora" in str(memory)
    with pytest.raises(OutOfMemoryError), memory_in_one_line():
        raise ValueError("loading failed") from error


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes differ"), KeyError("out of memory"), OSError(28, "No space left on device")]
)
def test_other_errors_are_none_of_memory(error):
    assert out_of_memory(error) is None
    with pytest.raises(type(error)), memory_in_one_line():
        raise error


def test_an_allocation_that_is_too_large_is_told_of():
    with pytest.raises(HarnessError, match=r"^out of memory"), memory_in_one_line():
        torch.empty(2**50)
