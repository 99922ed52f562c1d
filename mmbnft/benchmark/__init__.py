"""Grids of checkpoints x tasks x protocols x splits x seeds that resume after a kill."""

from mmbnft.benchmark.executors import EXECUTORS, Executor, LocalExecutor, RayExecutor
from mmbnft.benchmark.grid import OpenPlan, Outcome, Part, estimate_plan, judge, open_plan, run_benchmark
from mmbnft.benchmark.listing import format_results, open_results, stale_reasons, whole_table
from mmbnft.benchmark.merging import Merged, merge_stores
from mmbnft.benchmark.plan import Benchmark, PlannedRun, plan_runs
from mmbnft.benchmark.request import benchmark_from_file, benchmark_of
from mmbnft.benchmark.selection import Selection, Shard
from mmbnft.benchmark.store import ResultStore

__all__ = [
    "EXECUTORS",
    "Benchmark",
    "Executor",
    "LocalExecutor",
    "Merged",
    "OpenPlan",
    "Outcome",
    "Part",
    "PlannedRun",
    "RayExecutor",
    "ResultStore",
    "Selection",
    "Shard",
    "benchmark_from_file",
    "benchmark_of",
    "estimate_plan",
    "format_results",
    "judge",
    "merge_stores",
    "open_plan",
    "open_results",
    "plan_runs",
    "run_benchmark",
    "stale_reasons",
    "whole_table",
]
