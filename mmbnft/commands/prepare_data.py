"""Prepare a public dataset, or your own images, as a task for the other commands.

Examples:
mmbnft prepare-data folder --images PHOTOS --name mine
mmbnft prepare-data dtd --download

mmbnft prepare-data NAME --help shows the options of NAME.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmbnft.commands._options import command_parser, sub_parser
from mmbnft.tasks.preparers.titles import TITLES

OWN = {"folder": "your own images in folders, or named by lists", "csv": "your own images named by a CSV file",
       "npz": "arrays of images, as MedMNIST publishes them",
       "parquet": "parquet files with images in them, as the Hugging Face Hub keeps them"}  # fmt: skip


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """One sub-command a data set, and `folder`, `csv`, `npz` and `parquet` for your own images."""
    parser = command_parser(__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="NAME")
    for name, title in sorted(TITLES.items()):
        command = sub_parser(commands, name, title)
        command.add_argument(
            "--archive", nargs="+", type=Path, default=[], metavar="PATH", help="downloaded archives or folders"
        )
        command.add_argument("--download", action="store_true", help="download archives that need no form")
        _add_common(command)
    for name, title in OWN.items():
        own = sub_parser(commands, name, title)
        _add_source(own, name)
        _add_own(own)
        _add_common(own)
    return parser.parse_args(argv)


def _add_source(command: argparse.ArgumentParser, name: str) -> None:
    """Where the images are."""
    if name != "folder":
        what = "the .parquet file, or a folder of them" if name == "parquet" else f"the .{name} file"
        command.add_argument("--file", type=Path, required=True, metavar="FILE", help=what)
    if name != "npz":
        command.add_argument("--label-column", metavar="TITLE", help="name of the label column (default: detected)")
    if name in ("csv", "parquet"):
        command.add_argument(
            "--label-separator",
            metavar="TEXT",
            help="separator of several labels in one cell; '' for none (default: detected)",
        )
    if name == "csv":
        command.add_argument(
            "--images", type=Path, metavar="DIR", help="image folder (default: the folder of the file)"
        )
    if name == "folder":
        command.add_argument("--images", type=Path, required=True, metavar="DIR", help="image folder")
        command.add_argument(
            "--lists",
            nargs="+",
            type=Path,
            default=[],
            help="list files: one with all images, or train test, or train val test",
        )
    if name in ("folder", "csv"):
        command.add_argument(
            "--groups", type=Path, metavar="FILE", help="file of 'NAME GROUP' lines; a group stays in one split"
        )


def _add_own(command: argparse.ArgumentParser) -> None:
    """How images are checked and divided."""
    command.add_argument("--name", required=True, help="name of the task")
    command.add_argument(
        "--metric", help="top1, mean_per_class, roc_auc or map11 (default: top1, roc_auc for multi-label tasks)"
    )
    command.add_argument("--seed", type=int, default=0, help="seed of the random split (default: 0)")
    command.add_argument("--skip-damaged", action="store_true", help="leave out images that do not decode")
    command.add_argument(
        "--min-images", type=int, default=1, metavar="N", help="leave out classes with fewer images (default: 1)"
    )


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--root", type=Path, default=Path("data"), help="folder of all datasets (default: data)")
    command.add_argument(
        "--check", action="store_true", help="decode every image again and look for duplicates across splits"
    )


def prepare_images(arguments: argparse.Namespace) -> list[str]:
    """Prepare your own images; what to tell about them."""
    from mmbnft.tasks.preparers import OwnData, prepare_own
    from mmbnft.tasks.preparers.summary import balance_lines, summary_lines

    given = vars(arguments)
    is_table = arguments.command == "csv"
    data = OwnData(
        images=given.get("images") or (arguments.file.parent if is_table else arguments.file),
        name=arguments.name,
        lists=tuple(given.get("lists", ())),
        groups=given.get("groups"),
        metric=arguments.metric,
        seed=arguments.seed,
        table=arguments.file if is_table else None,
        arrays=arguments.command == "npz",
        parquet=arguments.file if arguments.command == "parquet" else None,
        label_column=given.get("label_column"),
        separator=given.get("label_separator"),
        skip_damaged=arguments.skip_damaged,
        min_images=arguments.min_images,
    )
    prepared = prepare_own(data, arguments.root, arguments.check, tell=show)
    return summary_lines(prepared) + balance_lines(prepared) + _leakage(prepared.folder)


def show(lines: list[str]) -> None:
    """Print lines at once."""
    if lines:
        print("\n".join(lines), flush=True)


def prepare_public(arguments: argparse.Namespace) -> list[str]:
    """Prepare a public data set; what to tell about it."""
    from mmbnft.tasks.preparers import build_preparer, prepare
    from mmbnft.tasks.preparers.summary import summary_lines

    preparer = build_preparer(arguments.command)
    prepared = prepare(preparer, arguments.root, arguments.archive, arguments.download, arguments.check)
    lines = summary_lines(prepared)
    return lines + _leakage(prepared.folder) if arguments.check else lines


def _leakage(folder: Path) -> list[str]:
    from mmbnft.tasks.duplicates import check_leakage
    from mmbnft.tasks.preparers.summary import leakage_lines

    return leakage_lines(check_leakage(folder))


def main(argv: Sequence[str] | None = None) -> int:
    """Prepare, then say what is there."""
    arguments = parse_arguments(argv)
    show(prepare_images(arguments) if arguments.command in OWN else prepare_public(arguments))
    return 0
