"""Pre-train the small checkpoints, or evaluate them on held-out tasks.

Example: mmbnft pretrain configs/pretrain/simclr.py --data pictures.npz
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmbnft.commands._options import command_parser
from mmbnft.utils.errors import UserError
from mmbnft.utils.shipped import find_shipped


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_parser(__doc__)
    parser.add_argument("config", nargs="*", type=Path, help="configuration files of configs/pretrain")
    parser.add_argument("--all", action="store_true", help="every configuration of configs/pretrain")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("pretrained_models/tiny"),
        help="folder of the checkpoints; its name begins their ids",
    )
    parser.add_argument("--data", type=Path, help="images: FILE.npz, or the Caltech-101 folder 101_ObjectCategories")
    parser.add_argument("--epochs", type=int, help="number of epochs, instead of the configuration's")
    parser.add_argument("--workers", type=int, default=0, help="data-loading processes")
    parser.add_argument(
        "--work-dir", type=Path, default=Path("work_dirs/pretrain"), help="folder for the state of unfinished runs"
    )
    parser.add_argument("--resume", action="store_true", help="continue unfinished runs, skip finished ones")
    parser.add_argument("--evaluate", action="store_true", help="evaluate the checkpoints of --out instead of training")
    parser.add_argument("--task", nargs="+", type=Path, default=[], help="held-out tasks for --evaluate: FILE.npz ...")
    parser.add_argument("--splits", type=int, default=5, help="random splits per task for --evaluate")
    parser.add_argument("--inits", type=int, default=5, help="random-weight networks for --evaluate")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    arguments = parse_arguments(argv)
    from mmbnft.pretraining import recipe_series

    if arguments.evaluate:
        print(recipe_series.evaluate(find_shipped(arguments.out), arguments.task, arguments.splits, arguments.inits))
        return 0
    configs = sorted(find_shipped("configs/pretrain").glob("*.py")) if arguments.all else arguments.config
    if arguments.data is None:
        raise UserError("--data is missing; give an .npz file of pictures or the Caltech-101 folder")
    recipe_series.pretrain(
        configs,
        arguments.data,
        out=arguments.out,
        work_dir=arguments.work_dir,
        epochs=arguments.epochs,
        workers=arguments.workers,
        resume=arguments.resume,
    )
    return 0
