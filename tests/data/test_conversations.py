"""Conversations of OpenAI's and ShareGPT's form: what is asked, what is scored, what is learned."""

import json

import pytest

from harness.api import Example, Query
from harness.data import scaffold
from harness.data.conversations import divide, learned_turns, read_turns, turns_of
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.errors import HarnessError

TURNS = [
    ("system", "Be kind."),
    ("user", "Where is the harbour?"),
    ("assistant", "By the old mill."),
    ("user", "And the lighthouse?"),
    ("assistant", "On the northern pier."),
]
OPENAI = [{"role": role, "content": text} for role, text in TURNS]
SHAREGPT = [
    {"from": {"user": "human", "assistant": "gpt"}.get(role, role), "value": text, "weight": 1} for role, text in TURNS
]
IN_PARTS = [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in TURNS]
SUITE = """
name = "talks"
version = 1
[[tasks]]
name = "talk"
kind = "{kind}"
data = "{file}"
input = "{column}"
{more}
"""


def make_suite(folder, rows, *, column="messages", kind="generation", file="talks.jsonl", more=""):
    folder.mkdir(exist_ok=True)
    (folder / "suite.toml").write_text(SUITE.format(column=column, kind=kind, file=file, more=more), encoding="utf-8")
    if file.endswith("csv"):
        import csv

        with (folder / file).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    else:
        (folder / file).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return load_suite(folder)


def numbered(turns, count=40):
    key = "content" if "content" in turns[0] else "value"
    return [
        [*turns[:-2], {**turns[-2], key: f"And the lighthouse of island {n * 7919}?"}, turns[-1]] for n in range(count)
    ]


@pytest.mark.parametrize(
    "cell", [OPENAI, SHAREGPT, IN_PARTS, json.dumps(OPENAI)], ids=["openai", "sharegpt", "parts", "json"]
)
def test_each_form_gives_the_same_turns(cell):
    assert read_turns(turns_of(cell)) == tuple(TURNS)


@pytest.mark.parametrize(("turns", "column"), [(OPENAI, "messages"), (SHAREGPT, "conversations")])
def test_the_last_assistant_turn_is_the_reference_and_earlier_turns_are_kept(turns, column, tmp_path):
    suite = make_suite(tmp_path / "s", [{column: row} for row in numbered(turns)], column=column)
    prepared = prepare(suite, "talk")
    example = prepared.test[0]
    assert example.references == ("On the northern pier.",)
    assert example.query.input.startswith("And the lighthouse of island ")
    assert example.query.history == tuple(TURNS[:3])
    assert not any("pier" in text for _, text in example.query.history)


def test_training_learns_every_assistant_turn_and_the_held_out_splits_the_last_one(tmp_path):
    suite = make_suite(tmp_path / "s", [{"messages": row} for row in numbered(OPENAI)])
    prepared = prepare(suite, "talk")
    conversations = {example.cluster for example in prepared.task_data.train}
    assert len(prepared.task_data.train) == 2 * len(conversations)
    assert {example.references[0] for example in prepared.task_data.train} == {TURNS[2][1], TURNS[4][1]}
    assert {example.references[0] for example in (*prepared.test, *prepared.task_data.validation)} == {TURNS[4][1]}
    assert prepared.info.preparation == (
        f"{len(conversations)} conversations are {2 * len(conversations)} assistant turns to learn",
    )


def test_turns_of_a_csv_column_are_json_and_a_system_column_is_kept(tmp_path):
    rows = [{"messages": json.dumps(row[1:]), "system": "Be kind."} for row in numbered(OPENAI)]
    suite = make_suite(tmp_path / "s", rows, file="talks.csv")
    assert prepare(suite, "talk").test[0].query.history == tuple(TURNS[:3])


def test_a_label_of_a_whole_conversation_is_asked_with_all_its_lines(tmp_path):
    rows = [{"messages": row, "label": "ab"[n % 2]} for n, row in enumerate(numbered(OPENAI))]
    suite = make_suite(tmp_path / "s", rows, kind="classification", more='reference = "label"')
    example = prepare(suite, "talk").test[0]
    assert example.query.history == ()
    assert example.query.input.split("\n")[:3] == [
        "System: Be kind.",
        "User: Where is the harbour?",
        "Assistant: By the old mill.",
    ]


