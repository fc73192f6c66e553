"""Flags and an optional TOML file, as one checked `RunConfig`; flags win."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness.errors import HarnessError, unknown
from harness.measure.settings_file import read_settings
from harness.records.home_path import without_home
from harness.records.planned_trial import MeasurementOptions
from harness.records.record import Budget
from harness.records.run_limits import NO_LIMITS, RunLimits

DEFAULT_MODEL = "smollm2-135m-instruct"
MAX_SEEDS = 1000


_GROUPS: dict[str, type[BaseModel]] = {"measurement": MeasurementOptions, "run_limits": RunLimits}
_GROUP_OF = {name: group for group, model in _GROUPS.items() for name in model.model_fields}


class SplitLimits(BaseModel):
    """The most items that each split may have; None: as many as the suite says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: int | None = Field(None, ge=1)
    validation: int | None = Field(None, ge=1)
    test: int | None = Field(None, ge=1)


class RunConfig(BaseModel):
    """One run, complete: nothing is asked for or looked up later.

    Attributes:
        suite: a suite's name or the path of its folder.
        strategies: texts of chains, e.g. ``rag(k=1)+lora``; empty: those that the suite names.
        models: names of pinned models, hub ids or folders.
        seeds: one trial for each, of a strategy that uses randomness; the others run with the first only.
        tasks: only these; empty: all.
        split: ``fresh=FILE`` or ``TASK.fresh=FILE``: one task is asked the items of a file instead of its test split.
        results: where records go, relative to the working folder.
        limits: the most items of each split.
        threads: of one operator; None: the library's choice.
        rows: prompts decoded together at most; row_tokens: of a pass that scores choices; None: 32 and 768, or on a GPU
            what its free memory holds. Answers do not depend on them.
        train_sizes: one trial for each, of a strategy that uses training items, with so many of them: a learning curve;
            empty: all items.
        budget: for the search of each strategy's parameters on the validation split; None: they have their defaults.
        measurement: what is measured besides the score; a file gives its fields as keys of their own.
        run_limits: when a trial or the run is stopped; a file gives its fields as keys of their own.
        share_gpu: whether to run on a GPU of which others hold memory.
        strict: whether one row that cannot be used, or an item that is too long, stops the run.
        answers: ``written``: choices are listed and written by every model; ``auto``: scored by those that can.
        max_usd: most that models asked over HTTP may cost in this run; ``none``: anything; None: 1 if one is elsewhere.
        fresh: whether what an unfinished trial was answered by such a model is asked again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str = Field(min_length=1)
    strategies: tuple[str, ...] = ()
    models: tuple[str, ...] = Field((DEFAULT_MODEL,), min_length=1)
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**32)], ...] = Field((0,), min_length=1)
    tasks: tuple[str, ...] = ()
    split: str | None = None
    results: Path = Path("results")
    limits: SplitLimits = SplitLimits.model_validate({})
    threads: int | None = Field(None, ge=1)
    rows: int | None = Field(None, ge=1)
    row_tokens: int | None = Field(None, ge=1)
    train_sizes: tuple[Annotated[int, Field(ge=1)], ...] = ()
    budget: Budget | None = None
    measurement: MeasurementOptions = MeasurementOptions()
    run_limits: RunLimits = NO_LIMITS
    share_gpu: bool = False
    strict: bool = False
    answers: Literal["auto", "written"] = "auto"
    max_usd: Annotated[float, Field(ge=0, allow_inf_nan=False)] | Literal["none"] | None = None
    fresh: bool = False

    @model_validator(mode="after")
    def _something_arrives(self) -> RunConfig:
        measurement = self.measurement
        if not measurement.requests and (measurement.arrival_rate or measurement.latency_target_s):
            raise ValueError("an arrival rate or a latency target was given, and no requests: leave out requests=0")
        return self

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, options: dict[str, Any]) -> dict[str, Any]:
        """Gather measurement options and limits; a number of seeds stands for 0, 1, 2 and so on."""
        gathered = {name: value for name, value in options.items() if name not in _GROUP_OF}
        for name in options.keys() & _GROUP_OF.keys():
            gathered.setdefault(_GROUP_OF[name], {})[name] = options[name]
        count = options.get("seeds")
        if isinstance(count, int) and not isinstance(count, bool):
            if not 1 <= count <= MAX_SEEDS:
                raise ValueError(f"{count} seeds: write a number from 1 to {MAX_SEEDS:,}")
            gathered["seeds"] = tuple(range(count))
        return gathered

    @field_validator("budget", mode="before")
    @classmethod
    def _written_budget(cls, written: Any) -> Any:
        """A text such as ``tokens=200000`` or a number of trials stands for a budget."""
        if written is None or isinstance(written, Budget):
            return written
        unit, _, amount = str(written).rpartition("=")
        unit, amount = unit.strip() or "trials", amount.strip()
        if unit not in ("trials", "tokens", "seconds") or not (amount.isascii() and amount.isdecimal() and int(amount)):
            raise ValueError("write a number of trials, or e.g. trials=8, tokens=200000 or seconds=120")
        return Budget(unit=unit, amount=int(amount))

    @field_validator("strategies", "models", "seeds", "tasks", "train_sizes")
    @classmethod
    def _each_once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(values))

    @field_validator("strategies", "models")
    @classmethod
    def _without_home(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        """Folders below the user's home are named ``~/…``: in records, tables and keys."""
        return without_home(values)


