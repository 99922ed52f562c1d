"""Where the runs of a plan are executed."""

from mmbnft.benchmark.executors.base import Executor
from mmbnft.benchmark.executors.local import LocalExecutor

__all__ = ["Executor", "LocalExecutor"]
