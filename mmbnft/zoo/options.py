"""The command-line options that state what a weight file is; shared by all commands."""

import argparse
from typing import Any

from mmbnft.zoo.architecture import POOLINGS

_NAMES = ("format", "mean", "std", "branch", "network", "pooling", "catalogue", "allow_partial")


def add_checkpoint_options(parser: argparse._ActionsContainer) -> None:
    """Add the options about weight files that a path names: `--format`, `--mean`, `--std`, `--branch`, `--network` ...

    Args:
        parser: A parser, or a group of one.
    """
    parser.add_argument("--format", metavar="ID", help="format of the weight file, or catalogue id to check it against")
    for name, what in (("--mean", "mean"), ("--std", "standard deviation")):
        parser.add_argument(name, type=float, nargs=3, metavar=("R", "G", "B"), help=f"{what} that its inputs are "
                            "normalised with, on a 0..1 scale")  # fmt: skip
    parser.add_argument("--branch", default="", metavar="NAME", help="which backbone to read if the file has several")
    parser.add_argument(
        "--network",
        default="",
        metavar="NAME",
        help="timm:NAME, torchvision:NAME, mmcls:TYPE, resnet50 ...",
    )
    parser.add_argument(
        "--pooling", choices=POOLINGS, default="", help="features from tokens: class token, mean of patches, or both"
    )
    parser.add_argument("--catalogue", default="", metavar="FILE", help="TOML or JSON catalogue of your own files")
    parser.add_argument(
        "--allow-partial", action="store_true", help="accept an incomplete checkpoint and mark its results"
    )


def stated_options(args: argparse.Namespace) -> dict[str, Any]:
    """What the command line states, by the names of a configuration's `stated`."""
    found = {name: getattr(args, name) for name in _NAMES}
    return {name: value for name, value in found.items() if value}
