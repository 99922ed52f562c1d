"""Adapt one checkpoint to one task by one protocol and evaluate it once on test."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from mmbnft.utils.overrides import DictAction
from mmbnft.zoo.options import add_checkpoint_options, stated_options


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; the published code's spellings work too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, help="configuration file")
    parser.add_argument(
        "--work-dir", "--work_dir", type=Path, help="for results and state; default work_dirs/FOLDER/CONFIG"
    )
    parser.add_argument("--cfg-options", "--cfg_options", nargs="+", action=DictAction, default={}, metavar="K=V",
                        help="override settings, e.g. recipe.epochs=5 load_from=FILE")  # fmt: skip
    parser.add_argument("--checkpoint", help="catalogue id, weight file, or 'random'")
    add_checkpoint_options(parser)
    parser.add_argument("--protocol", help="protocol, e.g. linear, bn, finetune, or score, e.g. knn")
    parser.add_argument("--recipe", help="named recipe in the place of the file's, e.g. clean, vpulab, ericsson")
    parser.add_argument("--split", type=int, help="number of the official split")
    parser.add_argument("--seed", type=int, help="seed of head, order and augmentation")
    parser.add_argument("--restart", action="store_true", help="start anew what the work dir has unfinished")
    parser.add_argument("--resume", action="store_true", help=argparse.SUPPRESS)  # what happens anyway
    parser.add_argument("--cache", type=Path, help="folder that keeps decoded images for this and other runs")
    parser.add_argument("--workers", type=int, help="data-loading processes (default: as many as the data are worth)")
    parser.add_argument("--cache-limit", type=float, default=20.0, metavar="GIB", help="of the cache (default: 20)")
    parser.add_argument("--save-memory", action="store_true", help="keep fewer activations, for a little time")
    parser.add_argument("--val-interval", type=int, default=0, metavar="N", help="evaluate on val every N epochs too")
    parser.add_argument("--keep-weights", choices=["none", "all"], default="all", help="default: all")
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm"], default="none")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--wandb", choices=["auto", "online", "offline", "off"], help="default: offline")
    parser.add_argument("--wandb-project", "--wandb_project")
    parser.add_argument("--wandb-run-name", "--wandb_run_name")
    parser.add_argument("--tensorboard", action="store_true", default=None, help="write TensorBoard files")
    parser.add_argument("--local-rank", "--local_rank", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Load the configuration, run, print a summary."""
    args = parse_args(argv)
    from mmbnft.evaluation.run import RunOptions
    from mmbnft.evaluation.run_spec import load_config, spec_from_config
    from mmbnft.evaluation.single import run_single
    from mmbnft.evaluation.tracking import Tracking
    from mmbnft.utils.processes import Processes

    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    config = load_config(args.config, args.cfg_options, args.recipe)
    names = ("checkpoint", "protocol", "split", "seed")
    config.merge_from_dict({name: value for name in names if (value := getattr(args, name)) is not None})
    config.merge_from_dict({f"stated.{name}": value for name, value in stated_options(args).items()})
    options = {"wandb": args.wandb, "project": args.wandb_project, "name": args.wandb_run_name,
               "tensorboard": args.tensorboard}  # fmt: skip
    tracking = dict(config.get("tracking", {})) | {k: v for k, v in options.items() if v is not None}
    work_dir = args.work_dir or Path(
        config.get("work_dir") or Path("work_dirs") / args.config.parent.name / args.config.stem
    )
    how = RunOptions(
        work_dir,
        resume=not args.restart,
        save_memory=args.save_memory,
        cache=args.cache,
        cache_limit=int(args.cache_limit * 2**30),
        workers=args.workers,
        val_interval=args.val_interval,
        keep_weights=args.keep_weights == "all",
    )
    spec = spec_from_config(config)
    result, path = run_single(spec, how, Tracking.from_config(tracking), args.launcher, args.device)
    if Processes.current().is_main:
        if remark := result.details["config"]["recipe"]["remark"]:
            print(f"recipe {result.recipe}: {remark}")
        trainable = ", ".join(f"{c['values']:,} of {c['of']:,}" for c in result.details["trainable"])
        value = f"{result.evaluated_on} {result.metric} {result.shown_value}"
        print(f"{result.checkpoint}  {result.task}  {result.protocol}: {value}")
        print(f"trained {trainable} backbone parameters in {result.cost['seconds']:.1f} s; result: {path}")
    return 0
