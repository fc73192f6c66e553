"""Prompting steps: which exemplars are shown, what a search finds, and one's own files."""

import json
from dataclasses import replace

import pytest

from harness.api import Answer, Context, Example, Query, System, Task, TaskData
from harness.errors import HarnessError
from harness.plan import chain, discover
from harness.predict.answering import predict
from harness.predict.label_calibration import calibrate

LABELS = ("good", "bad")
TASK = Task("moods", "classification", "Which mood?", LABELS, form="plain", question_label="Text", answer_label="Mood")


def build_step(text):
    return chain.build(text, discover.find_step)[0].step


def examples(count, start=0):
    return tuple(
        Example(Query(f"e{n}", f"Film number {n} was {('a delight', 'awful')[n % 2]}."), (LABELS[n % 2],))
        for n in range(start, start + count)
    )


TASK_DATA = TaskData(TASK, examples(20), examples(8, 20), metrics=("accuracy",))


class Biased:
    """Reads the mood off the text, but adds two nats to the first label, and needs `now` for some texts."""

    can = frozenset({"generate", "score_choices"})

    def __init__(self, wrong="nothing"):
        self.wrong = wrong
        self.asked = 0

    def score_choices(self, prompts, choices, *, progress=None):
        self.asked += len(prompts)
        return [Answer(self.text(p), "", self.scores(p), prompt_tokens=7, output_tokens=2) for p in prompts]

    def generate(self, prompts, *, max_new_tokens, one_line, sampling=None, progress=None):
        return [Answer(self.text(p), f"Say it now {sampling.seed}.", output_tokens=3) for p in prompts]

    @staticmethod
    def text(prompt):
        return f"{prompt.task.instruction} {prompt.exemplars} {prompt.question}"

    def scores(self, prompt):
        evidence = prompt.question.count("delight") - prompt.question.count("awful")
        if self.wrong in prompt.question and "now" not in prompt.task.instruction:
            evidence = -evidence
        return (2.0 + evidence / 2, -evidence / 2)


def accuracy(system, examples):
    predictions = predict(system, [example.query for example in examples])
    return sum(prediction.answer == e.references[0] for prediction, e in zip(predictions, examples, strict=True)) / len(
        examples
    )


def exemplar_questions(system, query):
    return [question for question, _ in system.prompts([query])[0].exemplars]


def test_balanced_exemplars_hold_as_many_of_each_label_and_random_ones_any():
    balanced, any_ = (
        build_step(f"few_shot(k=6,choose={choose})").adapt(System(None, TASK), TASK_DATA, Context(seed=2))
        for choose in ("balanced", "random")
    )
    query = Query("new", "Film?")
    labels = [answer for _, answer in balanced.prompts([query])[0].exemplars]
    assert labels.count("good") == labels.count("bad") == 3
    draws = {
        tuple(
            sorted(
                answer
                for _, answer in build_step("few_shot(k=6,choose=random)")
                .adapt(System(None, TASK), TASK_DATA, Context(seed=seed))
                .prompts([query])[0]
                .exemplars
            )
        )
        for seed in range(12)
    }
    assert len(draws) > 1
    assert len(set(exemplar_questions(any_, query))) == 6


def test_similar_exemplars_are_the_nearest_with_the_nearest_last_and_never_the_query_itself(tiny_embedder):
    few_shot = build_step(f"few_shot(k=3,choose=similar,embedder={str(tiny_embedder)!r})")
    assert few_shot.sources() == (str(tiny_embedder),)
    assert build_step("few_shot").sources() == ()
    system = few_shot.adapt(System(None, TASK), TASK_DATA, Context())
    assert (
        exemplar_questions(system, Query("new", TASK_DATA.train[4].query.input))[-1] == TASK_DATA.train[4].query.input
    )
    train_exemplars = exemplar_questions(system, TASK_DATA.train[4].query)
    assert len(train_exemplars) == 3
    assert TASK_DATA.train[4].query.input not in train_exemplars
    batch_prompts = system.prompts([example.query for example in TASK_DATA.train])
    assert [q for q, _ in batch_prompts[4].exemplars] == train_exemplars


def test_steps_of_earlier_versions_say_what_to_write_instead():
    with pytest.raises(HarnessError, match="no strategy 'calibrated' any more: every system that scores labels is"):
        build_step("few_shot+calibrated")
    with pytest.raises(HarnessError, match="few_shot does not take 'calibrate' any more: every system"):
        build_step("few_shot(calibrate=false)")


