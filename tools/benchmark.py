"""Run a grid and rank the checkpoints: python tools/benchmark.py configs/benchmarks/NAME.py."""

import argparse
import os
import sys
from pathlib import Path

from mmbnft.benchmark import Benchmark, ResultStore, open_plan, run_benchmark
from mmbnft.command import DictAction, run_command
from mmbnft.engine import load_config
from mmbnft.ranking import rank_results
from mmbnft.zoo import DEFAULT_ROOT


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Run checkpoints x tasks x protocols, resumably, and rank them.")
    parser.add_argument("config", type=Path, help="benchmark configuration")
    parser.add_argument("--work-dir", "--work_dir", type=Path, help="default work_dirs/CONFIG")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="worker processes (default: cores)")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and what is done, run nothing")
    parser.add_argument("--retry-failed", action="store_true", help="run failed runs again")
    parser.add_argument("--cfg-options", "--cfg_options", nargs="+", action=DictAction, default={}, metavar="K=V")
    return parser.parse_args()


def main() -> int:
    """Run what is missing, then write the ranking; status 1 if a run failed."""
    args = parse_args()
    benchmark = Benchmark.from_config(load_config(args.config, args.cfg_options))
    out = args.work_dir or Path("work_dirs") / args.config.stem
    if args.dry_run:
        runs, left = open_plan(benchmark, ResultStore(out / "results"), DEFAULT_ROOT, args.retry_failed)
        missing = {run.key for run in left}
        for run in runs:
            print(f"{'missing' if run.key in missing else 'done   '}  {run.key[:16]}  {run.label}")
        print(f"{len(runs)} runs, {len(runs) - len(left)} done, {len(left)} missing")
        return 0
    outcome = run_benchmark(benchmark, out, workers=args.workers, retry_failed=args.retry_failed)
    for failure in outcome.failures:
        print(f"failed: {failure.checkpoint} {failure.task} {failure.protocol}: {failure.reason}", file=sys.stderr)
    report = rank_results(outcome.results, benchmark.target, out)
    for task, verdict in report.study.verdicts.items():
        print(f"{task}: {verdict}")
    print(f"{outcome.executed} runs executed, {outcome.skipped} found done; results: {out / 'results'}")
    print(f"report: {out / 'report.html'}")
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(run_command(main))
