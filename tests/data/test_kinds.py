"""Preference pairs, held-out text, and what else a suite can say: splits, users, readers, rewards, templates."""

from pathlib import Path

import pytest

from harness.data.corpus import corpus_hash
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.errors import HarnessError

HEAD = 'name = "mine"\nversion = 1\n[[tasks]]\nname = "t"\n'
PAIRS = HEAD + 'kind = "preference"\ndata = "rows.csv"\ninput = "q"\nreference = "good"\nrejected = "bad"\n'
TEXTS = (
    HEAD
    + 'kind = "qa"\ndata = "rows.csv"\ninput = "q"\nreference = "good"\n[[tasks]]\nname = "held"\n'
    + 'kind = "language_modelling"\nrole = "probe"\ndata = "rows.csv"\ninput = "q"\n'
)
QUESTIONS = HEAD + 'kind = "qa"\ndata = "rows.csv"\ninput = "q"\nreference = "good"\n'
GIVEN = QUESTIONS.replace('data = "rows.csv"', 'test = "rows.csv"\ntrain = "rows.csv"')


def rows(number=60, **more):
    """A table of questions with a better and a worse answer; a column is made by a function of the number."""
    columns = {"q": "ask {}".format, "good": "right {}".format, "bad": "wrong {}".format, **more}
    lines = [",".join(columns), *(",".join(cell(n * 7919) for cell in columns.values()) for n in range(number))]
    return "\n".join(lines) + "\n"


def suite(folder: Path, toml: str, **files: str):
    folder.mkdir(exist_ok=True)
    for name, content in {"suite__toml": toml, "rows__csv": rows(), **files}.items():
        path = folder / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return load_suite(folder)


def test_a_pair_shows_both_answers_and_not_which_is_better(tmp_path):
    prepared = prepare(suite(tmp_path, PAIRS), "t")
    assert prepared.info.metrics == ("accuracy",)
    assert prepared.info.chance == 0.5
    assert "preferences" in prepared.task_data.provides
    first = [
        example.query.choices[0] == example.references[0] for example in (*prepared.test, *prepared.task_data.train)
    ]
    assert 0.25 < sum(first) / len(first) < 0.75
    for example in prepared.test:
        assert set(example.query.choices) == {example.references[0], example.rejected}


def test_the_order_of_a_pair_goes_by_its_id_alone(tmp_path):
    swapped = PAIRS.replace('reference = "good"\nrejected = "bad"', 'reference = "bad"\nrejected = "good"')
    first, second = (prepare(suite(tmp_path / n, toml), "t") for n, toml in (("a", PAIRS), ("b", swapped)))
    places = [
        {e.query.id: e.query.choices.index(e.references[0]) for e in (*prepared.test, *prepared.task_data.train)}
        for prepared in (first, second)
    ]
    shared = places[0].keys() & places[1].keys()
    assert shared
    assert all(places[0][name] == places[1][name] for name in shared)


def test_a_question_may_have_a_worse_answer_in_some_rows(tmp_path):
    table = rows(bad=lambda n: "wrong" if n % 2 else "")
    prepared = prepare(suite(tmp_path, QUESTIONS + 'rejected = "bad"\n', rows__csv=table), "t")
    assert "preferences" in prepared.task_data.provides
    assert {example.rejected for example in prepared.task_data.train} == {"wrong", None}
    assert not any(example.query.choices for example in prepared.test)


def test_a_worse_answer_that_is_right_is_an_error(tmp_path):
    with pytest.raises(HarnessError, match="better and the worse answer are both 'same'"):
        prepare(suite(tmp_path, PAIRS, rows__csv="q,good,bad\nask,same,same\n"), "t")


def test_held_out_text_is_asked_as_it_is_behind_nothing(tmp_path):
    prepared = prepare(suite(tmp_path, TEXTS), "held")
    assert prepared.info.metrics == ("bits_per_byte", "word_perplexity")
    assert prepared.info.chance is None
    assert prepared.task_data.task.form == "bare"
    for example in prepared.test:
        assert example.query.input == ""
        assert example.query.choices == example.references
        assert example.references[0].startswith("ask ")


