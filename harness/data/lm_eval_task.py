"""Tasks of lm-evaluation-harness (EleutherAI) as tables of questions, choices and answers, asked as we ask."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import StrictUndefined, TemplateError

from harness.api import Kind
from harness.data.table_files import read_table, read_text
from harness.errors import HarnessError, first_line
from harness.measure.template_limits import LimitedSandbox, template_limits

KINDS: dict[str, Kind | None] = {"multiple_choice": "multiple_choice", "generate_until": None}
"""``output_type`` of a task that can be asked → kind; None: inferred from the answers."""
_LABELS = re.compile(r"^\s*Q(?:uestion)?:[ \t]*|\s*\n\s*A(?:nswer)?:\s*$")
"""What this harness writes itself before a question and an answer."""
SPLITS = {"train": "training_split", "validation": "validation_split", "test": "test_split"}
MAX_INCLUDES = 16


@dataclass(frozen=True)
class TaskFile:
    """A task as its file describes it.

    Attributes:
        data_set: ``org/name/config`` on the hub; a kind of file (``json``) where the file is given beside.
        splits: split of the harness → split of the data set.
        question, choices, target: columns, texts with Jinja marks, or literals; choices None: answers are written.
        description: what stands before every question.
    """

    name: str
    data_set: str
    splits: dict[str, str]
    kind: Kind | None
    question: Any
    choices: Any
    target: Any
    description: str = ""


def read_task(path: Path) -> TaskFile:
    """Read a task file and those that it includes.

    Raises:
        HarnessError: it can't be read, or describes what can't be asked here: code, groups, images, likelihoods.
    """
    settings = _read(path)
    for wrong, reason in _obstacles(settings):
        if wrong:
            raise HarnessError(f"{path} can't be asked here: {reason}.")
    config, description = settings.get("dataset_name"), settings.get("description") or ""
    return TaskFile(
        name=str(settings["task"]),
        data_set=f"{settings.get('dataset_path', '')}{f'/{config}' if config else ''}",
        splits={key: settings[name] for key, name in SPLITS.items() if settings.get(name)},
        kind=KINDS[settings.get("output_type", "generate_until")],
        question=settings["doc_to_text"],
        choices=settings.get("doc_to_choice"),
        target=settings["doc_to_target"],
        description="" if "{{" in description else description.strip(),
    )


def write_tables(task: TaskFile, splits: Mapping[str, Path], folder: Path) -> dict[str, Path]:
    """Write the questions, choices and answers of each split as JSON lines.

    A row that the task's texts cannot be filled in for is written without an answer, so that it is left out and named.

    Args:
        task: from `read_task`.
        splits: tables of the data set, by key of a task (``data``, or ``train``, ``validation`` and ``test``).
        folder: where the files are written.

    Raises:
        HarnessError: a table can't be read, or no row of it can be filled in: names the reason of the first.
    """
    environment = LimitedSandbox(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters["regex_replace"] = _regex_replace  # pyright: ignore[reportArgumentType] - only built-in ones fit
    files: dict[str, Path] = {}
    for key, path in splits.items():
        rows: list[dict[str, Any]] = []
        reasons: list[str] = []
        for row in read_table(path).rows:
            try:
                rows.append(_asked(task, row, environment))
            except (TemplateError, ValueError, SyntaxError, TypeError, LookupError, AttributeError) as error:
                reasons.append(first_line(error))
                rows.append({"input": "", "reference": "", "choices": []})
        if len(reasons) == len(rows):
            raise HarnessError(f"the task {task.name!r} doesn't fit the rows of {path.name}: {reasons[0]}.")
        files[key] = folder / f"{task.name}.{key}.jsonl"
        files[key].write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return files


def _regex_replace(text: str, pattern: str, new: str = "") -> str:
    """Do what lm-evaluation-harness's filter of that name does."""
    return re.sub(pattern, new, text)


def _asked(task: TaskFile, row: Mapping[str, Any], environment: LimitedSandbox) -> dict[str, Any]:
    question = _LABELS.sub("", str(_filled(task.question, row, environment)))
    target = _filled(task.target, row, environment)
    if task.kind != "multiple_choice":
        return {"input": question, "reference": target if isinstance(target, list) else str(target)}
    choices = _filled(task.choices, row, environment)
    texts = [str(choice).strip() for choice in (choices.values() if isinstance(choices, dict) else choices)]
    if isinstance(target, str) and target.strip() in texts:
        target = texts.index(target.strip())
    if not isinstance(target, int):
        raise TypeError(f"the answer {target!r} is neither a choice nor the number of one")
    return {"input": question, "choices": texts, "reference": texts[target]}


def _filled(setting: Any, row: Mapping[str, Any], environment: LimitedSandbox) -> Any:
    """Return what a setting says of a row: a column's cell, a text filled in, or the setting itself.

    As in lm-evaluation-harness, a text that is a number or a list is that number or list.
    """
    if not isinstance(setting, str):
        return setting
    if setting in row:
        return row[setting]
    with template_limits(f"the text {setting[:40]!r}"):
        text = environment.from_string(setting).render(**row)
    if text.strip().isdecimal():
        return int(text)
    return ast.literal_eval(text.strip()) if text.strip().startswith("[") and text.strip().endswith("]") else text


def _obstacles(settings: Mapping[str, Any]) -> tuple[tuple[bool, str], ...]:
    output = settings.get("output_type", "generate_until")
    asked = settings.get("doc_to_text") is not None and settings.get("doc_to_target") is not None
    return (
        (_has_code(settings), "it runs Python ('!function' or 'class')"),
        (isinstance(settings.get("task"), list) or "group" in settings, "it is a group: name one of its tasks"),
        (not settings.get("task"), "it names no task: it is included by others"),
        (any(key in settings for key in ("doc_to_image", "doc_to_audio")), "it shows images or sounds"),
        (output not in KINDS, f"output_type is {output!r}: a likelihood is asked for, and no answer"),
        ("use_prompt" in settings, "its prompts are those of promptsource"),
        (not asked, "'doc_to_text' or 'doc_to_target' is missing"),
        (output == "multiple_choice" and settings.get("doc_to_choice") is None, "'doc_to_choice' is missing"),
        (not settings.get("dataset_path"), "it names no data set"),
    )


class _Code:
    """What stands for ``!function FILE.NAME``, which is never run."""


class _Loader(yaml.SafeLoader):
    """Reads YAML, with a mark where code would run."""


def _mark(_loader: _Loader, _node: yaml.Node) -> _Code:
    return _Code()


_Loader.add_constructor("!function", _mark)


def _has_code(setting: Any) -> bool:
    if isinstance(setting, dict):
        return "class" in setting or any(map(_has_code, setting.values()))
    return isinstance(setting, _Code) or (isinstance(setting, list) and any(map(_has_code, setting)))


def _read(path: Path, depth: int = 0) -> dict[str, Any]:
    if depth > MAX_INCLUDES:
        raise HarnessError(f"{path} is included by itself.")
    try:
        settings = yaml.load(read_text(path), Loader=_Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise HarnessError(f"{path} isn't YAML ({first_line(error)}).") from error
    if not isinstance(settings, dict):
        raise HarnessError(f"{path} is no task: a mapping with 'task' and 'doc_to_text' is needed.")
    included = settings.pop("include", None) or []
    merged: dict[str, Any] = {}
    for name in reversed(included if isinstance(included, list) else [included]):  # the first of them wins
        merged |= _read(path.parent / str(name), depth + 1)
    return merged | settings
