"""Reads a suite.toml; an error in it is one sentence with the file, the task and the key."""

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from harness import errors
from harness.data.options import Canaries, Preparation
from harness.data.schema import Sizes, SuiteConfig, TaskConfig
from harness.errors import HarnessError
from harness.measure.settings_file import read_settings


def read_config(file: Path) -> SuiteConfig:
    """Read and check a suite.toml.

    Raises:
        HarnessError: it can't be read, or something in it is wrong: names the file, the task and the key.
    """
    try:
        table = tomllib.loads(read_settings(file))
    except OSError as error:
        raise HarnessError(f"{file} can't be read ({error.strerror or error}).") from error
    except UnicodeDecodeError as error:
        raise HarnessError(f"{file} isn't UTF-8 text: save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise HarnessError(f"{file} isn't valid TOML: {error}.") from error
    except (ValueError, RecursionError) as error:
        raise HarnessError(f"{file} has a number too long or a nesting too deep to be read.") from error
    try:
        return SuiteConfig.model_validate(table)
    except ValidationError as error:
        raise _explain(error.errors()[0], table, file) from error


def _explain(error: ErrorDetails, table: dict[str, Any], file: Path) -> HarnessError:
    """Turn pydantic's first error into one sentence with the file, the task and the key."""
    location, model = _locate(error["loc"], table, file)
    key = str(error["loc"][-1]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        return errors.unknown("key", key, model.model_fields, where=location)
    if error["type"] == "missing":
        return HarnessError(f"key {key!r} is missing in {location}.")
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        allowed = re.findall(r"'([^']+)'", str(error.get("ctx", {}).get("expected", "")))
        return errors.unknown(key, error["input"], allowed, where=location)
    if error["type"] == "value_error":
        return HarnessError(f"{location}: {error['msg'].removeprefix('Value error, ')}.")
    keys = [str(part) for part in error["loc"] if isinstance(part, str) and part in _KEYS]
    return HarnessError(f"{location}: key {(keys or [key])[-1]!r}: {error['msg']} (it is {error['input']!r}).")


_PARTS: dict[str, type[BaseModel]] = {"sizes": Sizes, "preparation": Preparation, "canaries": Canaries}
_KEYS = {name for model in (SuiteConfig, TaskConfig, *_PARTS.values()) for name in model.model_fields}


def _locate(loc: tuple[int | str, ...], table: dict[str, Any], file: Path) -> tuple[str, type[BaseModel]]:
    """Return the part of the file that an error is in, and the model of that part."""
    if len(loc) < 2 or loc[0] != "tasks" or not isinstance(loc[1], int):
        return str(file), SuiteConfig
    task = table["tasks"][loc[1]]
    name = task.get("name", loc[1] + 1) if isinstance(task, dict) else loc[1] + 1
    where = f"task {name!r} of {file}"
    part = str(loc[2]) if len(loc) > 3 else ""
    return (f"{part!r} of {where}", _PARTS[part]) if part in _PARTS else (where, TaskConfig)
