"""Where the runs of a plan are executed."""

from mmbnft.grid.executors.base import Executor
from mmbnft.grid.executors.local import LocalExecutor
from mmbnft.grid.executors.ray import RayExecutor

__all__ = ["Executor", "LocalExecutor", "RayExecutor"]
