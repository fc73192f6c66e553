"""The text of a strategy, such as ``rag(k=1)+lora(rank=16)``: read into steps, and written back.

``task`` is a parameter that every step which changes weights takes: the name of the task that it learns, a list of
names, or ``all``. The grammar is a small part of Python's expressions, so that Python's own parser reads it::

    chain = step { "+" step }
    step  = name [ "(" [ parameter { "," parameter } ] ")" ]
    parameter = name "=" value
    value = number | true | false | none | "text" | word | "[" value { "," value } "]"
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from harness.api import Step
from harness.errors import HarnessError, unknown

Value = str | int | float | bool | None | list["Value"]
Find = Callable[[str], type[Step]]

_WORDS: dict[str, bool | None] = {"true": True, "false": False, "none": None, "True": True, "False": False}
_HINT = "Write a strategy like 'rag(k=1)+lora(rank=16)'."


@dataclass(frozen=True)
class Call:
    """One step as it was written: its name, its parameters and the column (from 1) where it begins."""

    name: str
    parameters: Mapping[str, Value] = field(default_factory=dict[str, Value])
    column: int = 1


@dataclass(frozen=True)
class Link:
    """One step of a chain: the name under which it is found and the step itself, validated.

    Attributes:
        tasks: names of the tasks that it learns from, or ``("all",)``; empty: the one that the system is made for.
    """

    name: str
    step: Step
    tasks: tuple[str, ...] = ()


def parse(text: str) -> tuple[Call, ...]:
    """Read the text of a chain; names and parameters are not looked up yet.

    Raises:
        HarnessError: the text is not a chain; the message has the column.
    """
    stripped = text.strip()
    if not stripped:
        raise HarnessError(f"a strategy is empty. {_HINT}")
    try:
        tree = ast.parse(stripped, mode="eval").body
    except SyntaxError as error:
        raise _syntax(text, error.offset or 1, "cannot be read here") from None
    except (ValueError, RecursionError, MemoryError):
        raise HarnessError(f"strategy {text[:40]!r} cannot be read. {_HINT}") from None
    return tuple(_call(node, stripped) for node in _flatten(tree, stripped))


def build(text: str, find: Find) -> tuple[Link, ...]:
    """Read a chain and make its steps.

    Args:
        text: e.g. ``"rag(k=1)+lora"``.
        find: gives the class of a step by its name, and raises HarnessError for an unknown one.

    Raises:
        HarnessError: the text is not a chain, or a step, parameter or value is unknown or out of range.
    """
    links: list[Link] = []
    for call in parse(text):
        try:
            links.append(_link(call.name, call.parameters, find))
        except HarnessError as error:
            where = f" (strategy {text!r}, column {call.column})" if len(text) > len(call.name) else ""
            raise HarnessError(f"{error}{where}") from None
    return tuple(links)


def make(name: str, parameters: Mapping[str, Any], find: Find) -> Step:
    """Make one step from its name and parameters.

    Raises:
        HarnessError: an unknown step or parameter, or a value that the parameter does not take.
    """
    kind = find(name)
    for parameter in parameters:
        if parameter in kind.retired:
            raise HarnessError(f"{name} does not take {parameter!r} any more: {kind.retired[parameter]}")
        if parameter not in kind.model_fields:
            raise unknown("parameter", parameter, kind.model_fields, where=name, hint=_takes(name, kind))
    try:
        return kind.model_validate_json(json.dumps(dict(parameters)), strict=True)
    except ValidationError as error:
        raise HarnessError(f"{name}: {_one_line(error)}") from None


def restore(steps: Iterable[Mapping[str, Any]], find: Find) -> tuple[Link, ...]:
    """Make the steps of a planned trial again from ``Trial.steps``; what earlier versions had besides is left out.

    Raises:
        HarnessError: a step is no longer known, or no longer takes its parameters.
    """
    return tuple(
        _link(name, {key: value for key, value in resolved.items() if key not in {"step", *find(name).retired}}, find)
        for resolved in steps
        for name in [str(resolved["step"])]
    )


def resolved(links: Sequence[Link]) -> tuple[dict[str, Any], ...]:
    """Give the form that a trial stores: ``{"step": name, **every parameter}``, and ``task`` where it was given."""
    return tuple(
        {"step": link.name, **link.step.model_dump(mode="json"), **({"task": list(link.tasks)} if link.tasks else {})}
        for link in links
    )


def canonical(links: Sequence[Link]) -> str:
    """Write a chain in its one text: parameters that differ from their defaults, in the order of the fields.

    A field with ``repr=False`` is left out: it holds what another one names, e.g. a file's text.
    """
    return "+".join(_write_step(link) for link in links)


def _link(name: str, parameters: Mapping[str, Any], find: Find) -> Link:
    """Make a link, ``task`` taken from among the parameters."""
    step_parameters = {key: value for key, value in parameters.items() if key != "task"}
    step = make(name, step_parameters, find)
    if "task" not in parameters:
        return Link(name, step)
    task_names = parameters["task"]
    tasks = tuple(str(task_name) for task_name in (task_names if isinstance(task_names, list) else [task_names]))
    if not step.changes_weights:
        raise HarnessError(f"{name} takes no 'task': it tunes nothing, so it always works on the task that is asked.")
    if not all(tasks) or len(set(tasks)) < len(tasks) or not tasks or ("all" in tasks and len(tasks) > 1):
        raise HarnessError(f"{name}: task={task_names!r} names no tasks: write task=a, task=[a,b] or task=all.")
    return Link(name, step, tasks)


def _write_step(link: Link) -> str:
    parameters = link.step.model_dump(mode="json")
    written = [
        f"{name}={_write(parameters[name])}"
        for name, info in type(link.step).model_fields.items()
        if info.repr and (info.is_required() or getattr(link.step, name) != info.get_default(call_default_factory=True))
    ]
    if link.tasks:
        written.append(f"task={_write(link.tasks[0] if len(link.tasks) == 1 else list(link.tasks))}")
    return f"{link.name}({','.join(written)})" if written else link.name


def _write(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "none"
    if isinstance(value, list):
        return f"[{','.join(_write(item) for item in value)}]"
    if isinstance(value, float) and not math.isfinite(value):
        return "1e999" if value > 0 else "-1e999"
    if isinstance(value, str) and _is_word(value):
        return value
    return repr(value)


def _is_word(text: str) -> bool:
    """Tell whether a text can stand without quotes and is read back as it is."""
    if not (text.isascii() and text.isidentifier()) or text in _WORDS:
        return False
    try:
        return isinstance(ast.parse(text, mode="eval").body, ast.Name)
    except SyntaxError:  # a keyword of Python, such as lambda
        return False


def _flatten(tree: ast.expr, text: str) -> list[ast.expr]:
    """List the operands of a sum from left to right."""
    operands: list[ast.expr] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, ast.BinOp):
            operands.append(node)
        elif isinstance(node.op, ast.Add):
            waiting += [node.right, node.left]
        else:
            raise _syntax(text, _column(node.left, text), "joins steps with something other than '+'")
    return operands


def _call(node: ast.expr, text: str) -> Call:
    column = _column(node, text)
    if isinstance(node, ast.Name):
        return Call(node.id, {}, column)
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        raise _syntax(text, column, "expects the name of a step")
    if node.args:
        raise _syntax(text, _column(node.args[0], text), "has a value without its parameter's name, as in rank=8,")
    parameters: dict[str, Value] = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise _syntax(text, _column(keyword, text), "expects the name of a parameter")
        if keyword.arg in parameters:
            raise _syntax(text, _column(keyword, text), f"gives {keyword.arg!r} twice")
        parameters[keyword.arg] = _value(keyword.value, text)
    return Call(node.func.id, parameters, column)


def _value(node: ast.expr, text: str) -> Value:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)) if (
            type(value) is not bool
        ):
            return -value
        case ast.Name(id=word):
            return _WORDS.get(word, word)
        case ast.List(elts=items):
            return [_value(item, text) for item in items]
        case _:
            raise _syntax(text, _column(node, text), "has a value that needs quotes, as in name='a-b',")


def _column(node: ast.expr | ast.keyword, text: str) -> int:
    """Give the column of a node, from 1; the parser counts bytes, people count characters."""
    return len(text.encode()[: node.col_offset].decode(errors="ignore")) + 1


def _syntax(text: str, column: int, problem: str) -> HarnessError:
    return HarnessError(f"strategy {text.strip()!r} {problem} at column {column}. {_HINT}")


def _takes(name: str, kind: type[Step]) -> str:
    return "" if kind.model_fields else f"{name!r} takes no parameters."


def _one_line(error: ValidationError) -> str:
    parts = [f"{'.'.join(str(p) for p in e['loc']) or 'parameters'}={e['input']!r}: {e['msg']}" for e in error.errors()]
    return "; ".join(" ".join(part.split()) for part in parts)
