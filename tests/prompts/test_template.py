"""Templates: the built-in one gives the plain form to the byte, and a user's own is checked before it is used."""

import resource
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.api import Passage, Prompt, Task
from harness.errors import HarnessError
from harness.measure import template_limits
from harness.prompts import chat_template, layout, template
from tests.tiny import CHAT, make_tokenizer

TASK = Task("t", "qa", instruction="Be brief.", question_label="Q", answer_label="A")
SHORT = "{{ instruction }} {{ question }}?"
texts = st.text(max_size=12)


def by_hand(prompt):
    """The plain form as it was written before it was a template, with reasoning on a line of its own."""
    task = prompt.task
    answered = [] if prompt.thinking else [f"{task.answer_label}:"]
    thought = [f"Reasoning: {prompt.reasoning}"] if prompt.reasoning or prompt.thinking else []
    last = "\n".join([f"{task.question_label}: {prompt.question}", *thought, *answered])
    exemplars = [f"{task.question_label}: {q}\n{task.answer_label}: {a}" for q, a in prompt.exemplars]
    passages = [f"{p.title}: {p.text}" if p.title else p.text for p in prompt.passages]
    if exemplars:
        return "\n\n".join([*filter(None, [task.instruction]), *exemplars, *passages, last])
    return "\n\n".join([*passages, "\n".join([*filter(None, [task.instruction]), last])])


@settings(max_examples=150, deadline=None)
@given(
    instruction=texts,
    question=texts,
    exemplars=st.lists(st.tuples(texts, texts), max_size=3),
    passages=st.lists(st.tuples(texts, texts), max_size=3),
    reasoning=texts,
    thinking=st.booleans(),
)
def test_the_built_in_template_is_the_plain_form_to_the_byte(
    *, instruction, question, exemplars, passages, reasoning, thinking
):
    prompt = Prompt(
        replace(TASK, instruction=instruction),
        question,
        tuple(exemplars),
        tuple(Passage("p", text, title) for title, text in passages),
        reasoning,
        thinking,
    )
    assert template.fill_in("", prompt) == by_hand(prompt)


def test_what_is_filled_in_is_never_read_as_a_template():
    prompt = Prompt(TASK, "{{ instruction }} {% raw %} <b>&", (("{# a #}", "{{ b }}"),))
    assert "{{ instruction }} {% raw %} <b>&" in template.fill_in("", prompt)
    assert "Q: {# a #}\nA: {{ b }}" in template.fill_in("", prompt)


def test_a_copy_of_the_built_in_template_can_be_checked_and_used():
    copy = template.built_in("plain.jinja")
    template.validate(copy, "mine.jinja")
    prompt = Prompt(TASK, "three?", (("one?", "yes"),))
    assert template.fill_in(copy, prompt) == template.fill_in("", prompt)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ question }}\n{% if %}", r"template mine, line 2: "),
        ("{{ question }} {{ qestion }}", "unknown variable 'qestion' in template mine: did you mean 'question'?"),
        ("{{ instruction }}", r"template mine never shows the question: put {{ question }}"),
    ],
)
def test_a_template_that_cannot_work_is_refused_with_the_reason(text, message):
    with pytest.raises(HarnessError) as error:
        template.validate(text, "mine")
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["{{ question / 2 }}", "{{ question.__class__.__mro__ }}", "{{ exemplars[0].q }}"])
def test_what_goes_wrong_in_a_template_is_one_sentence(text):
    with pytest.raises(HarnessError, match="template of task 't' cannot be filled in"):
        template.fill_in(text, Prompt(TASK, "three?", (("one?", "yes"),)))


def test_a_task_s_own_template_is_the_whole_text_without_turns_and_the_user_s_turn_with_them():
    prompt = Prompt(replace(TASK, template=SHORT), "three")
    assert layout.render_text(prompt, make_tokenizer(None)) == "Be brief. three?"
    assert layout.render_text(prompt, make_tokenizer(CHAT)) == "<|user|>Be brief. three?</s>\n<|assistant|>"


@pytest.mark.parametrize(("ends", "expected"), [("A:", " yes"), ("A:\n\n", "yes"), ("A: ", "yes")])
def test_an_answer_follows_a_template_behind_one_space_or_line(ends, expected):
    prompt = Prompt(replace(TASK, template=f"{{{{ question }}}} {ends}"), "three")
    assert layout.answer_text(prompt, "yes", make_tokenizer(None)) == expected