def test_a_column_may_say_which_split_a_row_belongs_to(tmp_path):
    table = rows(part=lambda n: ("train", "test", "test")[n % 3])
    prepared = prepare(suite(tmp_path, QUESTIONS + 'split = "part"\n', rows__csv=table), "t")
    assert prepared.info.sizes == {"train": 20, "validation": 0, "test": 40}
    with pytest.raises(HarnessError, match=r"rows\.csv, line 2: unknown split 'tset': did you mean 'test'"):
        prepare(suite(tmp_path, QUESTIONS + 'split = "part"\n', rows__csv=rows(part=lambda n: "tset")), "t")


def test_users_and_readers_are_read_and_belong_to_the_data(tmp_path):
    toml = QUESTIONS + 'user = "who"\ncorpus = "texts.csv"\n'
    table = rows(who=lambda n: "ann" if n % 2 else "")
    open_to_all, closed = "id,text\np,some text\n", 'id,text,readers\np,some text,"ann, bo"\n'
    prepared = prepare(suite(tmp_path, toml, rows__csv=table, texts__csv=closed), "t")
    assert {example.query.user for example in prepared.test} == {"ann", None}
    assert prepared.task_data.corpus[0].readers == ("ann", "bo")
    other = prepare(suite(tmp_path, toml, rows__csv=table, texts__csv=open_to_all), "t")
    assert corpus_hash(other.task_data.corpus) != corpus_hash(prepared.task_data.corpus)
    nobody = prepare(suite(tmp_path, toml.replace('user = "who"\n', ""), rows__csv=table, texts__csv=closed), "t")
    assert nobody.info.data_hash != prepared.info.data_hash


def test_a_reward_is_given_to_training_and_is_part_of_the_data(tmp_path):
    plain, rewarded = (
        prepare(suite(tmp_path / str(n), QUESTIONS + more), "t") for n, more in enumerate(("", 'reward = "token_f1"\n'))
    )
    assert "reward" in rewarded.task_data.provides - plain.task_data.provides
    assert plain.info.data_hash != rewarded.info.data_hash


def test_templates_are_part_of_a_suite_and_a_task_may_name_one(tmp_path):
    toml, text = QUESTIONS + 'template = "brief"\n', "{{ question }} ->"
    loaded = suite(tmp_path, toml, templates___brief__jinja=text)
    assert prepare(loaded, "t").task_data.task.template == text
    assert prepare(loaded, "t").task_data.templates == {"brief": text}
    assert suite(tmp_path, toml, templates___brief__jinja=f"{text}\n").hash != loaded.hash


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (PAIRS.replace('reference = "good"\n', ""), "key 'reference' is missing"),
        (PAIRS.replace('rejected = "bad"\n', ""), "'rejected' .* belongs to kind \"preference\""),
        (QUESTIONS.replace('"qa"', '"classification"') + 'rejected = "bad"\n', "'rejected' .* belongs to kind"),
        (QUESTIONS + 'template = "breif"\n', "unknown template 'breif' in task 't'.*did you mean 'brief'"),
        (QUESTIONS + 'reward = "accuracy"\n', "metric 'accuracy' in task 't'.*doesn't fit kind 'qa'"),
        (QUESTIONS + 'reward = "refusal_f1"\n', "'refusal_f1' has no value for a single item"),
        (QUESTIONS + 'metrics = ["output_words"]\n', "'output_words' in task 't'.* only describes"),
        (
            GIVEN + 'split = "q"\n',
            "'split' divides",
        ),
    ],
)
def test_what_does_not_fit_together_is_said(toml, message, tmp_path):
    with pytest.raises(HarnessError, match=message):
        suite(tmp_path, toml, templates___brief__jinja="{{ question }}")
