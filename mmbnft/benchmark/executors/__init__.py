"""Where the runs of a plan are executed."""

from mmbnft.benchmark.executors.local import run_locally

__all__ = ["run_locally"]
