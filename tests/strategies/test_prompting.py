"""Prompting steps: which exemplars are shown, what calibration takes off, what a search finds, and one's own files."""

import json
from dataclasses import replace

import pytest

from harness.api import Answer, Context, Example, Query, System, Task, TaskData
from harness.errors import HarnessError
from harness.plan import chain, discover
from harness.predict.answering import ask

LABELS = ("good", "bad")
TASK = Task("moods", "classification", "Which mood?", LABELS, form="plain", question_label="Text", answer_label="Mood")


def step(text):
    return chain.build(text, discover.find_step)[0].step


def examples(count, start=0):
    return tuple(
        Example(Query(f"e{n}", f"Film number {n} was {('a delight', 'awful')[n % 2]}."), (LABELS[n % 2],))
        for n in range(start, start + count)
    )


DATA = TaskData(TASK, examples(20), examples(8, 20), metrics=("accuracy",))


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
        seen = prompt.question.count("delight") - prompt.question.count("awful")
        if self.wrong in prompt.question and "now" not in prompt.task.instruction:
            seen = -seen
        return (2.0 + seen / 2, -seen / 2)


def accuracy(system, items):
    found = ask(system, [example.query for example in items])
    return sum(one.answer == e.references[0] for one, e in zip(found, items, strict=True)) / len(items)


def shown(system, query):
    return [question for question, _ in system.prompts([query])[0].exemplars]


def test_balanced_exemplars_hold_as_many_of_each_label_and_random_ones_any():
    balanced, any_ = (
        step(f"few_shot(k=6,choose={choose},calibrate=false)").adapt(System(None, TASK), DATA, Context(seed=2))
        for choose in ("balanced", "random")
    )
    query = Query("new", "Film?")
    labels = [answer for _, answer in balanced.prompts([query])[0].exemplars]
    assert labels.count("good") == labels.count("bad") == 3
    seen = {
        tuple(
            sorted(
                answer
                for _, answer in step("few_shot(k=6,choose=random,calibrate=false)")
                .adapt(System(None, TASK), DATA, Context(seed=seed))
                .prompts([query])[0]
                .exemplars
            )
        )
        for seed in range(12)
    }
    assert len(seen) > 1
    assert len(set(shown(any_, query))) == 6


def test_similar_exemplars_are_the_nearest_with_the_nearest_last_and_never_the_query_itself(tiny_embedder):
    asked = step(f"few_shot(k=3,choose=similar,calibrate=false,embedder={str(tiny_embedder)!r})")
    assert asked.sources() == (str(tiny_embedder),)
    assert step("few_shot").sources() == ()
    system = asked.adapt(System(None, TASK), DATA, Context())
    assert shown(system, Query("new", DATA.train[4].query.input))[-1] == DATA.train[4].query.input
    own = shown(system, DATA.train[4].query)
    assert len(own) == 3
    assert DATA.train[4].query.input not in own
    together = system.prompts([example.query for example in DATA.train])
    assert [q for q, _ in together[4].exemplars] == own


def test_similar_exemplars_are_calibrated_too(tiny_embedder):
    model = Biased()
    system = step(f"few_shot(k=3,choose=similar,embedder={str(tiny_embedder)!r})").adapt(
        System(model, TASK), DATA, Context()
    )
    assert system.prior[0] > system.prior[1]
    assert model.asked == 17


def test_what_a_prompt_favours_whatever_is_asked_is_taken_off():
    model = Biased()
    plain = System(model, TASK)
    assert accuracy(plain, DATA.validation) == 0.5
    spent = []
    system = step("calibrated").adapt(plain, DATA, Context(count_tokens=spent.append))
    assert accuracy(system, DATA.validation) == 1.0
    assert spent == [3 * 9]
    chained = step("calibrated(content_free=['?'])").adapt(system.replace(prior=(9.0, 0.0)), DATA, Context())
    assert chained.prior == pytest.approx(system.prior)


def test_calibration_of_choices_that_queries_bring_is_left_to_the_asking():
    task = Task("t", "multiple_choice")
    system = step("calibrated").adapt(System(None, task), TaskData(task), Context())
    assert system.content_free == ("N/A", "[MASK]", "")


