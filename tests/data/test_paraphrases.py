"""Other words for a task's instruction: what a suite may say, and what they leave as it is."""

import pytest

from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.errors import HarnessError

INSTRUCTION = 'instruction = "Classify the sentiment."\n'


@pytest.fixture
def saying(tiny_suite, tmp_path):
    """Read the tiny suite with something put behind a line of it."""

    def call(added, line=INSTRUCTION):
        text = (tiny_suite / "suite.toml").read_text()
        assert text.count(line) == 1
        for file in tiny_suite.glob("*.csv"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
        (tmp_path / "suite.toml").write_text(text.replace(line, line + added))
        return load_suite(tmp_path)

    return call


def test_a_suite_with_other_words_has_the_same_data_and_the_same_hash(saying):
    plain, worded = saying(""), saying('paraphrases = ["Good or bad?", "Which mood is it?"]\n')
    before, after = prepare(plain, "moods"), prepare(worded, "moods")
    assert (before.paraphrases, after.paraphrases) == ((), ("Good or bad?", "Which mood is it?"))
    assert after.info == before.info
    assert after.task_data == before.task_data
    assert plain.hash == worded.hash != saying('question_label = "Text"\n').hash


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ('["a", "b", "c", "d"]', "at most 3 instructions"),
        ('["a", ""]', "must differ"),
        ('["a", "A "]', "must differ"),
        ('["classify the sentiment."]', "must differ"),
        ('"a"', "paraphrases"),
    ],
)
def test_what_is_wrong_with_paraphrases_is_said_where_they_stand(saying, added, message):
    with pytest.raises(HarnessError, match=message) as error:
        saying(f"paraphrases = {added}\n")
    assert "suite.toml" in str(error.value)


def test_only_a_target_with_an_instruction_has_other_words_for_it(saying):
    for line in ('choices = ["a", "b"]\n', 'data = "quiz.csv"\n'):
        with pytest.raises(HarnessError, match="other words for the 'instruction' of a target"):
            saying('paraphrases = ["Where is it?"]\n', line)


def test_the_first_suite_asks_in_three_other_ways():
    suite = load_suite("quickstart")
    assert [len(task.paraphrases) for task in suite.tasks] == [3, 3, 0]
    assert suite.version == 1
