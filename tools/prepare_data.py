"""Prepare a public data set, or your own images, as a task that every other command can use."""

import argparse
import sys
from pathlib import Path

from mmbnft.tasks.duplicates import check_leakage
from mmbnft.tasks.preparers import PREPARERS, OwnData, build_preparer, prepare, prepare_own
from mmbnft.tasks.preparers.summary import leakage_lines, own_lines, summary_lines
from mmbnft.utils.command import run_command


def parse_arguments() -> argparse.Namespace:
    """One sub-command a data set, and `folder` for your own images."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, preparer in sorted(PREPARERS.items()):
        command = commands.add_parser(name, help=preparer.facts.title)
        command.add_argument("--archive", nargs="+", type=Path, default=[], metavar="PATH", help="archives or folders")
        command.add_argument("--download", action="store_true", help="fetch what is published without a form")
        _add_common(command)
    own = commands.add_parser("folder", help="your own images")
    own.add_argument("--images", type=Path, required=True, metavar="DIR", help="image folder")
    own.add_argument("--name", dest="task", required=True, help="name of the task")
    own.add_argument("--lists", nargs="+", type=Path, default=[], help="all, or train test, or train val test")
    own.add_argument("--groups", type=Path, metavar="FILE", help="'NAME GROUP' lines: a group is not divided")
    own.add_argument("--metric", default="top1", help="top1, mean_per_class or roc_auc (default: top1)")
    own.add_argument("--seed", type=int, default=0, help="seed of the draw (default: 0)")
    _add_common(own)
    return parser.parse_args()


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--root", type=Path, default=Path("data"), help="folder of all data sets (default: data)")
    command.add_argument(
        "--check", action="store_true", help="decode every image again and look for duplicates across splits"
    )


def prepare_folder(arguments: argparse.Namespace) -> list[str]:
    """Prepare your own images; what to tell about them."""
    lists = tuple(arguments.lists)
    data = OwnData(arguments.images, arguments.task, lists, arguments.groups, arguments.metric, arguments.seed)
    prepared = prepare_own(data, arguments.root, arguments.check)
    return summary_lines(prepared) + own_lines(data, prepared) + leakage_lines(check_leakage(prepared.folder))


def prepare_public(arguments: argparse.Namespace) -> list[str]:
    """Prepare a public data set; what to tell about it."""
    preparer = build_preparer(arguments.name)
    prepared = prepare(preparer, arguments.root, arguments.archive, arguments.download, arguments.check)
    lines = summary_lines(prepared)
    return lines + leakage_lines(check_leakage(prepared.folder)) if arguments.check else lines


def main() -> int:
    """Prepare, then say what is there."""
    arguments = parse_arguments()
    lines = prepare_folder(arguments) if arguments.name == "folder" else prepare_public(arguments)
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
