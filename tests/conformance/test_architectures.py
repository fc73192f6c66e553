"""Common architectures give the numbers of each text alone, whatever is computed together; the page of all is true."""

import pytest
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from tests import architectures

COMMON = (
    *("llama", "qwen2", "qwen3", "qwen3_moe", "gemma", "olmoe", "granite", "cohere", "glm4", "smollm3", "stablelm"),
    *("gpt2", "gpt_neox", "gptj", "opt", "phi", "bitnet", "deepseek_v2", "deepseek_v3", "bert", "phi3, no window"),
    *("mistral", "mixtral", "gemma2", "gemma3", "gpt_oss", "qwen2, windows"),
    *("gpt_neo", "llama4", "mpt", "bloom", "falcon, ALiBi", "llama, dynamic RoPE", "openai-gpt"),
    *("mamba", "rwkv", "recurrent_gemma", "jamba", "bamba", "lfm2", "qwen3_next", "qwen3_5", "granitemoehybrid"),
    *("falcon_h1", "nemotron_h", "blenderbot-small", "roberta", "xlnet", "xmod"),
)


@pytest.mark.parametrize("name", COMMON)
def test_an_architecture_computes_what_it_computes_alone_or_is_refused(name):
    assert architectures.row(name) in architectures.PAGE.read_text(encoding="utf-8").splitlines(), (
        "python -m tests.architectures writes the page"
    )


def test_the_page_names_every_causal_architecture_of_transformers():
    page = architectures.PAGE.read_text(encoding="utf-8")
    listed = {line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if line.startswith("| ")}
    assert listed - {"model type", "---"} == set(architectures.NAMES)
    assert not set(architectures.NAMES) & architectures.NOT_BUILT
    assert set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) <= set(architectures.NAMES) | architectures.NOT_BUILT