def load_config(flags: Mapping[str, Any], file: Path | None = None) -> RunConfig:
    """Put together what the flags and the file say.

    Args:
        flags: by field of `RunConfig`; one that is None or empty was not given. ``limits`` may hold some splits only.
        file: TOML with the same names as keys.

    Raises:
        HarnessError: the file cannot be read, or a key or value is wrong.
    """
    file_options = _read(file) if file else {}
    limits = {**file_options.get("limits", {}), **flags.get("limits", {})}
    chosen = {name: value for name, value in flags.items() if value not in (None, (), [], {})}
    merged = {**file_options, **chosen, **({"limits": limits} if limits else {})}
    if not merged.get("suite"):
        raise HarnessError("no suite was named: give one, e.g. 'harness run quickstart'. 'harness suites' lists them.")
    try:
        return RunConfig.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if part not in _GROUPS)
        reason = first["msg"].removeprefix("Value error, ")
        field = key.partition(".")[0]
        in_file = field in file_options and field not in chosen
        where = f" in {file}" if in_file else ""
        raise HarnessError(f"{key}={first['input']!r}{where}: {reason}." if key else f"{reason}{where}.") from error


def refuse_unknown_keys(options: Iterable[str], where: str) -> None:
    """Refuse a name that no setting of a run has.

    Args:
        options: names of settings.
        where: they stand, for the message.

    Raises:
        HarnessError: a name is unknown.
    """
    keys = [name for name in (*RunConfig.model_fields, *_GROUP_OF) if name not in _GROUPS]
    for key in options:
        if key not in keys:
            raise unknown("key", key, keys, where=where)


def parse_limits(written: Sequence[str]) -> dict[str, int]:
    """Read ``--limit`` flags such as ``test=40`` or ``train=100,test=40``.

    Raises:
        HarnessError: an unknown split, or no number.
    """
    limits: dict[str, int] = {}
    for part in (part.strip() for text in written for part in text.split(",")):
        split, _, number = (piece.strip() for piece in part.partition("="))
        if split not in SplitLimits.model_fields:
            raise unknown("split", split, SplitLimits.model_fields, where="--limit", hint="Write e.g. --limit test=40.")
        if not (number.isascii() and number.isdecimal() and int(number) > 0):
            raise HarnessError(f"--limit {part!r} has no positive number: write e.g. --limit test=40.")
        limits[split] = int(number)
    return limits


def parse_sizes(written: str | None) -> tuple[int, ...]:
    """Read ``--train-sizes 32,128,512``.

    Raises:
        HarnessError: one is no positive number.
    """
    parts = [part.strip() for part in written.split(",")] if written else []
    for part in parts:
        if not (part.isascii() and part.isdecimal() and int(part) > 0):
            raise HarnessError(f"--train-sizes {part!r} is no positive number: write e.g. --train-sizes 32,128,512.")
    return tuple(map(int, parts))


def choose_seeds(count: int | None, seeds: Sequence[int]) -> int | tuple[int, ...] | None:
    """Combine ``--seeds N`` and ``--seed S``; None: neither was given.

    Raises:
        HarnessError: both were.
    """
    if count is not None and seeds:
        raise HarnessError("--seeds (how many) and --seed (which) were both given: keep one.")
    return tuple(seeds) or count


def _read(file: Path) -> dict[str, Any]:
    try:
        file_options = tomllib.loads(read_settings(file))
    except (OSError, ValueError, RecursionError) as error:
        raise HarnessError(f"{file} cannot be read ({' '.join(str(error).split())}).") from error
    refuse_unknown_keys(file_options, str(file))
    limits = file_options.get("limits", {})
    if not isinstance(limits, dict):
        raise HarnessError(f"limits in {file} is no table: write e.g. limits = {{ test = 40 }}.")
    for key in limits:
        if key not in SplitLimits.model_fields:
            raise unknown("split", key, SplitLimits.model_fields, where=f"limits of {file}")
    return file_options
