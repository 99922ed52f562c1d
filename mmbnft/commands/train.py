"""Adapt one checkpoint to one task with one protocol and evaluate it once on test.

Example: mmbnft train configs/digits/tiny18.py --protocol bn --checkpoint tiny-simclr
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from mmbnft.commands._options import DEVICES, PROTOCOLS, RECIPES, SCORES, add_overrides, command_parser
from mmbnft.zoo.options import add_checkpoint_options, stated_options


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; the published code's spellings work too."""
    parser = command_parser(__doc__)
    parser.add_argument("config", type=Path, help="configuration file")
    add_overrides(parser)
    parser.add_argument(
        "--work-dir",
        "--work_dir",
        type=Path,
        metavar="DIR",
        help="folder for results and state (default: work_dirs/FOLDER/CONFIG)",
    )
    what = parser.add_argument_group("what to run, instead of the configuration's")
    what.add_argument("--checkpoint", metavar="NAME", help="id, file, timm:NAME ..., or 'random'")
    what.add_argument("--protocol", metavar="NAME", help=f"{PROTOCOLS}, or a score: {SCORES}")
    what.add_argument("--recipe", metavar="NAME", help=RECIPES)
    what.add_argument("--split", type=int, metavar="N", help="number of the official split, or seed of a random one")
    what.add_argument("--seed", type=int, help="seed of head, data order and augmentation")
    add_checkpoint_options(parser.add_argument_group("about a weight file given as a path"))
    _add_execution_options(parser)
    _add_tracking_options(parser)
    parser.add_argument("--local-rank", "--local_rank", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def _add_execution_options(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how")
    how.add_argument(
        "--restart", action="store_true", help="restart an unfinished run in the work dir (default: resume it)"
    )
    how.add_argument("--resume", action="store_true", help=argparse.SUPPRESS)  # what happens anyway
    how.add_argument("--device", default="auto", help=DEVICES)
    how.add_argument(
        "--launcher",
        choices=["none", "pytorch", "slurm"],
        default="none",
        help="several processes, started by torchrun (pytorch) or srun (slurm)",
    )
    how.add_argument(
        "--workers", type=int, metavar="N", help="data-loading processes (default: depends on the size of the data)"
    )
    how.add_argument("--cache", type=Path, metavar="DIR", help="cache decoded images here for this and other runs")
    how.add_argument("--cache-limit", type=float, default=20.0, metavar="GIB", help="size limit of the cache")
    how.add_argument("--save-memory", action="store_true", help="keep fewer activations, at a small cost in time")
    how.add_argument("--val-interval", type=int, default=0, metavar="N", help="also evaluate on val every N epochs")
    how.add_argument(
        "--keep-weights", choices=["none", "all"], default="all", help="keep the adapted network in weights/"
    )


def _add_tracking_options(parser: argparse.ArgumentParser) -> None:
    track = parser.add_argument_group(
        "tracking", "The finished run is also logged to MLflow if the variable MLFLOW_TRACKING_URI is set."
    )
    track.add_argument(
        "--wandb",
        choices=["auto", "online", "offline", "off"],
        help="Weights & Biases (default: auto, which is offline unless WANDB_MODE says otherwise)",
    )
    track.add_argument("--wandb-project", "--wandb_project", metavar="NAME", help="W&B project (default: mmbnft)")
    track.add_argument("--wandb-run-name", "--wandb_run_name", metavar="NAME", help="default: checkpoint/protocol/seed")
    track.add_argument(
        "--tensorboard",
        action="store_true",
        default=None,
        help="curves of every trial and the hparams table in WORK_DIR/tensorboard",
    )


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
    options = {
        "wandb": args.wandb,
        "project": args.wandb_project,
        "name": args.wandb_run_name,
        "tensorboard": args.tensorboard,
    }
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
