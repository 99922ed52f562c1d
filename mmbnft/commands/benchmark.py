"""Run a grid and rank the checkpoints.

Example: mmbnft benchmark configs/benchmarks/NAME.py
Without a configuration: mmbnft benchmark --task data/NAME --checkpoints A B C --protocols linear bn finetune
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmbnft.utils.command import say
from mmbnft.utils.cores import available_cores
from mmbnft.utils.errors import UserError
from mmbnft.utils.overrides import DictAction
from mmbnft.zoo.options import add_checkpoint_options, stated_options

if TYPE_CHECKING:
    from mmbnft.grid.executors import Executor
    from mmbnft.grid.filters import Part
    from mmbnft.grid.plan import Benchmark
    from mmbnft.grid.store import ResultStore

OWN = ("task", "checkpoints", "protocols", "recipe", "target")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, nargs="?", help="benchmark configuration")
    parser.add_argument("--cfg-options", "--cfg_options", nargs="+", action=DictAction, default={}, metavar="K=V")
    parser.add_argument("--work-dir", "--work_dir", "--out", type=Path, help="default work_dirs/NAME")
    own = parser.add_argument_group("instead of a configuration")
    own.add_argument(
        "--task", nargs="+", default=[], metavar="TASK", help="folders of prepared tasks, array files, or digits ..."
    )
    own.add_argument(
        "--checkpoints",
        nargs="+",
        default=[],
        help="ids, files, timm:NAME ..., group:NAME, random",
    )
    own.add_argument("--protocols", nargs="+", default=[], help="protocols and training-free scores")
    own.add_argument("--recipe", help="its name of a recipe (default: clean)")
    own.add_argument("--target", help="the protocol to be predicted (default: finetune, if it is one of them)")
    add_checkpoint_options(parser.add_argument_group("what the weight files named by a path are"))
    part = parser.add_argument_group("which runs")
    part.add_argument("--only", nargs="+", default=[], metavar="NAME=A,B", help="checkpoint=, task= or protocol=")
    part.add_argument("--shard", default="1/1", metavar="I/N", help="the I-th of N even shares")
    part.add_argument(
        "--retry-failed", action="store_true", help="run all failed runs again, not only those that the machine spoilt"
    )
    part.add_argument("--dry-run", action="store_true", help="print the plan, what is done and the cost; run nothing")
    track = parser.add_argument_group("tracking")
    track.add_argument(
        "--wandb", choices=["online", "offline", "off"], default="off",
        help="log the table of results and the report to W&B at the end (default: off)",
    )  # fmt: skip
    track.add_argument("--wandb-project", default="mmbnft", help="W&B project (default: mmbnft)")
    where = parser.add_argument_group("where")
    where.add_argument("--executor", choices=("local", "ray"), default="local", help="local processes or a Ray cluster")
    where.add_argument("--workers", type=int, default=available_cores(), help="local processes (default: cores)")
    where.add_argument("--loaders", type=int, default=0, help="data-loading processes of each run (default: none)")
    where.add_argument("--ray-address", help="cluster to use (default: one on this machine)")
    where.add_argument("--cpus-per-run", type=float, default=1, help="of a Ray cluster (default: 1)")
    where.add_argument("--gpus-per-run", type=float, default=0, help="of a Ray cluster; 0.5 shares one (default: 0)")
    where.add_argument("--keep-weights", choices=("none", "best", "all"), default="best",
                       help="networks in weights/: of each task the best on test (default)")  # fmt: skip
    where.add_argument("--val-interval", type=int, default=0, metavar="N", help="evaluate on val every N epochs too, "
                       "for curves; of the reported model with recipe.fit_on=train")  # fmt: skip
    where.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    return parser.parse_args(argv)


def _benchmark(args: argparse.Namespace) -> "Benchmark":
    from mmbnft.grid.request import benchmark_from_file, benchmark_of

    own = {name: value for name in OWN if (value := getattr(args, name))}
    if args.config is None:
        return benchmark_of(**own, overrides=args.cfg_options, stated=stated_options(args))
    if own:
        raise UserError(f"{args.config} says what to run; leave --{' and --'.join(own)} away, or the configuration")
    stated = {f"benchmark.stated.{name}": value for name, value in stated_options(args).items()}
    return benchmark_from_file(args.config, args.cfg_options | stated)


def _executor(args: argparse.Namespace) -> "Executor":
    from mmbnft.grid.executors import LocalExecutor, RayExecutor

    if args.executor == "ray":
        return RayExecutor(args.ray_address, args.cpus_per_run, args.gpus_per_run)
    return LocalExecutor(args.workers)


def _show(benchmark: "Benchmark", store: "ResultStore", part: "Part", retry_failed: bool) -> None:
    """Print the plan as far as data and weights are there, and what keeps the rest from it."""
    from mmbnft.grid.grid import estimate_plan, open_jobs
    from mmbnft.grid.plan import plan_ready

    runs, unready = plan_ready(benchmark)
    for item in unready:
        print(f"not ready: {item.runs} runs: {item.reason}")
    if runs:
        plan = open_jobs(runs, store, part, retry_failed)
        print(plan.text)
        print(f"cost: {estimate_plan(plan, store).text}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is missing, then write the ranking; status 1 if a run failed."""
    args = parse_args(argv)
    from mmbnft.grid.filters import Part, Selection, Shard
    from mmbnft.grid.grid import judge, run_benchmark
    from mmbnft.grid.store import ResultStore
    from mmbnft.grid.tracking import log_grid
    from mmbnft.grid.worker import WorkSettings
    from mmbnft.hooks.wandb_hook import resolve_mode

    resolve_mode(args.wandb)  # before hours of runs, not after
    benchmark = _benchmark(args)
    out = args.work_dir or Path("work_dirs") / (args.config.stem if args.config else benchmark.name)
    part = Part(Selection.parse(args.only), Shard.parse(args.shard))
    if args.dry_run:
        _show(benchmark, ResultStore(out / "results"), part, args.retry_failed)
        return 0
    settings = WorkSettings(out, args.device, args.retry_failed, args.loaders, args.keep_weights, args.val_interval)
    outcome = run_benchmark(benchmark, _executor(args), settings, part)
    for sentence in judge(benchmark, outcome, out):
        say(sentence)
    if logged := log_grid(benchmark.name, outcome.results, out, args.wandb, args.wandb_project):
        print(logged)
    for line in outcome.failure_lines:
        print(line, file=sys.stderr)
    print(f"{outcome.executed} runs executed, {outcome.skipped} found done; results: {out / 'results'}")
    print(f"look closer: mmbnft results {'failures' if outcome.failures else 'list'} {out}")
    return 1 if outcome.failures else 0
