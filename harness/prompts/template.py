"""Jinja templates that render a prompt, the built-in plain form included.

Templates are untrusted, so they run in Jinja's sandbox, as the chat templates of tokenizers do.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.meta import find_undeclared_variables

from harness.api import Prompt, Task
from harness.errors import HarnessError, unknown
from harness.measure.settings_file import read_settings
from harness.measure.template_limits import LimitedSandbox, template_limits

SUFFIX = ".jinja"


def built_in(file: str) -> str:
    """Return the text of a file of this package, e.g. ``plain.jinja``."""
    return files(__package__ or "").joinpath("templates", file).read_text(encoding="utf-8")


def read_text(path: str, kind: str) -> str:
    """Return the text of a user's file.

    Args:
        path: relative to the working folder, or absolute.
        kind: what the file is, for the error.

    Raises:
        HarnessError: it cannot be read.
    """
    try:
        return read_settings(Path(path).expanduser())
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"{kind} {path} cannot be read ({error}): name a text file in UTF-8.") from error


def validate(text: str, path: str) -> None:
    """Check a template.

    Args:
        text: of the template.
        path: of its file, for the error.

    Raises:
        HarnessError: it is no Jinja template, uses an unknown variable, or never shows the question.
    """
    try:
        with template_limits(f"template {path}"):
            used = find_undeclared_variables(_environment().parse(text))
    except TemplateSyntaxError as error:
        raise HarnessError(f"template {path}, line {error.lineno}: {error.message}") from None
    variable_names = variables(Prompt(Task("", "qa"), ""))
    for name in sorted(used - variable_names.keys()):
        raise unknown("variable", name, variable_names, where=f"template {path}")
    if "question" not in used:
        raise HarnessError(f"template {path} never shows the question: put {{{{ question }}}} where it belongs.")


def fill_in(text: str, prompt: Prompt) -> str:
    """Render a prompt by a template.

    Args:
        text: of the template; empty: the built-in plain form.
        prompt: gives the template's variables.

    Raises:
        HarnessError: the template cannot be filled in.
    """
    if not text:
        return _plain().render(variables(prompt))
    try:
        with template_limits(f"the template of task {prompt.task.name!r}"):
            return _compiled(text).render(variables(prompt))
    except (TemplateError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise HarnessError(f"the template of task {prompt.task.name!r} cannot be filled in: {error}.") from error


def variables(prompt: Prompt) -> dict[str, Any]:
    """Return the variables of a template by name."""
    task = prompt.task
    return {
        "instruction": task.instruction,
        "question": prompt.question,
        "question_label": task.question_label,
        "answer_label": task.answer_label,
        "choices": task.choices,
        "exemplars": [{"question": question, "answer": answer} for question, answer in prompt.exemplars],
        "passages": [{"title": passage.title, "text": passage.text} for passage in prompt.passages],
        "reasoning": prompt.reasoning,
        "thinking": prompt.thinking,
    }


@lru_cache(maxsize=64)
def _compiled(text: str) -> Template:
    return _environment().from_string(text)


@lru_cache(maxsize=1)
def _plain() -> Template:
    return _compiled(built_in(f"plain{SUFFIX}"))


@lru_cache(maxsize=1)
def _environment() -> Any:
    return LimitedSandbox(trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
