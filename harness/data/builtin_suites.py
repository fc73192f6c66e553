"""The built-in suites: the folder that was installed with this package, and the Python modules in it.

Both go by location, never by the name ``suites``, which a user's own folder may have earlier on the path.
"""

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).resolve().parents[2] / "suites"
_PACKAGE = "adaptbench_suites"
"""Name under which the folder is imported as a package; its modules import each other relatively."""


def folders() -> dict[str, Path]:
    """Return the folder of each built-in suite by its name."""
    return {file.parent.name: file.parent for file in sorted(FOLDER.glob("*/suite.toml"))}


def import_prepare(name: str) -> ModuleType:
    """Import the prepare.py of a built-in suite."""
    if _PACKAGE not in sys.modules:
        spec = spec_from_file_location(_PACKAGE, FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)])
        assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - a Python file has both
        package = module_from_spec(spec)
        spec.loader.exec_module(package)
        sys.modules[_PACKAGE] = package
    return import_module(f"{_PACKAGE}.{name}.prepare")
