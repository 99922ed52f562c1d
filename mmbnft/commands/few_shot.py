"""Adapt checkpoints to many small problems and compare methods."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmbnft.utils.cores import available_cores
from mmbnft.utils.errors import UserError
from mmbnft.utils.overrides import DictAction
from mmbnft.zoo.options import add_checkpoint_options, stated_options


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, nargs="?", help="few-shot configuration")
    parser.add_argument("--work-dir", "--work_dir", type=Path, help="default work_dirs/CONFIG")
    parser.add_argument("--n-way", type=int, help="classes of an episode")
    parser.add_argument("--k-shot", type=int, nargs="+", help="support images of a class, one setting for each number")
    parser.add_argument("--queries", type=int, help="query images of a class")
    parser.add_argument("--episodes", type=int, help="test episodes")
    parser.add_argument("--validation", type=int, help="validation episodes, to choose on")
    parser.add_argument("--seed", type=int, help="seed of the episodes")
    parser.add_argument("--checkpoints", nargs="+", help="catalogue ids, weight files, random, group:NAME")
    add_checkpoint_options(parser)
    parser.add_argument("--methods", nargs="+", help="nearest_mean, logistic, linear, bn, bn_paper, finetune ...")
    parser.add_argument("--task", nargs="+", help="prepared folders, array files (FILE.npz), or digits, glyphs ...")
    parser.add_argument("--manifests", type=Path, help="folder of episodes to share between benchmarks")
    part = parser.add_argument_group("which runs")
    part.add_argument("--only", nargs="+", default=[], metavar="NAME=A,B", help="checkpoint=, task= or protocol=")
    part.add_argument("--shard", default="1/1", metavar="I/N", help="the I-th of N even shares")
    part.add_argument(
        "--retry-failed", action="store_true", help="run all failed runs again, not only those that the machine spoilt"
    )
    part.add_argument(
        "--dry-run", action="store_true", help="draw missing episodes, print the plan, what is done and the cost"
    )
    where = parser.add_argument_group("where")
    where.add_argument("--executor", choices=("local", "ray"), default="local", help="local processes or a Ray cluster")
    where.add_argument("--workers", type=int, default=available_cores(), help="local processes (default: cores)")
    where.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--table", type=Path, nargs="+", metavar="RESULTS", help="only print tables of results folders")
    parser.add_argument("--cfg-options", "--cfg_options", nargs="+", action=DictAction, default={}, metavar="K=V")
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
    from mmbnft.results import read_results

    if args.table:
        print(write_report([result for folder in args.table for result in read_results(folder)]))
        return 0
    if args.config is None:
        raise UserError("no configuration given; name one of configs/few_shot, or results with --table")
    from mmbnft.evaluation.run_spec import load_config
    from mmbnft.grid.episode_jobs import FewShotBenchmark, plan_episodes, run_few_shot
    from mmbnft.grid.executors import LocalExecutor, RayExecutor
    from mmbnft.grid.filters import Part, Selection, Shard
    from mmbnft.grid.grid import estimate_plan, open_jobs
    from mmbnft.grid.store import ResultStore
    from mmbnft.grid.worker import WorkSettings

    config = load_config(args.config, {**args.cfg_options, **overrides(args)})
    benchmark = FewShotBenchmark.from_config(config)
    out = args.work_dir or Path("work_dirs") / args.config.stem
    part = Part(Selection.parse(args.only), Shard.parse(args.shard))
    if args.dry_run:
        store = ResultStore(out / "results")
        jobs = plan_episodes(benchmark, args.manifests or out / "manifests")
        plan = open_jobs(jobs, store, part, args.retry_failed)
        print(f"{plan.text}\ncost: {estimate_plan(plan, store).text}")
        return 0
    executor = LocalExecutor(args.workers) if args.executor == "local" else RayExecutor(None)
    settings = WorkSettings(out, args.device, args.retry_failed)
    outcome = run_few_shot(benchmark, executor, settings, part, args.manifests)
    for failure in outcome.failures:
        print(f"failed: {failure.checkpoint} {failure.task} {failure.protocol}: {failure.reason}", file=sys.stderr)
    write_report(outcome.results, out / "few_shot.md")
    print(summary(outcome.results))
    print(f"\n{outcome.executed} runs executed, {outcome.skipped} found done; results: {out / 'results'}")
    print(f"tables with intervals and comparisons: {out / 'few_shot.md'}")
    return 1 if outcome.failures else 0
