"""Lexical retrieval ranks by BM25, counts words as it says, and can be kept without pickle."""

import math
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from harness.api import Passage
from harness.metrics.words import search_terms
from harness.retrieval import bm25
from harness.retrieval.bm25 import K1, B

TEXTS = (
    "The Amber river runs through the city.",
    "A harbour is where ships are safe from storms.",
    "The city has a harbour, a river and a city wall; the city is old.",
    "Nothing of it all.",
)
PASSAGES = tuple(Passage(str(n), text, "Towns" if n == 3 else "") for n, text in enumerate(TEXTS))


def reference_bm25(query, passages):
    """Compute Lucene's BM25 of every passage from its definition."""
    documents = [search_terms(f"{p.title} {p.text}") for p in passages]
    mean = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        counts, total = Counter(document), 0.0
        for word in search_terms(query):
            having = sum(word in other for other in documents)
            if having and word in counts:
                idf = math.log(1 + (len(documents) - having + 0.5) / (having + 0.5))
                total += idf * counts[word] / (counts[word] + K1 * (1 - B + B * len(document) / mean))
        scores.append(total)
    return scores


@pytest.mark.parametrize("query", ["the old city by the river", "safe harbour", "Towns", "city city wall"])
def test_passages_come_by_bm25_best_first(query):
    searcher = bm25.build(PASSAGES)
    scores = reference_bm25(query, PASSAGES)
    bm25_scores = searcher.index.get_scores_from_ids(searcher.index.get_tokens_ids(search_terms(query)))
    assert bm25_scores == pytest.approx(np.array(scores), abs=1e-5)
    matching = sorted((n for n in range(4) if scores[n] > 0), key=lambda n: -scores[n])
    assert searcher.search([query], None, 4) == [matching]


def test_words_are_runs_of_letters_and_digits_in_lower_case_of_any_script():
    assert search_terms("It's 3 a.m. in Zürich, a_b!") == ["it", "s", "3", "a", "m", "in", "zürich", "a_b"]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("हिन्दी शब्द", ["हिन्दी", "शब्द"]),
        ("北京烤鸭。", ["北京", "京烤", "烤鸭"]),
        ("iPhone 手机壳 鸭", ["iphone", "手机", "机壳", "鸭"]),
        ("東京タワー", ["東京", "京タ", "タワ", "ワー"]),
        ("สวัสดี", ["สวั", "วัส", "สดี"]),
        ("caf\u00e9 cafe\u0301", ["caf\u00e9", "caf\u00e9"]),
    ],
)
def test_marks_belong_to_words_and_scripts_without_spaces_are_cut_into_pairs_of_characters(text, terms):
    assert search_terms(text) == terms


def test_passages_without_spaces_between_words_are_found():
    cities = {"北京": "烤鸭", "上海": "小笼包", "广州": "肠粉", "กรุงเทพ": "ผัดไทย", "दिल्ली": "छोले भटूरे"}
    passages = tuple(Passage(city, f"{city}最有名的菜是{dish}。") for city, dish in cities.items())
    searcher = bm25.build(passages)
    for position, (city, dish) in enumerate(cities.items()):
        assert searcher.search([f"{city}最有名的菜是什么?", dish], None, 1) == [[position], [position]]


def test_a_query_without_a_known_word_finds_nothing():
    assert bm25.build(PASSAGES).search(["", "?!", "zebra"], None, 3) == [[], [], []]


def test_a_corpus_without_words_can_be_searched():
    with np.errstate(all="raise"):
        assert bm25.build((Passage("a", "!"), Passage("b", "…"))).search(["!", "word"], None, 2) == [[], []]


def test_only_what_is_allowed_is_found_and_it_fills_the_places():
    searcher = bm25.build(PASSAGES)
    assert searcher.search(["city"], np.array([True, True, False, True]), 1) == [[0]]


def test_a_kept_index_finds_the_same_and_holds_no_pickle(tmp_path):
    searcher = bm25.build(PASSAGES)
    searcher.save(tmp_path)
    queries = ["the old city", "harbour", "zebra"]
    assert bm25.load(tmp_path).search(queries, None, 3) == searcher.search(queries, None, 3)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {file.suffix for file in files} == {".npy", ".json"}
    for file in files:
        if file.suffix == ".npy":
            np.load(file, allow_pickle=False)


def test_lexical_retrieval_needs_no_embedding_library():
    code = (
        "import sys\n"
        "from harness.plan import chain, discover\n"
        "from harness.api import Context, Passage, System, Task, TaskData, Query\n"
        "task = TaskData(Task('t', 'qa'), corpus=(Passage('a', 'ships'), Passage('b', 'films')))\n"
        "(link,) = chain.build('rag(k=1,retriever=bm25)', discover.find_step)\n"
        "made = link.step.adapt(System(None, task.task), task, Context())\n"
        "assert made.prompts([Query('q', 'Which films?')])[0].passages[0].id == 'b'\n"
        "assert not link.step.sources()\n"
        "print([name for name in ('faiss', 'sentence_transformers', 'torch') if name in sys.modules])\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