def test_a_search_finds_the_instruction_that_does_best_and_stays_within_its_budget(tmp_path):
    bank = tmp_path / "bank.txt"
    bank.write_text("# a comment\n{instruction} Do it now.\n{instruction} Take your time.\nOne of: {choices}\n")
    model, points = Biased("number 2"), []
    search = build_step(f"optimised(candidates=6,budget=170,k=2,items=12,instructions={str(bank)!r})")
    tuned = search.adapt(System(model, TASK), TASK_DATA, Context(seed=1, log=points.append))
    assert "now" in tuned.task.instruction
    assert model.asked <= 170
    assert points[-1]["step"] == model.asked
    assert {point["candidate"] for point in points} == set(range(7))
    assert accuracy(calibrate(tuned, TASK_DATA)[0], TASK_DATA.validation) == 1.0
    repeated = search.adapt(System(Biased("number 2"), TASK), TASK_DATA, Context(seed=1))
    assert repeated.task == tuned.task


def test_the_present_prompt_stays_unless_another_is_better(tmp_path):
    bank = tmp_path / "bank.txt"
    bank.write_text("{instruction} Slowly.\n")
    task = replace(TASK, instruction="Say it now.")
    search = build_step(f"optimised(candidates=3,budget=120,k=0,instructions={str(bank)!r})")
    tuned = search.adapt(System(Biased(), task), replace(TASK_DATA, task=task), Context())
    assert tuned.task == task
    assert tuned.exemplars is None


def test_judges_are_never_shown_and_half_of_the_training_items_stay_to_be_shown():
    from strategies.optimised import split_for_search

    selection_examples, pool = split_for_search(TASK_DATA, 100, seed=3)
    assert {e.query.id for e in selection_examples}.isdisjoint(e.query.id for e in pool)
    assert len(selection_examples) == 8 + 10
    assert len(pool) == 10
    only_validation, exemplar_pool = split_for_search(TASK_DATA, 5, seed=3)
    assert {e.query.id for e in only_validation} <= {e.query.id for e in TASK_DATA.validation}
    assert len(exemplar_pool) == 20


def test_what_a_search_found_can_be_kept_as_a_few_lines_of_json(tmp_path):
    search = build_step("optimised(candidates=8,budget=220,k=2)")
    plain = System(Biased(), TASK)
    tuned = search.adapt(plain, TASK_DATA, Context(seed=4))
    search.save(tuned, tmp_path)
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text())["instruction"] == tuned.task.instruction
    loaded = search.load(plain, TASK_DATA, Context(seed=4), tmp_path)
    assert (loaded.task, loaded.exemplars) == (tuned.task, tuned.exemplars)


def test_a_model_can_write_instructions_of_its_own():
    search = build_step("optimised(candidates=8,budget=220,k=0,paraphrases=3)")
    tuned = search.adapt(System(Biased("number 2"), TASK), TASK_DATA, Context())
    assert tuned.task.instruction.startswith("Say it now")


def test_a_template_s_file_is_read_when_the_run_is_planned_and_its_text_is_what_is_kept(tmp_path):
    file = tmp_path / "mine.jinja"
    file.write_text("{{ question }} Mood?\n")
    links = chain.build(f"prompt(template={str(file)!r})", discover.find_step)
    assert chain.canonical(links) == f"prompt(template={str(file)!r})"
    (resolved,) = chain.resolved(links)
    assert resolved["text"] == "{{ question }} Mood?\n"
    file.unlink()
    (restored,) = chain.restore((resolved,), discover.find_step)
    system = restored.step.adapt(System(None, TASK), TASK_DATA, Context())
    assert system.task.template == "{{ question }} Mood?\n"


def test_a_template_of_the_suite_is_found_by_its_name():
    data = replace(TASK_DATA, templates={"short": "{{ question }}"})
    system = build_step("prompt(template=short,instruction='Say.')").adapt(System(None, TASK), data, Context())
    assert (system.task.template, system.task.instruction) == ("{{ question }}", "Say.")
    with pytest.raises(
        HarnessError, match="unknown template 'shrt' in the suite of task 'moods': did you mean 'short'"
    ):
        build_step("prompt(template=shrt)").adapt(System(None, TASK), data, Context())


def test_without_parameters_the_prompt_stays_as_the_task_has_it():
    assert build_step("prompt").adapt(System(None, TASK), TASK_DATA, Context()) == System(None, TASK)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prompt(template='./none.jinja')", "template ./none.jinja cannot be read"),
        ("optimised(instructions='./none.txt')", "file of instructions ./none.txt cannot be read"),
    ],
)
def test_a_file_that_is_not_there_is_said_before_anything_runs(text, message):
    with pytest.raises(HarnessError) as raised:
        chain.build(text, discover.find_step)
    assert message in str(raised.value)


def test_zero_shot_takes_everything_away():
    system = build_step("self_consistency(n=2)").adapt(System(None, TASK), TASK_DATA, Context(seed=5))
    assert system.reasoning.samples == 2
    assert system.reasoning.sampling.seed == 5
    bare = build_step("zero_shot").adapt(system, TASK_DATA, Context())
    assert bare == System(None, TASK)
