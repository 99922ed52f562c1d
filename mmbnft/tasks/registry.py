"""The registry of task builders, the same kind of registry the host framework uses."""

from typing import TYPE_CHECKING, Any

from mmcv.utils import Registry

from mmbnft.utils.errors import UserError, choices

if TYPE_CHECKING:
    from mmbnft.tasks.task import Task

TASKS = Registry("task")


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
    builder = TASKS.get(kind) if isinstance(kind, str) else None
    if builder is None:
        raise UserError(f"unknown task type {kind!r}; allowed: {choices(TASKS.module_dict)}")
    if split is not None:
        options["split"] = split
    try:
        return builder(**options)
    except TypeError as error:
        raise UserError(f"task type {kind}: {error}; correct the task's configuration") from error
