"""What a chat template can do is found by rendering it: a system turn, thinking, the end of a turn, today's date."""

import pytest

from harness.api import Passage, Prompt, Task
from harness.errors import HarnessError
from harness.prompts import chat_template, layout
from tests.tiny import CHAT, NO_SYSTEM, make_tokenizer

TASK = Task("t", "qa", instruction="Be brief.")
TURNS = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>"
)
IGNORES_SYSTEM = (
    "{# a system turn is left out #}{% for m in messages if m['role'] != 'system' %}<|{{ m['role'] }}|>"
    "{{ m['content'] }}\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
REFUSES_SYSTEM = CHAT.replace(
    "{% for m in messages %}",
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('only user turns') }}{% endif %}",
)
LAST_ONLY = "<|user|>{{ messages[-1]['content'] }}</s>{% if add_generation_prompt %}<|assistant|>{% endif %}"
IN_PARTS = (
    "{% for m in messages %}<|{{ m['role'] }}|>{% for part in m['content'] %}{{ part['text'] }}{% endfor %}</s>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SWITCH = (
    TURNS + "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
OPENS = TURNS + "<think>\n{% endif %}"
STRIPS = TURNS.replace("m['content'] }}", "m['content'].split('</think>')[-1] }}") + "{% endif %}"
DATED = "<|system|>Today is {{ strftime_now('%d %b %Y') }}.</s>" + CHAT


def render(template, prompt=None):
    return layout.render_text(prompt or Prompt(TASK, "three?"), make_tokenizer(template))


@pytest.mark.parametrize("template", [NO_SYSTEM, IGNORES_SYSTEM, REFUSES_SYSTEM])
def test_without_a_system_turn_the_instruction_stands_in_the_user_s_turn(template):
    assert "<|user|>Be brief.\n\nthree?" in render(template)


def test_content_is_given_in_parts_where_the_template_wants_parts():
    assert render(IN_PARTS) == "<|system|>Be brief.</s><|user|>three?</s><|assistant|>"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% for m in messages %}{{ m['content'] ", "unexpected end of template"),
        ("{{ messages[0]['content'] / 2 }}", "unsupported operand"),
        ("{{ messages[9]['content']['x'] }}", "cannot be rendered"),
        ("{{ raise_exception('no\nchat') }}", r"\(no chat\)"),
        ("<|user|><|assistant|>", "leaves the question out"),
    ],
)
def test_a_template_that_cannot_work_is_one_line(template, message):
    with pytest.raises(HarnessError, match=message) as error:
        render(template)
    assert "\n" not in str(error.value)
    assert render(template, Prompt(Task("t", "qa", form="plain"), "three?")).endswith("Answer:")


def test_exemplars_are_refused_by_a_template_that_shows_the_last_turn_only():
    assert render(LAST_ONLY) == "<|user|>Be brief.\n\nthree?</s><|assistant|>"
    with pytest.raises(HarnessError, match="no earlier turns"):
        render(LAST_ONLY, Prompt(TASK, "three?", (("one?", "yes"),)))


def test_thinking_is_switched_off_where_there_is_a_switch():
    assert render(SWITCH).endswith("<|assistant|><think>\n\n</think>\n\n")
    assert chat_template.notes(make_tokenizer(SWITCH)) == [
        "in chat turns, thinking is switched off (enable_thinking=False)"
    ]


def test_a_thought_that_the_template_opens_is_closed():
    assert render(OPENS).endswith("<|assistant|><think>\n\n</think>\n\n")
    assert chat_template.notes(make_tokenizer(OPENS)) == [
        "in chat turns, the thought that the template opens is closed empty"
    ]


def test_a_template_that_only_reads_thoughts_is_noted():
    assert render(STRIPS).endswith("<|assistant|>")
    assert chat_template.notes(make_tokenizer(STRIPS)) == [
        "in chat turns, the model may think first, and its answer is read behind </think>"
    ]


def test_today_is_a_fixed_date_that_the_record_names():
    assert render(DATED).startswith("<|system|>Today is 01 Jan 2025.")
    assert chat_template.notes(make_tokenizer(DATED)) == ["the chat template's date is fixed at 2025-01-01"]


def test_a_template_without_any_of_that_has_no_note():
    assert chat_template.notes(make_tokenizer(CHAT)) == chat_template.notes(make_tokenizer(None)) == []


def test_a_turn_ends_with_the_template_s_token_and_not_the_text_s():
    assert chat_template.end_of_turn_id(make_tokenizer(CHAT)) == make_tokenizer(CHAT).eos_token_id
    other_end = make_tokenizer(CHAT.replace("</s>", "<|system|>"))
    assert chat_template.end_of_turn_id(other_end) == other_end.convert_tokens_to_ids("<|system|>")
    assert chat_template.end_of_turn_id(make_tokenizer(IGNORES_SYSTEM)) is None


def test_an_answer_follows_the_space_that_the_template_writes_before_it():
    spaced = CHAT.replace("{{ m['content'] }}", "{{ ' ' if m['role'] == 'assistant' }}{{ m['content'] }}")
    assert layout.answer_text(Prompt(TASK, "three?"), "yes", make_tokenizer(spaced)) == " yes"
    assert layout.answer_text(Prompt(TASK, "three?"), "yes", make_tokenizer(CHAT)) == "yes"


def test_every_part_of_a_prompt_is_shown():
    prompt = Prompt(TASK, "three?", (("one?", "yes"),), (Passage("p", "It rained.", "Weather"),))
    for template in (CHAT, NO_SYSTEM, IGNORES_SYSTEM, REFUSES_SYSTEM, IN_PARTS, SWITCH, OPENS, STRIPS, DATED):
        text = render(template, prompt)
        assert all(part in text for part in ("Be brief.", "one?", "yes", "Weather: It rained.", "three?")), template
