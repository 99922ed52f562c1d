"""The preparers of the public data sets by name."""

from importlib import import_module

from mmbnft.tasks.preparers.base import Preparer
from mmbnft.tasks.preparers.titles import TITLES
from mmbnft.utils.errors import UserError, choices, meant


def _preparer(name: str) -> type[Preparer]:
    """The one preparer that the module `name` defines; other classes there are imported."""
    module = import_module(f"mmbnft.tasks.preparers.{name}")
    [found] = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Preparer) and value.__module__ == module.__name__
    ]
    return found


PREPARERS: dict[str, type[Preparer]] = {name: _preparer(name) for name in TITLES}


def build_preparer(name: str) -> Preparer:
    """The preparer of the data set `name`.

    Raises:
        UserError: There is none of that name.
    """
    if name not in PREPARERS:
        raise UserError(f"unknown data set {name!r}; allowed: {choices(PREPARERS)}{meant(name, PREPARERS)}")
    return PREPARERS[name]()
