"""What a run is asked to do: flags and an optional TOML file become one checked `RunConfig`. Flags win."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness.errors import HarnessError, unknown
from harness.records.record import Budget

DEFAULT_MODEL = "smollm2-135m-instruct"
SEEN_ITEMS = 64
REQUESTS = 20
CHECK_ITEMS = 16


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
        train_sizes: one trial for each, of a strategy that uses training items, with so many of them: a learning curve;
            empty: all items.
        budget: for the search of each strategy's parameters on the validation split; None: they have their defaults.
        seen_items: the most training items that a tuned model is asked again, to tell overfitting; 0: none.
        requests: the most test items that are asked one by one, for latencies; 0: none.
        arrival_rate: requests a second that arrive at random, instead of one by one.
        latency_target_s: within which a request is to be answered.
        check_items: the most test items that self-tests and controls ask again; 0: none are made.
        energy: whether joules are measured, by codecarbon.
        share_gpu: whether to run on a GPU of which others hold memory.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str = Field(min_length=1)
    strategies: tuple[str, ...] = ()
    models: tuple[str, ...] = Field((DEFAULT_MODEL,), min_length=1)
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    tasks: tuple[str, ...] = ()
    split: str | None = None
    results: Path = Path("results")
    limits: SplitLimits = SplitLimits.model_validate({})
    threads: int | None = Field(None, ge=1)
    train_sizes: tuple[Annotated[int, Field(ge=1)], ...] = ()
    budget: Budget | None = None
    seen_items: int = Field(SEEN_ITEMS, ge=0)
    requests: int = Field(REQUESTS, ge=0)
    arrival_rate: float | None = Field(None, gt=0)
    latency_target_s: float | None = Field(None, gt=0)
    check_items: int = Field(CHECK_ITEMS, ge=0)
    energy: bool = False
    share_gpu: bool = False

    @model_validator(mode="after")
    def _something_arrives(self) -> RunConfig:
        if not self.requests and (self.arrival_rate or self.latency_target_s):
            raise ValueError("an arrival rate or a latency target was given, and no requests: leave out requests=0")
        return self

    @model_validator(mode="before")
    @classmethod
    def _count_of_seeds(cls, given: dict[str, Any]) -> dict[str, Any]:
        """A number of seeds stands for 0, 1, 2 and so on."""
        count = given.get("seeds")
        if isinstance(count, int) and not isinstance(count, bool):
            if count < 1:
                raise ValueError(f"seeds is {count}: at least one seed is needed")
            return {**given, "seeds": tuple(range(count))}
        return given

    @field_validator("budget", mode="before")
    @classmethod
    def _written_budget(cls, given: Any) -> Any:
        """A text such as ``tokens=200000`` or a number of trials stands for a budget."""
        if given is None or isinstance(given, Budget):
            return given
        unit, _, amount = str(given).rpartition("=")
        unit, amount = unit.strip() or "trials", amount.strip()
        if unit not in ("trials", "tokens", "seconds") or not (amount.isascii() and amount.isdecimal() and int(amount)):
            raise ValueError("write a number of trials, or e.g. trials=8, tokens=200000 or seconds=120")
        return Budget(unit=unit, amount=int(amount))

    @field_validator("strategies", "models", "seeds", "tasks", "train_sizes")
    @classmethod
    def _each_once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(values))


def load_config(flags: Mapping[str, Any], file: Path | None = None) -> RunConfig:
    """Put together what the flags and the file say.

    Args:
        flags: by field of `RunConfig`; one that is None or empty was not given. ``limits`` may hold some splits only.
        file: TOML with the same names as keys.

    Raises:
        HarnessError: the file cannot be read, or a key or value is wrong.
    """
    given = _read(file) if file else {}
    limits = {**given.get("limits", {}), **flags.get("limits", {})}
    chosen = {name: value for name, value in flags.items() if value not in (None, (), [], {})}
    merged = {**given, **chosen, **({"limits": limits} if limits else {})}
    if not merged.get("suite"):
        raise HarnessError("no suite was named: give one, e.g. 'harness run quickstart'. 'harness suites' lists them.")
    try:
        return RunConfig.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        in_file = bool(first["loc"]) and first["loc"][0] in given and first["loc"][0] not in chosen
        where = f" in {file}" if in_file else ""
        raise HarnessError(f"{key}={first['input']!r}{where}: {said}." if key else f"{said}{where}.") from error


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
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise HarnessError(f"{file} cannot be read ({' '.join(str(error).split())}).") from error
    for key in given:
        if key not in RunConfig.model_fields:
            raise unknown("key", key, RunConfig.model_fields, where=str(file))
    limits = given.get("limits", {})
    if not isinstance(limits, dict):
        raise HarnessError(f"limits in {file} is no table: write e.g. limits = {{ test = 40 }}.")
    for key in limits:
        if key not in SplitLimits.model_fields:
            raise unknown("split", key, SplitLimits.model_fields, where=f"limits of {file}")
    return given
