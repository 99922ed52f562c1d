"""Task types by the name a configuration gives them."""

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from mmbnft.utils.errors import UserError, choices, meant

if TYPE_CHECKING:
    from mmbnft.tasks.task import Task

Builder = TypeVar("Builder", bound=Callable[..., Any])

# Where this project's own are, so that none is imported before it is asked for.
_OWN = {
    "array_task": "mmbnft.tasks.arrays",
    "digits": "mmbnft.tasks.digits",
    "drawn": "mmbnft.tasks.drawn",
    "glyphs": "mmbnft.tasks.glyphs",
    "list_task": "mmbnft.tasks.task",
}
_REGISTERED: dict[str, Callable[..., Any]] = {}


def register_task(builder: Builder) -> Builder:
    """Make a function or class that gives a `Task` known by its name; a decorator for modules in `custom_imports`."""
    _REGISTERED[builder.__name__] = builder
    return builder


def task_types() -> tuple[str, ...]:
    """The names that `build_task` knows."""
    return (*_OWN, *_REGISTERED)


def _builder(kind: object) -> Callable[..., Any]:
    if isinstance(kind, str) and kind in _REGISTERED:
        return _REGISTERED[kind]
    if not isinstance(kind, str) or kind not in _OWN:
        raise UserError(f"unknown task type {kind!r}; allowed: {choices(task_types())}{meant(str(kind), task_types())}")
    found: Callable[..., Any] = getattr(importlib.import_module(_OWN[kind]), kind)
    return found


def build_task(config: dict[str, Any], split: int | None = None) -> "Task":
    """Build a task from `dict(type=..., ...)`.

    Args:
        config: A registered type and its arguments.
        split: Overrides the number of the official split.

    Raises:
        UserError: The type is unknown or an argument does not fit.
    """
    options = dict(config)
    kind = options.pop("type", None)
    builder = _builder(kind)
    if split is not None:
        options["split"] = split
    try:
        return builder(**options)
    except TypeError as error:
        raise UserError(f"task type {kind}: {error}; correct the task's configuration") from error
