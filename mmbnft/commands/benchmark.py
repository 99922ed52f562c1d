"""Run a grid of checkpoints, tasks and protocols, and rank the checkpoints.

Example: mmbnft benchmark configs/benchmarks/NAME.py
Without a configuration: mmbnft benchmark --task data/NAME --checkpoints A B C --protocols linear bn finetune
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmbnft.commands._options import (
    PROTOCOLS,
    RECIPES,
    SCORES,
    add_grid_tracking,
    add_overrides,
    add_part_options,
    add_place_options,
    command_parser,
    executor_of,
    part_of,
    trackers_of,
)
from mmbnft.utils.command import say
from mmbnft.utils.errors import UserError
from mmbnft.zoo.options import add_checkpoint_options, stated_options

if TYPE_CHECKING:
    from mmbnft.grid.filters import Part
    from mmbnft.grid.plan import Benchmark
    from mmbnft.grid.store import ResultStore

OWN = ("task", "checkpoints", "protocols", "recipe", "target")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_parser(__doc__)
    parser.add_argument("config", type=Path, nargs="?", help="benchmark configuration")
    add_overrides(parser)
    parser.add_argument(
        "--work-dir",
        "--work_dir",
        "--out",
        type=Path,
        metavar="DIR",
        help="folder for results and report (default: work_dirs/NAME)",
    )
    own = parser.add_argument_group("instead of a configuration")
    own.add_argument(
        "--task", nargs="+", default=[], metavar="TASK", help="folders of prepared tasks, array files, or digits ..."
    )
    own.add_argument(
        "--checkpoints", nargs="+", default=[], metavar="NAME", help="ids, files, timm:NAME ..., group:NAME, random"
    )
    own.add_argument("--protocols", nargs="+", default=[], metavar="NAME", help=f"{PROTOCOLS}, or scores: {SCORES}")
    own.add_argument("--recipe", metavar="NAME", help=f"{RECIPES} (default: clean)")
    own.add_argument(
        "--target", metavar="NAME", help="protocol to predict (default: finetune, if it is among --protocols)"
    )
    add_checkpoint_options(parser.add_argument_group("about weight files given as paths"))
    add_part_options(parser)
    add_grid_tracking(parser)
    where = add_place_options(parser)
    where.add_argument("--loaders", type=int, default=0, metavar="N", help="data-loading processes per run")
    keep = parser.add_argument_group("what is kept")
    keep.add_argument(
        "--keep-weights",
        choices=("none", "best", "all"),
        default="best",
        help="networks to keep in weights/; best: the best one on test of each task",
    )
    keep.add_argument(
        "--val-interval",
        type=int,
        default=0,
        metavar="N",
        help="also evaluate on val every N epochs, for curves (of the reported model with recipe.fit_on=train)",
    )
    return parser.parse_args(argv)


def _benchmark(args: argparse.Namespace) -> "Benchmark":
    from mmbnft.grid.request import benchmark_from_file, benchmark_of

    own = {name: value for name in OWN if (value := getattr(args, name))}
    if args.config is None:
        return benchmark_of(**own, overrides=args.cfg_options, stated=stated_options(args))
    if own:
        raise UserError(f"{args.config} already says what to run; drop --{' and --'.join(own)}, or the configuration")
    stated = {f"benchmark.stated.{name}": value for name, value in stated_options(args).items()}
    return benchmark_from_file(args.config, args.cfg_options | stated)


def _show(benchmark: "Benchmark", store: "ResultStore", part: "Part", retry_failed: bool) -> None:
    """Print the plan as far as data and weights are there, and what keeps the rest from it."""
    from mmbnft.grid.grid import estimate_plan, open_jobs
    from mmbnft.grid.plan import plan_ready

    runs, unready = plan_ready(benchmark)
    for item in unready:
        print(f"{item.runs} runs not ready: {item.reason}")
    if runs:
        plan = open_jobs(runs, store, part, retry_failed)
        print(plan.text)
        print(f"cost: {estimate_plan(plan, store).text}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is missing, then write the ranking; status 1 if a run failed."""
    args = parse_args(argv)
    from mmbnft.grid.grid import judge, run_benchmark
    from mmbnft.grid.store import ResultStore
    from mmbnft.grid.worker import WorkSettings

    trackers = trackers_of(args)
    benchmark = _benchmark(args)
    out = args.work_dir or Path("work_dirs") / (args.config.stem if args.config else benchmark.name)
    part = part_of(args)
    if args.dry_run:
        _show(benchmark, ResultStore(out / "results"), part, args.retry_failed)
        return 0
    settings = WorkSettings(out, args.device, args.retry_failed, args.loaders, args.keep_weights, args.val_interval)
    outcome = run_benchmark(benchmark, executor_of(args), settings, part)
    for sentence in judge(benchmark, outcome, out):
        say(sentence)
    for sentence in trackers.tell(benchmark.name, outcome.results, out):
        print(sentence)
    for line in outcome.failure_lines:
        print(line, file=sys.stderr)
    print(f"{outcome.executed} runs executed, {outcome.skipped} already done; results: {out / 'results'}")
    print(f"details: mmbnft results {'failures' if outcome.failures else 'list'} {out}")
    return 1 if outcome.failures else 0
