"""Questions for a suite without labels: as many as are wanted, in rounds, and no more prompts than that is worth."""

import dataclasses

from harness.api import Answer, ModelInfo, Passage
from harness.training.question_sets import MOST_ASKED, write_questions
from harness.training.synthetic_rows import ANSWER_MARK

SUBJECTS = "kelp amber copper granite willow heron thistle cobalt juniper sorrel marten basalt".split()  # noqa: SIM905
PASSAGES = tuple(Passage(name, f"The {name} of hall {n} weighs {n * 37} grams.") for n, name in enumerate(SUBJECTS, 5))
FORMS = (
    "What does the {name} weigh in that hall?",
    "How heavy might {name} be, according to this text?",
    "Please tell me in grams: {name}, what is the measured mass?",
)


@dataclasses.dataclass
class Teacher:
    """A generate-only model that asks about a passage in the next of its forms each time it is shown it."""

    forms: tuple = FORMS
    info: ModelInfo = dataclasses.field(default_factory=lambda: ModelInfo(name="teacher"))
    asked: list = dataclasses.field(default_factory=list)
    temperatures: list = dataclasses.field(default_factory=list)

    def generate(self, prompts, *, max_new_tokens, one_line, sampling=None, progress=None):
        self.temperatures.append(sampling.temperature if sampling else 0)
        return [Answer("", self.line(prompt.question), prompt_tokens=1, output_tokens=1) for prompt in prompts]

    def line(self, text):
        name = text.split()[1]
        form = self.forms[self.asked.count(name) % len(self.forms)]
        self.asked.append(name)
        return f" {form.format(name=name)} {ANSWER_MARK} {text.split()[-2]}"


def test_as_many_questions_as_are_wanted_each_with_an_id_of_its_own():
    teacher = Teacher()
    examples, counts = write_questions(teacher, PASSAGES, 20)
    assert len(examples) == len({example.query.id for example in examples}) == 20
    assert all(example.references[0] in text(example) for example in examples)
    assert {example.teacher for example in examples} == {"teacher"}
    assert teacher.temperatures[0] == 0
    assert len(set(teacher.temperatures[1:])) == 1
    assert counts["written"] == len(teacher.asked)


def test_a_large_corpus_is_asked_about_in_part():
    teacher = Teacher()
    examples, _ = write_questions(teacher, PASSAGES, 5)
    assert len(examples) == 5
    assert len(teacher.asked) == 6


def test_a_teacher_that_repeats_itself_ends_early_and_what_is_left_out_is_counted():
    teacher = Teacher(FORMS[:1])
    examples, counts = write_questions(teacher, PASSAGES, 100)
    assert len(examples) == len(PASSAGES)
    assert counts["nearly a question that is there"] == len(PASSAGES)
    assert len(teacher.asked) == 2 * len(PASSAGES) < MOST_ASKED * 100


def test_restricted_passages_and_no_passages_give_no_question():
    secret = (dataclasses.replace(PASSAGES[0], readers=("ann",)),)
    assert write_questions(Teacher(), secret, 3)[0] == ()
    assert write_questions(Teacher(), (), 3)[0] == ()


def text(example):
    return next(passage.text for passage in PASSAGES if passage.id == example.evidence[0])
