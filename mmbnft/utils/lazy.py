"""Packages whose names are imported when they are first asked for, so that the package itself starts at once."""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def lazy_names(package: str, homes: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """A package's module-level `__getattr__` (PEP 562).

    A name must not be that of a submodule, which Python binds in the package as soon as anybody imports it.

    Args:
        package: `__name__` of the package.
        homes: Names that the package offers, by the submodule that defines them.

    Returns:
        The function; it raises AttributeError for other names, as Python expects.
    """
    where = {name: f"{package}.{module}" for module, names in homes.items() for name in names}

    def find(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(where[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return find
