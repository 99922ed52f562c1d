"""Adapt checkpoints to few-shot episodes and compare methods.

Example: mmbnft few-shot configs/few_shot/quickstart.py --k-shot 1 5
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmbnft.commands._options import (
    add_grid_tracking,
    add_overrides,
    add_part_options,
    add_place_options,
    command_parser,
    executor_of,
    part_of,
    trackers_of,
)
from mmbnft.utils.errors import UserError
from mmbnft.zoo.options import add_checkpoint_options, stated_options


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_parser(__doc__)
    parser.add_argument("config", type=Path, nargs="?", help="few-shot configuration")
    add_overrides(parser)
    parser.add_argument("--work-dir", "--work_dir", type=Path, metavar="DIR", help="default: work_dirs/CONFIG")
    parser.add_argument(
        "--table",
        type=Path,
        nargs="+",
        metavar="RESULTS",
        help="only print the tables of these results folders or archives; with --work-dir, write them there too",
    )
    own = parser.add_argument_group("overrides of the configuration")
    own.add_argument("--n-way", type=int, metavar="N", help="classes per episode")
    own.add_argument(
        "--k-shot",
        type=int,
        nargs="+",
        metavar="K",
        help="support images per class; several numbers make several settings",
    )
    own.add_argument("--queries", type=int, metavar="Q", help="query images per class")
    own.add_argument("--episodes", type=int, metavar="N", help="test episodes")
    own.add_argument("--validation", type=int, metavar="N", help="validation episodes for choosing settings")
    own.add_argument("--seed", type=int, help="seed of the episodes")
    own.add_argument("--checkpoints", nargs="+", metavar="NAME", help="ids, files, timm:NAME ..., group:NAME, random")
    own.add_argument(
        "--methods", nargs="+", metavar="NAME", help="nearest_mean, logistic, linear, bn, bn_paper, finetune ..."
    )
    own.add_argument("--task", nargs="+", help="prepared folders, array files (FILE.npz), or digits, glyphs ...")
    own.add_argument(
        "--manifests",
        type=Path,
        metavar="DIR",
        help="folder of episode manifests to share between benchmarks (default: manifests in the work dir)",
    )
    add_checkpoint_options(parser.add_argument_group("about weight files given as paths"))
    add_part_options(parser)
    add_grid_tracking(parser)
    add_place_options(parser)
    return parser.parse_args(argv)


def overrides(args: argparse.Namespace) -> dict[str, object]:
    """What the options say of the configuration's `few_shot`."""
    from mmbnft.grid.plan import task_config

    found = {f"episodes.{name}": getattr(args, name) for name in ("n_way", "queries", "episodes", "validation", "seed")}
    found |= {"shots": args.k_shot, "checkpoints": args.checkpoints, "methods": args.methods}
    found |= {f"stated.{name}": value for name, value in stated_options(args).items()}
    found["tasks"] = [task_config(text) for text in args.task] if args.task else None
    return {f"few_shot.{name}": value for name, value in found.items() if value is not None}


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is missing, then write the tables; status 1 if a run failed."""
    args = parse_args(argv)
    from mmbnft.fewshot.report import summary, write_report
    from mmbnft.result_files import read_results

    if args.table:
        found = [result for folder in args.table for result in read_results(folder)]
        print(write_report(found, args.work_dir and args.work_dir / "few_shot.md"))
        return 0
    if args.config is None:
        raise UserError("no configuration given; name one of configs/few_shot, or results with --table")
    from mmbnft.evaluation.run_spec import load_config
    from mmbnft.grid.episode_jobs import FewShotBenchmark, plan_episodes, run_few_shot
    from mmbnft.grid.grid import estimate_plan, open_jobs
    from mmbnft.grid.store import ResultStore
    from mmbnft.grid.worker import WorkSettings

    config = load_config(args.config, {**args.cfg_options, **overrides(args)})
    benchmark = FewShotBenchmark.from_config(config)
    out = args.work_dir or Path("work_dirs") / args.config.stem
    part, trackers = part_of(args), trackers_of(args)
    if args.dry_run:
        store = ResultStore(out / "results")
        jobs = plan_episodes(benchmark, args.manifests or out / "manifests")
        plan = open_jobs(jobs, store, part, args.retry_failed)
        print(f"{plan.text}\ncost: {estimate_plan(plan, store).text}")
        return 0
    settings = WorkSettings(out, args.device, args.retry_failed)
    outcome = run_few_shot(benchmark, executor_of(args), settings, part, args.manifests)
    for line in outcome.failure_lines:
        print(line, file=sys.stderr)
    write_report(outcome.results, out / "few_shot.md")
    print(summary(outcome.results))
    for sentence in trackers.tell(benchmark.name, outcome.results, out):
        print(sentence)
    print(f"\n{outcome.executed} runs executed, {outcome.skipped} already done; results: {out / 'results'}")
    print(f"tables with intervals and comparisons: {out / 'few_shot.md'}")
    return 1 if outcome.failures else 0