def test_another_column_may_hold_the_reference_and_chosen_and_rejected_conversations(tmp_path):
    better, worse = ([*OPENAI[:-1], {"role": "assistant", "content": text}] for text in ("On the pier.", "Who knows."))
    rows = [
        {"messages": [*row[:-1], {"role": "assistant", "content": "unseen"}], "chosen": better, "rejected": worse}
        for row in numbered(OPENAI)
    ]
    suite = make_suite(tmp_path / "s", rows, more='reference = "chosen"\nrejected = "rejected"')
    example = prepare(suite, "talk").test[0]
    assert (example.references, example.rejected) == (("On the pier.",), "Who knows.")
    assert "unseen" not in example.query.text


def test_the_same_last_question_in_another_conversation_is_another_item(tmp_path):
    rows = [
        {"messages": [{"role": "user", "content": f"Tell me of island {n * 7919} please"}, *OPENAI[2:]]}
        for n in range(40)
    ]
    prepared = prepare(make_suite(tmp_path / "s", rows), "talk")
    assert sum(prepared.info.sizes[name] for name in ("validation", "test")) + len(prepared.task_data.train) / 2 == 40
    assert not any(leak.exact for leak in prepared.leaks)
    hashes = {prepared.info.data_hash}
    rows[-1]["messages"][0]["content"] += "!"
    hashes.add(prepare(make_suite(tmp_path / "t", rows), "talk").info.data_hash)
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ([{"role": "user", "content": "a"}], "no turn of the assistant, which would be the reference"),
        ([{"role": "assistant", "content": "a"}], "no turn of the user before the assistant's last"),
        ([{"role": "tool", "content": "a"}], "turn 1 is of the role 'tool'"),
        (
            [OPENAI[1], {"role": "assistant", "content": None, "tool_calls": [{}]}],
            r"turn 2 \(assistant\) holds something",
        ),
        ([{"role": "user", "content": [{"type": "image_url"}]}, OPENAI[2]], r"turn 1 \(user\) holds something other"),
    ],
)
def test_a_conversation_that_cannot_be_asked_says_why(turns, message):
    with pytest.raises(ValueError, match=message):
        divide(read_turns(turns), scored=True)


def test_a_row_that_cannot_be_asked_is_named_with_its_line(tmp_path):
    rows = [{"messages": [{"role": "tool", "content": "a"}]}] * 3
    with pytest.raises(HarnessError, match=r"talks\.jsonl, line 1: column 'messages': turn 1 is of the role 'tool'"):
        prepare(make_suite(tmp_path / "s", rows), "talk")
    with pytest.raises(HarnessError, match="holds no conversation, and no column is named as 'reference'"):
        prepare(make_suite(tmp_path / "t", [{"messages": "a text"}] * 3), "talk")


def test_turns_of_one_role_in_a_row_are_one_and_what_follows_the_last_answer_is_left_out():
    turns = read_turns([OPENAI[1], OPENAI[1], OPENAI[2], OPENAI[2], OPENAI[3]])
    conversation = divide(turns, scored=True)
    assert conversation.question == "Where is the harbour?\n\nWhere is the harbour?"
    assert conversation.answer == "By the old mill.\n\nBy the old mill."


def test_a_single_question_is_learned_as_it_is():
    example = Example(Query("q", "a", history=(("system", "s"),)), ("b",))
    assert learned_turns([example]) == (example,)


def test_init_writes_sizes_of_conversations_not_of_their_turns(tmp_path):
    """Rows are divided before they become one item a turn."""
    rows = [{"messages": turns, "reply": f"on pier {n}"} for n, turns in enumerate(numbered(OPENAI))]
    file = tmp_path / "log.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = {"input": "messages", "reference": "reply"}
    written = scaffold.init_suite("talks", scaffold.Material({"data": file}, columns), tmp_path)
    assert "train =" not in (written.path / "suite.toml").read_text()
    assert prepare(load_suite(written.path), "talks").info.sizes["train"] > 0


def test_half_a_character_becomes_the_replacement_character(tmp_path):
    rows = [
        {"messages": [*turns[:-1], {**turns[-1], "content": f"{n} \ud83d"}]} for n, turns in enumerate(numbered(OPENAI))
    ]
    suite = make_suite(tmp_path / "s", rows)
    assert all(example.references[0].endswith("\ufffd") for example in prepare(suite, "talk").test)
