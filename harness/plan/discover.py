"""Find a strategy's step by its name, without importing the others.

Built-in steps are the files of the folder ``strategies`` beside this package, by file name: always those that were
installed with it, never a package of that name that comes earlier on the path. Other packages add theirs through the
entry-point group ``adaptbench.strategies``; an entry point names a Step class, or a module that defines one.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic_core import PydanticUndefined

from harness.api import Step
from harness.api.plugin_points import plugin_points, point_origin
from harness.errors import HarnessError, unknown

GROUP = "adaptbench.strategies"
FOLDER = Path(__file__).resolve().parents[2] / "strategies"
RESERVED = ("step", "task")
"""Names that no parameter may have: ``step`` is the record's own, ``task`` chooses what a step learns from."""

RETIRED = {
    "calibrated": "every system that scores labels is calibrated alike: leave the step out, or write 'zero_shot'.",
}
"""Strategies of earlier versions that stored records name, and what to write instead."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a step, as it is listed. `default` is the text of the value; None: it must be given."""

    name: str
    type: str
    default: str | None
    description: str


@dataclass(frozen=True)
class StrategyListing:
    """One strategy, as it is listed.

    Attributes:
        origin: the module or entry point that it comes from.
        needs: what the task must provide and the model must be able to do.
        error: why it cannot be used; None: it can.
    """

    name: str
    origin: str
    summary: str = ""
    parameters: tuple[Parameter, ...] = ()
    paper: str = ""
    needs: tuple[str, ...] = ()
    error: str | None = None


def find_step(name: str) -> type[Step]:
    """Return the class of a step, importing the one module that holds it.

    Raises:
        HarnessError: no such strategy; two with this name; or its module cannot be imported.
    """
    builtin, plugins = name in builtin_names(), _plugins().get(name, ())
    origins = ([f"strategies.{name}"] if builtin else []) + [point_origin(plugin) for plugin in plugins]
    if not origins and name in RETIRED:
        raise HarnessError(f"there is no strategy {name!r} any more: {RETIRED[name]}")
    if not origins:
        raise unknown("strategy", name, {*builtin_names(), *_plugins()}, hint="'harness strategies' lists them.")
    if len(origins) > 1:
        raise HarnessError(
            f"{len(origins)} strategies are called {name!r}: {' and '.join(origins)}; remove all but one."
        )
    return _load_builtin(name) if builtin else _load_plugin(plugins[0])


def list_strategies() -> list[StrategyListing]:
    """Describe every strategy, built-in ones first; one that cannot be loaded is listed with its error."""
    names = [*builtin_names(), *sorted(set(_plugins()) - set(builtin_names()))]
    return [_describe(name) for name in names]


def describe(name: str) -> StrategyListing:
    """Describe one strategy.

    Raises:
        HarnessError: there is none of this name.
    """
    if name not in (*builtin_names(), *_plugins()):
        find_step(name)
    return _describe(name)


def builtin_names() -> tuple[str, ...]:
    """Names of the files in the folder ``strategies``; private ones are left out."""
    return _file_names(FOLDER)


def clear() -> None:
    """Forget the strategies of other packages, for a program that installs or writes some while it runs."""
    _file_names.cache_clear()
    _plugins.cache_clear()


@cache
def _file_names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in folder.glob("*.py") if not file.stem.startswith("_")))


@cache
def _plugins() -> dict[str, tuple[EntryPoint, ...]]:
    return plugin_points(GROUP)


def _load_builtin(name: str) -> type[Step]:
    return _checked(name, _only_step(_builtin_module(name)))


def _builtin_module(name: str) -> ModuleType:
    """Import the file of a built-in strategy by its location."""
    file, module_name = FOLDER / f"{name}.py", f"strategies.{name}"
    loaded = sys.modules.get(module_name)
    if loaded is not None and loaded.__file__ and Path(loaded.__file__).resolve() == file.resolve():
        return loaded
    if loaded is not None:  # somebody else's package of that name
        module_name = f"adaptbench_strategies.{name}"
        if module_name in sys.modules:
            return sys.modules[module_name]
    spec = spec_from_file_location(module_name, file)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - a Python file has both
    module = module_from_spec(spec)
    sys.modules[module_name] = module  # pydantic looks annotations up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module


def _load_plugin(point: EntryPoint) -> type[Step]:
    origin = point_origin(point)
    try:
        loaded: Any = point.load()
    except Exception as error:
        raise HarnessError(f"strategy {point.name!r} of {origin} cannot be loaded: {_line(error)}") from error
    if isinstance(loaded, ModuleType):
        loaded = _only_step(loaded)
    if not (inspect.isclass(loaded) and issubclass(loaded, Step)):
        raise HarnessError(f"strategy {point.name!r} of {origin} is no subclass of harness.api.Step.")
    return _checked(point.name, loaded)


def _only_step(module: ModuleType) -> type[Step]:
    """Return the one step that a module defines; an imported class does not count."""
    steps = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Step) and value.__module__ == module.__name__
    ]
    if len(steps) != 1:
        raise HarnessError(f"{module.__name__} must define exactly one subclass of harness.api.Step, not {len(steps)}.")
    return steps[0]


def _checked(name: str, step: type[Step]) -> type[Step]:
    reserved_fields = [reserved for reserved in RESERVED if reserved in step.model_fields]
    if reserved_fields:
        raise HarnessError(
            f"strategy {name!r} has a parameter called {reserved_fields[0]!r}, a reserved name; rename it."
        )
    return step


def _describe(name: str) -> StrategyListing:
    plugins = _plugins().get(name, ())
    origin = point_origin(plugins[0]) if plugins else f"strategies.{name}"
    try:
        step = find_step(name)
    except Exception as error:  # noqa: BLE001 - whatever a broken plugin raises is shown in its own row
        return StrategyListing(name, origin, error=_line(error))
    module = inspect.getmodule(step)
    text = inspect.cleandoc(vars(step).get("__doc__") or (module.__doc__ if module else "") or "")
    needs = (*sorted(step.needs.task), *(f"model can {c.replace('_', ' ')}" for c in sorted(step.needs.model)))
    return StrategyListing(name, origin, text.partition("\n")[0], _parameters(step), step.paper, needs)


def _parameters(step: type[Step]) -> tuple[Parameter, ...]:
    parameters: list[Parameter] = []
    for name, info in step.model_fields.items():
        if not info.repr:  # made from another one
            continue
        annotation = info.annotation
        type_name = annotation.__name__ if inspect.isclass(annotation) else str(annotation).replace("typing.", "")
        value = info.get_default(call_default_factory=True)
        default = None if value is PydanticUndefined else str(value)
        parameters.append(Parameter(name, type_name, default, info.description or ""))
    return tuple(parameters)


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, HarnessError) else f"{type(error).__name__}: {text}"
