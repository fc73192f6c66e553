"""Process that answers questions by a Python function; its arguments are the file and ``module:function``.

What the function prints goes to standard error, so that standard output holds answers only.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def main(file: str, name: str) -> None:
    """Answer each line of standard input."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    answer = _load(Path(file), name)
    for line in sys.stdin.buffer:
        question: dict[str, Any] = json.loads(line)
        reply = answer(question)
        content = {"answer": reply} if isinstance(reply, str) else dict(reply)
        answers.write(json.dumps({"id": question["id"], **content}) + "\n")
        answers.flush()


def _load(file: Path, name: str) -> Callable[[dict[str, Any]], Any]:
    module_name, _, function = name.partition(":")
    depth = module_name.count(".") + (file.name == "__init__.py")
    sys.path.append(str(file.parents[depth]))  # last: its neighbours must not shadow a library
    module = import_module(module_name)
    if Path(str(module.__file__)).resolve() != file.resolve():
        raise SystemExit(f"{module_name} is a module of Python or of a package: rename {file}.")
    return getattr(module, function)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
