"""Finds and reads suites: the built-in ones, those of installed packages, and a user's own folders."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from harness import errors
from harness.data import builtin_suites
from harness.data.files import files_under, resolve_inside
from harness.data.schema import SuiteConfig, TaskConfig
from harness.data.sources import source
from harness.data.suite_file import read_config
from harness.data.table_files import read_text
from harness.errors import HarnessError

GROUP = "adaptbench.suites"
"""Entry points of packages that bring suites: name → the package whose folder holds the suite.toml."""
HINT = "'harness suites' lists them; a folder with a suite.toml works too."
COSMETIC = {"description", "licence", "strategies", "max_bad_rows"}


@dataclass(frozen=True)
class SuiteLocation:
    """Where a suite is read from.

    Attributes:
        folder: holds the suite.toml; None where the package of an entry point is missing.
        package: the package whose prepare.py may run; None for a user's folder.
    """

    folder: Path | None
    package: str | None = None


@dataclass(frozen=True)
class Suite:
    """A suite.

    Attributes:
        folder: where its suite.toml is; every path in it lies within.
        package: the installed package whose prepare.py may run; None for a user's folder, which runs no code.
    """

    config: SuiteConfig
    folder: Path
    package: str | None = None

    @property
    def name(self) -> str:
        """Name as the suite.toml gives it."""
        return self.config.name

    @property
    def version(self) -> int:
        """Raised by the suite's author when scores stop being comparable."""
        return self.config.version

    @property
    def description(self) -> str:
        """One line for lists."""
        return self.config.description

    @property
    def strategies(self) -> tuple[str, ...]:
        """Strategies that a run compares by default, on one target or another."""
        return tuple(dict.fromkeys(text for task in self.targets for text in self.strategies_of(task.name)))

    def strategies_of(self, task: str) -> tuple[str, ...]:
        """Return the strategies that a run compares on a task by default."""
        return self.task(task).strategies or self.config.strategies

    @property
    def tasks(self) -> tuple[TaskConfig, ...]:
        """All tasks, in the order of the file."""
        return self.config.tasks

    @property
    def targets(self) -> tuple[TaskConfig, ...]:
        """The tasks that systems are adapted to."""
        return tuple(task for task in self.tasks if task.role == "target")

    @property
    def probes(self) -> tuple[TaskConfig, ...]:
        """The tasks that are only asked, before and after adaptation."""
        return tuple(task for task in self.tasks if task.role == "probe")

    @property
    def file(self) -> Path:
        """The suite.toml."""
        return self.folder / "suite.toml"

    def task(self, name: str) -> TaskConfig:
        """Return a task by its name.

        Raises:
            HarnessError: there is none, with the nearest name.
        """
        for task in self.tasks:
            if task.name == name:
                return task
        raise errors.unknown("task", name, (task.name for task in self.tasks), where=str(self.file))

    @property
    def strict(self) -> "Suite":
        """This suite, where no row may be left out because it cannot be used."""
        return replace(self, config=self.config.model_copy(update={"max_bad_rows": 0.0}))

    @cached_property
    def templates(self) -> dict[str, str]:
        """The prompt templates in the suite's folder ``templates``: text by name, without ``.jinja``."""
        folder = self.folder / "templates"
        names = [file.relative_to(self.folder).as_posix() for file in sorted(folder.glob("*.jinja"))]
        return {Path(name).stem: read_text(resolve_inside(self.folder, name, str(self.file))) for name in names}

    @cached_property
    def hash(self) -> str:
        """Sha256 over all that decides a score: settings, data files, pinned archives and prepare.py.

        Left out are description, licence, the default strategies, the rows that may be bad, and paraphrases: no score
        depends on them.
        """
        left_out = {**dict.fromkeys(COSMETIC, True), "tasks": {"__all__": {"paraphrases", "strategies"}}}
        settings = self.config.model_dump(mode="json", exclude_defaults=True, exclude=left_out)
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for label, content in sorted(self._contents()):
            digest.update(f"\n{label} {content}".encode())
        return digest.hexdigest()

    def _contents(self) -> Iterator[tuple[str, str]]:
        for name, text in self.templates.items():
            yield f"templates/{name}.jinja", hashlib.sha256(text.encode()).hexdigest()
        for task in self.tasks:
            if task.source:
                yield f"source {task.source}", source(task.source).sha256
                yield "prepare.py", _digest(self.folder / "prepare.py")
                shared = self.folder.parent / "sources.py"
                if shared.is_file():
                    yield "../sources.py", _digest(shared)
            for path in (task.data, task.train, task.validation, task.test, task.corpus):
                for file in files_under(resolve_inside(self.folder, path, str(self.file)), self.folder) if path else ():
                    yield file.relative_to(self.folder.resolve()).as_posix(), _digest(file)


