"""Test questions in the corpus: with their answers, which gives them away, or answers alone, which is the purpose."""

from harness.api import Example, Passage, Query
from harness.data.corpus_leaks import corpus_leak_notes, find_corpus_leaks
from harness.data.prepare import prepare
from harness.data.suite import load_suite

FILLER = "The archive of the town holds maps and letters of many years, most of them in good order. " * 4
TEST = (
    Example(Query("harbour", "Who dug the old harbour of Northwick by hand?"), ("the monks",)),
    Example(Query("mill", "How many mills were there along the Amber river?"), ("seven", "7")),
    Example(Query("short", "Why?"), ("because",)),
    Example(Query("absent", "Which bird nests on the northern pier in spring?"), ("the tern",)),
)
CORPUS = (
    Passage("history", f"{FILLER} The harbour was dug by the monks."),
    Passage("faq", f"{FILLER} Q: Who dug the old harbour of Northwick, by hand? A: The monks did. {FILLER}"),
    Passage("question", f"{FILLER} How many mills were there along the Amber river? Nobody counted. {FILLER}"),
    Passage("answer", f"{FILLER} There were seven of them. Why? Because of the tide."),
)


def test_a_question_with_its_answer_is_told_apart_from_an_answer_or_a_question_alone():
    leaks = find_corpus_leaks(TEST, CORPUS)
    assert leaks.together == (("harbour", "faq"),)
    assert leaks.answers == 2  # of mill and short


def test_choices_are_no_answers_that_a_passage_gives_away():
    items = (Example(Query("c", TEST[0].query.input, ("the monks", "a king")), ("the monks",)),)
    assert find_corpus_leaks(items, CORPUS).together == ()


def test_without_corpus_or_items_there_is_nothing_to_find():
    assert find_corpus_leaks((), CORPUS) == find_corpus_leaks(TEST, ()) == find_corpus_leaks((), ())


def test_many_items_are_compared_in_parts_with_the_same_outcome(monkeypatch):
    expected = find_corpus_leaks(TEST, CORPUS)
    monkeypatch.setattr("harness.data.corpus_leaks.BATCH_PAIRS", 4)
    assert find_corpus_leaks(TEST, CORPUS) == expected


def test_a_task_notes_it(tmp_path):
    words = ("amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath")
    lines = [
        f"How far is the {words[n % 8]} farm {n * 7919} from the {words[n // 8]} well?,{n * 13} miles"
        for n in range(40)
    ]
    (tmp_path / "rows.csv").write_text("\n".join(["q,a", *lines]) + "\n", encoding="utf-8")
    (tmp_path / "faq.txt").write_text("\n\n".join(line.replace("?,", "? It is ") for line in lines), encoding="utf-8")
    (tmp_path / "suite.toml").write_text(
        'name = "s"\nversion = 1\n[[tasks]]\nname = "t"\nkind = "qa"\ndata = "rows.csv"\ninput = "q"\nreference = "a"\n'
        'corpus = "faq.txt"\n',
        encoding="utf-8",
    )
    prepared = prepare(load_suite(tmp_path), "t")
    tests = len(prepared.test)
    (note,) = (note for note in prepared.info.warnings if "in the corpus with the answer" in note)
    assert note.startswith(
        f"{tests} test questions stand in the corpus with the answer (100.0% of {tests}: for example"
    )
    assert list(corpus_leak_notes(find_corpus_leaks((), ()), 1)) == []
