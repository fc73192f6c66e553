"""Virtual tokens give the numbers of peft's own forward pass: packed, cached and alone."""

import math
from dataclasses import replace

import pytest
import torch

from harness.api import Prompt, Task
from harness.errors import HarnessError
from harness.models import virtual_tokens
from harness.training import adapters, peft_methods

TASK = Task("t", "qa", max_new_tokens=6)
PROMPTS = [Prompt(TASK, text) for text in ("Which film was good?", "Which film?", "What is a harbour, in a storm?")]
CHOICES = [("good", "bad film", "a delight")] * 3
KINDS = ("llama", "gpt2")
OWN = {"prompt_tuning": 5, "p_tuning": 20, "prefix_tuning": 20}


@pytest.fixture(params=OWN)
def in_front(request, open_tiny):
    """Attach a method's part before prompts, large enough to matter."""

    def attach(kind):
        torch.manual_seed(1)
        if request.param == "prompt_tuning":
            model = adapters.attach_virtual_tokens(open_tiny(kind), 5, "")
        else:
            model = peft_methods.attach(open_tiny(kind), request.param)
        model.module.eval()
        return model

    attach.size = OWN[request.param]
    return attach


def plain(model, prompt):
    """A prompt's tokens, without virtual ones."""
    return model.render_prompts([prompt], 8)[0].tokens[len(virtual_tokens.virtual_ids(model.module)) :]


def by_peft(model, tokens):
    """The logits that follow the tokens, by peft's own forward pass: float [length, vocabulary]."""
    row = torch.tensor([tokens])
    with torch.no_grad():
        logits = model.module(input_ids=row, attention_mask=torch.ones_like(row)).logits[0]
    return logits[-len(tokens) :]


def nats(model, prompt, choice):
    stem, leaf = plain(model, prompt), model.render_answered([prompt], [[choice]])[0].answers[0][:-1]
    logs = by_peft(without_hooks(model), stem + leaf).log_softmax(-1)
    end = logs[-1, sorted(model.scored_ends(prompt.task))].logsumexp(-1).item()
    return sum(logs[len(stem) - 1 + index, token].item() for index, token in enumerate(leaf)) + end


def without_hooks(model):
    """Let peft do what it does by itself."""
    inner = model.module.get_base_model()
    for handle in inner.virtual_hooks:
        handle.remove()
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_choices_get_the_scores_of_the_plain_forward_pass(in_front, kind):
    model = in_front(kind)
    packed = [answer.choice_scores for answer in model.score_choices(PROMPTS, CHOICES)]
    alone = [answer.choice_scores for answer in replace(model, supports_packing=False).score_choices(PROMPTS, CHOICES)]
    expected = [[nats(model, p, c) for c in choices] for p, choices in zip(PROMPTS, CHOICES, strict=True)]
    for packed_scores, single_scores, expected_scores in zip(packed, alone, expected, strict=True):
        assert packed_scores == pytest.approx(expected_scores, abs=1e-4)
        assert single_scores == pytest.approx(expected_scores, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prompts", [PROMPTS, PROMPTS[:1]], ids=["several", "one"])
def test_generation_continues_as_the_plain_forward_pass(in_front, kind, prompts):
    model = in_front(kind)
    outputs = [a.output for a in model.generate(prompts, max_new_tokens=5, one_line=False)]
    stems = [plain(model, prompt) for prompt in prompts]
    ends = model.eos_ids
    without_hooks(model)
    for stem, output in zip(stems, outputs, strict=True):
        tokens: list[int] = []
        while len(tokens) < 5:
            chosen = int(by_peft(model, stem + tokens)[-1].argmax())
            if chosen in ends:
                break
            tokens.append(chosen)
        assert model.tokenizer.decode(tokens, skip_special_tokens=True) == output


def test_places_in_the_window_are_left_for_what_stands_in_front(in_front):
    model = in_front("llama")
    window = model.info.context_tokens
    assert virtual_tokens.prefix_length(model.module) == in_front.size
    long = Prompt(TASK, "x " * 2)
    max_new_tokens = window - in_front.size - len(plain(model, long))
    assert model.render_prompts([long], max_new_tokens)
    with pytest.raises(HarnessError, match="leaves room"):
        model.render_prompts([long], max_new_tokens + 1)


def test_a_text_gives_virtual_tokens_their_beginning(open_tiny):
    model = open_tiny()
    ids = model.encode("good film")
    tuned = adapters.attach_virtual_tokens(model, len(ids) + 2, "good film")
    vectors = tuned.module.get_prompt(1)[0]
    expected = tuned.module.get_base_model().get_input_embeddings().weight[torch.tensor([*ids, *ids[:2]])]
    assert torch.equal(vectors, expected)
    prompt = PROMPTS[0]
    assert math.isfinite(tuned.score_choices([prompt], [("good",)])[0].choice_scores[0])
    assert model.render_prompts([prompt], 0)[0].tokens == ids[:0] + plain(tuned, prompt)


def test_a_prefix_needs_full_attention(open_tiny):
    with pytest.raises(HarnessError, match="attend to the whole text"):
        peft_methods.attach(open_tiny("sliding"), "prefix_tuning")
