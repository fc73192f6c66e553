"""Questions and paraphrases from a corpus: what is read, what is left out, and what comes back from the file."""

import dataclasses

import pytest

from harness.api import Answer, Example, ModelInfo, Passage, Query, Task, TaskData
from harness.training.synthetic_rows import (
    ANSWER_MARK,
    WritingSettings,
    demonstrations,
    load_rows,
    read_question,
    save_rows,
    write_rows,
)

BRIDGE = Passage("bridge", "Ida Holm built the Amber Bridge in 1893, on nine arches.", "Amber Bridge")
KELP = Passage("kelp", "Kelp grows half a metre a day in cold seas.")
SECRET = Passage("secret", "The vault opens with the word marigold.", readers=("ann",))
KNOWN = Example(Query("t1", "Where does kelp grow?"), ("cold seas",), evidence=("kelp",))
DATA = TaskData(Task("sea", "qa", "Answer.", form="plain"), train=(KNOWN,), corpus=(BRIDGE, KELP, SECRET))


@dataclasses.dataclass
class Teacher:
    """A generate-only model, as an endpoint is one, that writes what a test tells it to for the text it is shown."""

    lines: dict
    info: ModelInfo = dataclasses.field(default_factory=lambda: ModelInfo(name="teacher"))
    asked: list = dataclasses.field(default_factory=list)

    def generate(self, prompts, *, max_new_tokens, one_line, sampling=None, progress=None):
        self.asked += [(prompt, sampling) for prompt in prompts]
        outputs = [next(line for part, line in self.lines.items() if part in p.question) for p in prompts]
        return [Answer("", output, prompt_tokens=10, output_tokens=3) for output in outputs]


LINES = {
    "Amber": f" Who built the Amber Bridge? {ANSWER_MARK} Ida Holm.",
    "Kelp": f" How much does kelp grow? {ANSWER_MARK} half a metre",
    "vault": f" Which word opens the vault? {ANSWER_MARK} marigold",
}


def test_rows_carry_their_passage_and_teacher_and_what_was_spent():
    rows = write_rows(Teacher(LINES), DATA, WritingSettings(), 0)
    assert [(e.query.input, e.references, e.evidence, e.teacher) for e in rows.examples] == [
        ("Who built the Amber Bridge?", ("Ida Holm",), ("bridge",), "teacher"),
        ("How much does kelp grow?", ("half a metre",), ("kelp",), "teacher"),
    ]
    assert rows.tokens == 26
    assert rows.counts == {"passages": 2, "restricted passages left out": 1, "written": 2, "kept": 2}


def test_restricted_passages_become_questions_only_where_a_parameter_says_so_and_keep_their_readers():
    teacher = Teacher(LINES)
    write_rows(teacher, DATA, WritingSettings(), 0)
    assert not any("vault" in prompt.question for prompt, _ in teacher.asked)
    rows = write_rows(Teacher(LINES), DATA, WritingSettings(restricted=True), 0)
    (secret,) = (example for example in rows.examples if example.evidence == ("secret",))
    assert secret.readers == (("ann",),)
    assert not secret.readable_by(None)
    assert secret.query.user == "ann"


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("The bridge is old.", "no question with an answer"),
        ("Who built the Amber Bridge?", "no question with an answer"),
        (f"Who? {ANSWER_MARK} Ida Holm", "too short or too long"),
        (f"Who built the Amber Bridge? {ANSWER_MARK} {'nine arches ' * 9}", "too short or too long"),
        (f"Who built the Amber Bridge? {ANSWER_MARK} Bo Lind", "answer not in passage"),
        (f"Did Ida Holm build the Amber Bridge? {ANSWER_MARK} Ida Holm", "answer in question"),
    ],
)
def test_an_unusable_row_is_counted_by_its_reason(output, reason):
    assert read_question(output, BRIDGE, 0, "teacher") == reason
    rows = write_rows(Teacher(LINES | {"Amber": output}), DATA, WritingSettings(), 0)
    assert rows.counts[reason] == 1
    assert rows.counts["kept"] == 1


def test_a_question_that_is_there_already_is_written_off():
    lines = LINES | {"Kelp": f" Where does kelp grow? {ANSWER_MARK} cold seas"}
    rows = write_rows(Teacher(lines), DATA, WritingSettings(per_passage=2), 0)
    assert [example.query.input for example in rows.examples] == ["Who built the Amber Bridge?"]
    assert rows.counts["nearly a question that is there"] == 3


def test_each_round_has_draws_of_its_own_and_no_temperature_means_none():
    teacher = Teacher(LINES)
    write_rows(teacher, DATA, WritingSettings(per_passage=2, temperature=0.7), 3)
    assert len({sampling.seed for _, sampling in teacher.asked}) == 2
    teacher = Teacher(LINES)
    write_rows(teacher, DATA, WritingSettings(), 3)
    assert {sampling for _, sampling in teacher.asked} == {None}


def test_training_examples_with_their_passages_are_shown_and_built_in_ones_fill_up():
    shown = demonstrations(DATA, WritingSettings(shots=2))
    assert shown[0] == (KELP.text, f"Where does kelp grow? {ANSWER_MARK} cold seas")
    assert len(shown) == 2
    secret = dataclasses.replace(KNOWN, evidence=("secret",), readers=(("ann",),))
    hidden = demonstrations(dataclasses.replace(DATA, train=(secret,)), WritingSettings(shots=2))
    assert not any("vault" in text for text, _ in hidden)


def test_paraphrases_that_copy_or_bring_numbers_are_left_out():
    lines = {
        "Ida Holm": "In 1893 a bridge of nine arches, the Amber Bridge, was built by Ida Holm.",
        "Kelp": "Kelp grows 7 metres in a day where seas are cold.",
    }
    rows = write_rows(Teacher(lines), DATA, WritingSettings(per_passage=0, paraphrases=1), 0)
    (paraphrase,) = rows.paraphrases
    assert (paraphrase.title, paraphrase.text) == (BRIDGE.title, lines["Ida Holm"])
    assert rows.counts["paraphrases kept"] == 1


def test_the_file_gives_back_what_was_written(tmp_path):
    rows = write_rows(Teacher(LINES), DATA, WritingSettings(restricted=True), 0)
    rows = dataclasses.replace(rows, paraphrases=(dataclasses.replace(SECRET, id="secret~1"),))
    save_rows(rows, tmp_path / "rows.jsonl")
    loaded = load_rows(tmp_path / "rows.jsonl")
    assert (loaded.examples, loaded.paraphrases) == (rows.examples, rows.paraphrases)
