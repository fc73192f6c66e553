"""Metrics of answers that are JSON: whether they can be read, and how many fields are right.

A field is the path to a value that is no object or list, with the value: ``{"total": 3, "lines": [{"sku": "a"}]}`` has
``total = 3`` and ``lines[].sku = "a"``. The order of a list does not count; a field that occurs twice counts twice.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import lru_cache
from typing import Any

import numpy as np

from harness.metrics.items import Items
from harness.metrics.labels import micro_f1
from harness.metrics.metric import TEXT_KINDS, BoolArray, FloatArray, Metric

_FENCED = re.compile(r"```(?:json)?\s*\n(?P<content>.*)\n\s*```", re.DOTALL | re.IGNORECASE)
_ABSENT = object()


def valid(items: Items) -> FloatArray:
    """1 where the whole output is JSON, alone or as one block of code, else 0: [n, 1]."""
    return np.array([_read(output) is not _ABSENT for output in items.outputs], dtype=np.float64)[:, None]


def field_counts(items: Items) -> FloatArray:
    """Fields that are right, written, and in the reference that fits best: [n, 3]."""
    rows: list[tuple[int, int, int]] = []
    for output, references in zip(items.outputs, items.references, strict=True):
        written = _fields(output)
        counts: list[tuple[int, int, int]] = []
        for reference in references:
            wanted = _fields(reference)
            counts.append(((written & wanted).total(), written.total(), wanted.total()))
        rows.append(max(counts, key=lambda row: 2 * row[0] / max(1, row[1] + row[2])))
    return np.array(rows, dtype=np.float64)


def exact_fields(items: Items) -> FloatArray:
    """1 where all fields are right and none is added, else 0: [n, 1]."""
    counts = field_counts(items)
    readable = valid(items)[:, 0] > 0
    return (readable & (counts[:, 0] == counts[:, 1]) & (counts[:, 0] == counts[:, 2])).astype(np.float64)[:, None]


def has_json_reference(items: Items) -> BoolArray:
    """Mask [n] of the items whose references are all JSON."""
    return np.array([all(_read(text) is not _ABSENT for text in references) for references in items.references], bool)


@lru_cache(maxsize=65_536)
def _fields(text: str) -> Counter[tuple[str, str]]:
    """Return the fields of a text; none where it is no JSON."""
    counts: Counter[tuple[str, str]] = Counter()
    value = _read(text)
    if value is not _ABSENT:
        _add(counts, "", value)
    return counts


def _add(counts: Counter[tuple[str, str]], path: str, value: Any) -> None:
    if isinstance(value, dict):
        for key, part in value.items():
            _add(counts, f"{path}.{json.dumps(key)}", part)
    elif isinstance(value, list):
        for part in value:
            _add(counts, f"{path}[]", part)
    else:
        counts[path, _leaf(value)] += 1


def _leaf(value: Any) -> str:
    """Write a value so that equal ones are equal texts: 3.0 is 3, true is not 1, and spaces around a text are lost."""
    if isinstance(value, str):
        return json.dumps(value.strip())
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value)


def _read(text: str) -> Any:
    fenced = _FENCED.fullmatch(text.strip())
    try:
        return json.loads(fenced["content"] if fenced else text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return _ABSENT


def _refuse(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are no JSON


METRICS = (
    Metric("json_valid", "share of outputs that are JSON and nothing else", TEXT_KINDS, valid, binary=True),
    Metric(
        "json_field_f1",
        "F1 of the fields (path and value) of the outputs' JSON, over all items whose reference is JSON",
        TEXT_KINDS,
        field_counts,
        micro_f1,
        defined=has_json_reference,
        source="micro-averaged F1 of extracted fields (Chinchor 1992, MUC-4 evaluation metrics, M92-1002)",
    ),
    Metric(
        "json_exact",
        "share of outputs whose JSON has exactly the reference's fields, where the reference is JSON",
        TEXT_KINDS,
        exact_fields,
        binary=True,
        defined=has_json_reference,
    ),
)
