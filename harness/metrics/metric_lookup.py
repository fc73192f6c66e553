"""Find a metric by its name: built-in ones in the modules of this package, others by entry point.

A module of this package that has a tuple `METRICS` is a family of metrics, and defines each of them there: a new metric
is one entry in one file. Other packages add theirs through the entry-point group ``adaptbench.metrics``; an entry point
names a `Metric` or `MetricSeries` of the same name.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from harness.api.plugin_points import plugin_points, point_origin
from harness.errors import HarnessError, unknown
from harness.metrics.metric import Metric, MetricSeries

GROUP = "adaptbench.metrics"
Definition = Metric | MetricSeries
_NUMBER = re.compile(r"[1-9]\d{0,5}")


def get(name: str, *, where: str = "") -> Metric:
    """Find a metric by name; one of a series exists for every whole number of 1 or more.

    ``get("recall@5").value(items)``

    Args:
        name: as a suite writes it.
        where: the file it was written in, for the error.

    Raises:
        HarnessError: there is no such metric; two with this name; or the package that brings it is broken.
    """
    stem = name.partition("@")[0]
    modules, plugins = _defining_modules().get(stem, ()), _plugins().get(stem, ())
    origins = [*modules, *map(point_origin, plugins)]
    if len(origins) > 1:
        raise HarnessError(f"{len(origins)} metrics are called {stem!r}: {' and '.join(origins)}; remove all but one.")
    metric = _numbered(_load(plugins[0]), name) if plugins else builtin_metrics().get(name) or _builtin(stem, name)
    if metric is None:
        raise unknown("metric", name, {*builtin_metrics(), *_plugins()}, where=where)
    return metric


@cache
def families() -> Mapping[str, tuple[Definition, ...]]:
    """Return the built-in metrics and series by the module that defines them."""
    names = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    modules = [import_module(f"harness.metrics.{name}") for name in names]
    return {module.__name__: module.METRICS for module in modules if hasattr(module, "METRICS")}


@cache
def builtin_metrics() -> Mapping[str, Metric]:
    """Return the built-in metrics by name; of a series those that it lists."""
    listed: list[Metric] = []
    for definition in (definition for family in families().values() for definition in family):
        if isinstance(definition, MetricSeries):
            listed += [definition.make(number) for number in definition.listed]
        else:
            listed.append(definition)
    return {metric.name: metric for metric in listed}


def all_definitions() -> tuple[list[tuple[Definition, str]], list[str]]:
    """Return every metric and series with where it comes from, and a sentence on each that cannot be loaded."""
    definitions: list[tuple[Definition, str]] = []
    problems: list[str] = []
    for module, family in families().items():
        definitions += [(definition, module) for definition in family]
    builtin_stems = {definition.name for definition, _ in definitions}
    for name, points in sorted(_plugins().items()):
        try:
            if name in builtin_stems or len(points) > 1:
                get(name)  # says which there are
            definitions += [(_load(point), point_origin(point)) for point in points]
        except HarnessError as error:
            problems.append(str(error))
    return definitions, problems


def clear() -> None:
    """Forget all metrics, for a program that installs or writes some while it runs."""
    for cached in (families, builtin_metrics, _defining_modules, _plugins, _load):
        cached.cache_clear()


@cache
def _defining_modules() -> Mapping[str, tuple[str, ...]]:
    """Map the name of each built-in metric and series to the modules that define it: one, or it is refused."""
    modules: dict[str, tuple[str, ...]] = {}
    for module, family in families().items():
        for definition in family:
            modules[definition.name] = (*modules.get(definition.name, ()), module)
    return modules


def _builtin(stem: str, name: str) -> Metric | None:
    definitions = (definition for family in families().values() for definition in family if definition.name == stem)
    return next((metric for definition in definitions if (metric := _numbered(definition, name))), None)


def _numbered(definition: Definition, name: str) -> Metric | None:
    """Return the metric of a definition that has this name."""
    if isinstance(definition, Metric):
        return definition if definition.name == name else None
    number = name.removeprefix(f"{definition.name}@")
    return definition.make(int(number)) if _NUMBER.fullmatch(number) else None


@cache
def _plugins() -> Mapping[str, tuple[EntryPoint, ...]]:
    return plugin_points(GROUP)


@cache
def _load(point: EntryPoint) -> Definition:
    description = f"metric {point.name!r} of {point_origin(point)}"
    try:
        definition: Any = point.load()
    except Exception as error:
        reason = " ".join(str(error).split())
        raise HarnessError(f"{description} cannot be loaded: {type(error).__name__}: {reason}") from error
    if not isinstance(definition, Metric | MetricSeries):
        raise HarnessError(f"{description} is no harness.metrics.Metric.")
    if definition.name != point.name:
        raise HarnessError(f"{description} calls itself {definition.name!r}: give both the same name.")
    return definition
