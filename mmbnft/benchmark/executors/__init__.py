"""Where the runs of a plan are executed."""

from mmbnft.benchmark.executors.base import Executor
from mmbnft.benchmark.executors.local import LocalExecutor
from mmbnft.benchmark.executors.ray import RayExecutor

EXECUTORS = ("local", "ray")

__all__ = ["EXECUTORS", "Executor", "LocalExecutor", "RayExecutor"]