def test_reasoning_begins_the_model_s_turn_and_the_answer_follows_its_label():
    tokenizer = make_tokenizer(CHAT)
    thinking = Prompt(TASK, "three?", reasoning="Let's think.", thinking=True)
    begun = layout.render_text(thinking, tokenizer)
    assert begun == "<|system|>Be brief.</s>\n<|user|>three?</s>\n<|assistant|>Let's think."
    reasoned = replace(thinking, reasoning="Let's think. It is.", thinking=False)
    assert layout.render_text(reasoned, tokenizer) == f"{begun} It is.\n\nA:"
    assert layout.answer_text(reasoned, "yes", tokenizer) == " yes"
    assert layout.answer_text(replace(reasoned, reasoning=""), "yes", tokenizer) == "yes"


def test_the_reasoning_s_prompt_is_the_beginning_of_the_answer_s():
    tokenizer = make_tokenizer(None)
    thinking = Prompt(TASK, "three?", (("one?", "yes"),), reasoning="Let's think.", thinking=True)
    reasoned = replace(thinking, reasoning="Let's think. It is.", thinking=False)
    assert layout.render_text(reasoned, tokenizer).startswith(layout.render_text(thinking, tokenizer))
    assert layout.render_text(reasoned, tokenizer).endswith("It is.\nA:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}{{ question }}", "0.2 s"),
        ("{{ question * 1000000000 }}", "numbers below"),
        ("{{ question }}{{ 9 ** 9 ** 9 ** 9 }}", "numbers below"),
        ("{{ question }}{{ 99999 * 99999 * 99999 }}", "numbers below"),
        ("{% macro a() %}{{ a() }}{% endmacro %}{{ question }}{{ a() }}", "cannot be filled in"),
    ],
)
def test_a_template_without_end_is_one_line(monkeypatch, text, message):
    monkeypatch.setattr(template_limits, "LIMIT_S", 0.2)
    template.validate(text, "t.jinja")
    with pytest.raises(HarnessError, match=message):
        template.fill_in(text, Prompt(TASK, "Why"))
    assert template.fill_in("{{ question }} {{ 2 * 3 }}", Prompt(TASK, "Why")) == "Why 6"


HUNGRY = [
    "{{ 'x'|center(4000000000) }}",
    "{% set ns = namespace(x='x' * 1000) %}{% for a in range(40) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{{ '%4000000000d' % 5 }}",
    "{{ '{:>4000000000}'.format('x') }}",
    "{% set ns = namespace(x=[1]) %}{% for a in range(40) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
@pytest.mark.parametrize("text", HUNGRY)
def test_a_template_that_takes_all_memory_is_one_line_and_takes_little(monkeypatch, text):
    monkeypatch.setattr(template_limits, "LIMIT_BYTES", 64 << 20)
    with pytest.raises(HarnessError, match="takes more than 64 MiB of memory"):
        template.fill_in(text + "{{ question }}", Prompt(TASK, "Why"))
    tokenizer = make_tokenizer()
    tokenizer.chat_template = text
    with pytest.raises(HarnessError, match="chat template takes more than 64 MiB of memory"):
        chat_template.render([{"role": "user", "content": "Why"}], tokenizer)
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 3 << 20  # KiB
    assert len(bytearray(100 << 20)) == 100 << 20  # the limit is gone


@pytest.mark.parametrize("text", ["{{ 9 ** 9 ** 9 ** 9 }}", "{{ 99999 * 99999 * 99999 }}", "{{ 'x' * 9999999 }}"])
def test_a_chat_template_s_products_are_limited(text):
    tokenizer = make_tokenizer()
    tokenizer.chat_template = text
    with pytest.raises(HarnessError, match="numbers below"):
        chat_template.render([{"role": "user", "content": "Why"}], tokenizer)
    tokenizer.chat_template = "{{ '-' * 20 }}{{ messages[0].content }}{{ 6 * 7 }}"
    assert chat_template.render([{"role": "user", "content": "Why"}], tokenizer) == f"{'-' * 20}Why42"


def test_a_chat_template_without_end_is_one_line(monkeypatch):
    monkeypatch.setattr(template_limits, "LIMIT_S", 0.2)
    tokenizer = make_tokenizer()
    tokenizer.chat_template = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    with pytest.raises(HarnessError, match="chat template runs for more than"):
        chat_template.render([{"role": "user", "content": "Why"}], tokenizer)
