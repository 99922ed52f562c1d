"""Grids of checkpoints x tasks x protocols x splits x seeds that resume after a kill."""

from mmbnft.benchmark.grid import Outcome, open_plan, run_benchmark
from mmbnft.benchmark.plan import Benchmark, PlannedRun, plan_runs
from mmbnft.benchmark.store import ResultStore

__all__ = ["Benchmark", "Outcome", "PlannedRun", "ResultStore", "open_plan", "plan_runs", "run_benchmark"]