def load_suite(name_or_path: str | Path) -> Suite:
    """Read a suite.

    Args:
        name_or_path: a built-in or installed suite's name, the path of a folder or of a suite.toml, or the name
            of a folder here or under ``suites/`` here.

    Raises:
        HarnessError: there is no such suite, or its suite.toml is wrong.
    """
    from harness import metrics  # noqa: PLC0415 - numpy comes with it, which a mere list of suites can do without

    suite = _read(_find(str(name_or_path)))
    for task in suite.tasks:
        if task.source and suite.package is None:
            raise HarnessError(
                f"task {task.name!r} of {suite.file} has a 'source', which runs code from prepare.py: only built-in "
                "suites and those of installed packages may. Use 'data', or 'train' and 'test'."
            )
        where = f"task {task.name!r} of {suite.file}"
        for name in (*task.all_metrics, *filter(None, [task.reward])):
            if task.kind not in metrics.get(name, where=where).kinds:
                raise HarnessError(f"metric {name!r} in {where} doesn't fit kind {task.kind!r}.")
        if metrics.get(task.all_metrics[0]).higher_is_better is None:
            raise HarnessError(
                f"metric {task.all_metrics[0]!r} in {where} only describes: put one first that has a better end."
            )
        if task.reward and not metrics.get(task.reward).is_mean:
            raise HarnessError(f"'reward' in {where}: {task.reward!r} has no value for a single item: choose another.")
        if task.template and task.template not in suite.templates:
            raise errors.unknown("template", task.template, suite.templates, where=where)
    return suite


def list_suites() -> tuple[tuple[Suite, ...], dict[str, str]]:
    """Return the built-in suites, then installed ones, then those of the folder ``suites`` here.

    Returns:
        The suites, and by name what is wrong with those that cannot be read.
    """
    suites: list[Suite] = []
    broken: dict[str, str] = {}
    for name, location in _locations().items():
        try:
            suites.append(_read(location))
        except HarnessError as error:
            broken[name] = str(error)
    return tuple(suites), broken


def _locations() -> dict[str, SuiteLocation]:
    """Return every suite that has a name, built-in ones first."""
    files = sorted((Path.cwd() / "suites").glob("*/suite.toml"))
    local = {file.parent.name: SuiteLocation(file.parent) for file in files}
    locations = {name: SuiteLocation(folder, f"suites.{name}") for name, folder in builtin_suites.folders().items()}
    for name, location in (*_installed().items(), *local.items()):
        locations.setdefault(name, location)
    return locations


def _installed() -> dict[str, SuiteLocation]:
    points = entry_points(group=GROUP)
    return {point.name: SuiteLocation(_package_folder(point.value), point.value) for point in points}


def _package_folder(package: str) -> Path | None:
    try:
        spec = find_spec(package)
    except ImportError:  # a package within one that is not there
        return None
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def _find(name: str) -> SuiteLocation:
    locations = _locations()
    if name in locations:
        return locations[name]
    path = Path(name).expanduser()
    folder = path.parent if path.is_file() else path
    if not (folder / "suite.toml").is_file():
        if folder.is_dir():
            raise HarnessError(f"{folder} has no suite.toml: 'harness init NAME --data FILE' writes one.")
        raise errors.unknown("suite", name, locations, hint=HINT)
    packages = (location for location in locations.values() if location.package)
    trusted = {location.folder.resolve(): location for location in packages if location.folder}
    return trusted.get(folder.resolve(), SuiteLocation(folder))


def _read(location: SuiteLocation) -> Suite:
    if location.folder is None:
        raise HarnessError(
            f"an installed suite names {location.package!r}, which is no installed package: reinstall it."
        )
    return Suite(read_config(location.folder / "suite.toml"), location.folder, location.package)


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise HarnessError(f"{file} can't be read ({error.strerror or error}).") from error