def test_a_search_finds_the_instruction_that_does_best_and_stays_within_its_budget(tmp_path):
    bank = tmp_path / "bank.txt"
    bank.write_text("# a comment\n{instruction} Do it now.\n{instruction} Take your time.\nOne of: {choices}\n")
    model, points = Biased("number 2"), []
    search = step(f"optimised(candidates=6,budget=170,k=2,items=12,instructions={str(bank)!r})")
    found = search.adapt(System(model, TASK), DATA, Context(seed=1, log=points.append))
    assert "now" in found.task.instruction
    assert model.asked <= 170
    assert points[-1]["step"] == model.asked
    assert {point["candidate"] for point in points} == set(range(7))
    assert accuracy(found, DATA.validation) == 1.0
    again = search.adapt(System(Biased("number 2"), TASK), DATA, Context(seed=1))
    assert (again.task, again.prior) == (found.task, found.prior)


def test_the_present_prompt_stays_unless_another_is_better(tmp_path):
    bank = tmp_path / "bank.txt"
    bank.write_text("{instruction} Slowly.\n")
    task = replace(TASK, instruction="Say it now.")
    search = step(f"optimised(candidates=3,budget=120,k=0,instructions={str(bank)!r})")
    found = search.adapt(System(Biased(), task), replace(DATA, task=task), Context())
    assert found.task == task
    assert found.exemplars is None


def test_judges_are_never_shown_and_half_of_the_training_items_stay_to_be_shown():
    from strategies.optimised import split_for_search

    judged, may_be_shown = split_for_search(DATA, 100, seed=3)
    assert {e.query.id for e in judged}.isdisjoint(e.query.id for e in may_be_shown)
    assert len(judged) == 8 + 10
    assert len(may_be_shown) == 10
    only_validation, rest = split_for_search(DATA, 5, seed=3)
    assert {e.query.id for e in only_validation} <= {e.query.id for e in DATA.validation}
    assert len(rest) == 20


def test_what_a_search_found_can_be_kept_as_a_few_lines_of_json(tmp_path):
    search = step("optimised(candidates=8,budget=220,k=2)")
    plain = System(Biased(), TASK)
    found = search.adapt(plain, DATA, Context(seed=4))
    search.save(found, tmp_path)
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text())["instruction"] == found.task.instruction
    again = search.load(plain, DATA, Context(seed=4), tmp_path)
    assert (again.task, again.prior, again.exemplars) == (found.task, found.prior, found.exemplars)


def test_a_model_can_write_instructions_of_its_own():
    search = step("optimised(candidates=8,budget=220,k=0,paraphrases=3)")
    found = search.adapt(System(Biased("number 2"), TASK), DATA, Context())
    assert found.task.instruction.startswith("Say it now")


def test_a_template_s_file_is_read_when_the_run_is_planned_and_its_text_is_what_is_kept(tmp_path):
    file = tmp_path / "mine.jinja"
    file.write_text("{{ question }} Mood?\n")
    links = chain.build(f"prompt(template={str(file)!r})", discover.find_step)
    assert chain.canonical(links) == f"prompt(template={str(file)!r})"
    (resolved,) = chain.resolved(links)
    assert resolved["text"] == "{{ question }} Mood?\n"
    file.unlink()
    (restored,) = chain.restore((resolved,), discover.find_step)
    system = restored.step.adapt(System(None, TASK, prior=(1.0, 2.0)), DATA, Context())
    assert system.task.template == "{{ question }} Mood?\n"
    assert system.prior == ()


def test_a_template_of_the_suite_is_found_by_its_name():
    data = replace(DATA, templates={"short": "{{ question }}"})
    system = step("prompt(template=short,instruction='Say.')").adapt(System(None, TASK), data, Context())
    assert (system.task.template, system.task.instruction) == ("{{ question }}", "Say.")
    with pytest.raises(
        HarnessError, match="unknown template 'shrt' in the suite of task 'moods': did you mean 'short'"
    ):
        step("prompt(template=shrt)").adapt(System(None, TASK), data, Context())


def test_without_parameters_the_prompt_stays_as_the_task_has_it():
    assert step("prompt").adapt(System(None, TASK), DATA, Context()) == System(None, TASK)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prompt(template='./none.jinja')", "template ./none.jinja cannot be read"),
        ("optimised(instructions='./none.txt')", "file of instructions ./none.txt cannot be read"),
    ],
)
def test_a_file_that_is_not_there_is_said_before_anything_runs(text, says):
    with pytest.raises(HarnessError) as found:
        chain.build(text, discover.find_step)
    assert says in str(found.value)


def test_zero_shot_takes_everything_away():
    made = step("self_consistency(n=2)").adapt(System(None, TASK), DATA, Context(seed=5))
    assert made.reasoning.samples == 2
    assert made.reasoning.sampling.seed == 5
    bare = step("zero_shot").adapt(made.replace(prior=(1.0, 0.0), content_free=("?",)), DATA, Context())
    assert bare == System(None, TASK)
