"""The exact text that a model gets, in each form, and what is left out when it is too long."""

import pytest

from harness.api import Passage, Prompt, Task
from harness.errors import HarnessError
from harness.prompts.layout import render_prompt, render_text
from tests.tiny import CHAT, NO_SYSTEM, make_tokenizer

TASK = Task("t", "qa", instruction="Be brief.", question_label="Q", answer_label="A")
SHOWN = (("one?", "yes"), ("two?", "no"))
PASSAGES = (Passage("p1", "It rained.", "Weather"), Passage("p2", "Trains ran."))


def text(prompt, template=None, **options):
    return render_text(prompt, make_tokenizer(template, **options))


def test_plain_question():
    assert text(Prompt(TASK, "three?")) == "Be brief.\nQ: three?\nA:"


def test_plain_question_without_an_instruction():
    assert text(Prompt(Task("t", "qa"), "three?")) == "Question: three?\nAnswer:"


def test_plain_exemplars_follow_the_instruction():
    assert text(Prompt(TASK, "three?", SHOWN)) == ("Be brief.\n\nQ: one?\nA: yes\n\nQ: two?\nA: no\n\nQ: three?\nA:")


def test_plain_passages_stand_first():
    assert text(Prompt(TASK, "three?", (), PASSAGES)) == (
        "Weather: It rained.\n\nTrains ran.\n\nBe brief.\nQ: three?\nA:"
    )


def test_plain_passages_stand_between_the_exemplars_and_the_question():
    assert text(Prompt(TASK, "three?", SHOWN, PASSAGES)) == (
        "Be brief.\n\nQ: one?\nA: yes\n\nQ: two?\nA: no\n\nWeather: It rained.\n\nTrains ran.\n\nQ: three?\nA:"
    )


def test_a_base_model_that_begins_with_a_token_gets_it_once():
    tokenizer = make_tokenizer(None, adds_bos=True)
    rendered = render_prompt(Prompt(TASK, "three?"), tokenizer, max_tokens=None)
    assert rendered.text == "<s>Be brief.\nQ: three?\nA:"
    assert rendered.tokens.count(tokenizer.bos_token_id) == 1
    assert rendered.tokens[0] == tokenizer.bos_token_id


def test_chat_turns_are_the_instruction_the_exemplars_and_the_question():
    assert text(Prompt(TASK, "three?", SHOWN), CHAT) == (
        "<|system|>Be brief.</s>\n<|user|>one?</s>\n<|assistant|>yes</s>\n<|user|>two?</s>\n<|assistant|>no</s>\n"
        "<|user|>three?</s>\n<|assistant|>"
    )


def test_chat_passages_stand_in_the_last_turn_before_the_labelled_question():
    assert text(Prompt(TASK, "three?", (), PASSAGES), CHAT) == (
        "<|system|>Be brief.</s>\n<|user|>Weather: It rained.\n\nTrains ran.\n\nQ: three?</s>\n<|assistant|>"
    )


def test_a_template_without_a_system_role_gets_the_instruction_in_the_first_turn():
    assert text(Prompt(TASK, "three?", SHOWN[:1]), NO_SYSTEM) == (
        "<s><|user|>Be brief.\n\none?</s>\n<|assistant|>yes</s>\n<|user|>three?</s>\n<|assistant|>"
    )


def test_a_task_can_ask_for_the_plain_form_of_a_chat_model():
    task = Task("t", "qa", instruction="Be brief.", form="plain")
    assert text(Prompt(task, "three?"), CHAT) == "Be brief.\nQuestion: three?\nAnswer:"


def test_a_chat_form_without_a_template_is_refused():
    with pytest.raises(HarnessError, match=r"no chat template: use 'plain' or 'auto'"):
        text(Prompt(Task("t", "qa", form="chat"), "three?"))


@pytest.mark.parametrize("template", [None, CHAT])
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_the_last_passages_are_left_out_whole_until_the_prompt_fits(template, count):
    tokenizer = make_tokenizer(template)
    passages = tuple(Passage(f"p{n}", f"The film {n} was good. " * (3 + n)) for n in range(3))
    fitting = Prompt(TASK, "three?", SHOWN, passages[:count])
    max_tokens = len(tokenizer(render_text(fitting, tokenizer), add_special_tokens=False)["input_ids"])
    rendered = render_prompt(Prompt(TASK, "three?", SHOWN, passages), tokenizer, max_tokens=max_tokens)
    assert rendered.text == render_text(fitting, tokenizer)
    assert rendered.dropped_passages == 3 - count
    assert len(rendered.tokens) == max_tokens


def test_a_question_that_does_not_fit_is_named_with_both_counts():
    tokenizer = make_tokenizer(None)
    prompt = Prompt(TASK, "Which river runs through the city? " * 20, (), PASSAGES)
    size = len(tokenizer(render_text(Prompt(TASK, prompt.question), tokenizer))["input_ids"])
    with pytest.raises(HarnessError, match=f"'Which river .* has {size} tokens, .* room for 50: use fewer"):
        render_prompt(prompt, tokenizer, max_tokens=50)
