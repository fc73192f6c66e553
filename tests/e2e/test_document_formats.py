"""Articles as Markdown, PDF and Word: the real embedder finds the article of a question about as often."""

from itertools import groupby

import pytest

from harness.data.corpus import evidence_index, read_corpus
from harness.data.locate import locate
from harness.data.suite import load_suite
from harness.data.task_rows import read_task
from harness.retrieval import dense
from tests.data import document_files

pytestmark = pytest.mark.e2e
WRITERS = {
    ".md": document_files.write_markdown,
    ".pdf": document_files.write_pdf,
    ".docx": document_files.write_docx,
}
ARTICLES, QUESTIONS = 40, 120


def test_recall_at_3_differs_by_at_most_two_points_between_formats(fetched, tmp_path):
    from harness.api import Query
    from harness.retrieval.ranking import PassageRetriever

    suite = load_suite("quickstart")
    task = suite.task("questions")
    tables, corpus = read_task(suite, task)
    articles = {
        article: [passage.text for passage in passages][:3]
        for article, passages in groupby(sorted(corpus.passages, key=lambda p: p.title), key=lambda p: p.title)
    }
    names = sorted(articles)[:ARTICLES]
    titles = {passage.id: passage.title for passage in corpus.passages}
    shown = {text for name in names for text in articles[name]}
    texts = {passage.id: passage.text for passage in corpus.passages}
    asked = [
        (row["question"], titles[row["passage"]])
        for table in tables.values()
        for row in table.rows
        if texts[row["passage"]] in shown
    ][:QUESTIONS]
    embedder = dense.open_embedder(locate("minilm").path)
    shares = {}
    for suffix, write in WRITERS.items():
        folder = tmp_path / suffix[1:]
        folder.mkdir()
        for number, name in enumerate(names):
            write(folder / f"{number}{suffix}", [(name, articles[name])])
        passages = read_corpus(folder, folder, words=120).passages
        index = evidence_index(passages)
        files = {name: index[f"{number}{suffix}"] for number, name in enumerate(names)}
        retriever = PassageRetriever((dense.build(embedder, passages),), passages, 3)
        hits = [
            any(passage.id in files[name] for passage in row)
            for (_, name), row in zip(
                asked, retriever.find([Query(str(n), question) for n, (question, _) in enumerate(asked)]), strict=True
            )
        ]
        shares[suffix] = sum(hits) / len(hits)
    assert len(asked) >= 100, len(asked)
    assert max(shares.values()) - min(shares.values()) <= 0.02, shares
