"""Options that several commands share, and how every command's help looks."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mmbnft.utils.cores import available_cores
from mmbnft.utils.errors import meant
from mmbnft.utils.overrides import DictAction

if TYPE_CHECKING:
    from mmbnft.grid.executors import Executor
    from mmbnft.grid.filters import Part
    from mmbnft.grid.tracking import Trackers

# What the names of options may be, spelt out because commands parse before they import what knows them.
PROTOCOLS = (
    "linear, linear_recalibrated, bn, bn_paper, bn_frozen_stats, bn_stats, linear_then_bn, finetune, "
    "linear_then_finetune, linear_then_finetune_batch_stats, bn_then_finetune, partial:K"
)
SCORES = "knn, nearest_class_mean, logme, nleep, hscore, transrate, sfda, gbc"
RECIPES = "clean, vpulab, ericsson, cdfsl"
DEVICES = "auto, cpu, cuda or cuda:N"


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help that keeps the description's lines and adds the default that an option's text does not say."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text, value = action.help or "", action.default
        plain = isinstance(value, (str, int, float, Path)) and not isinstance(value, bool)
        return (
            f"{text} (default: %(default)s)"
            if plain and value not in ("", argparse.SUPPRESS) and "default" not in text
            else text
        )


class _Parser(argparse.ArgumentParser):
    """Answers a mistake in one sentence, with the name that was meant where one is near."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        if choice := re.search(r"(.*invalid choice: '([^']*)')", message):
            known = {str(name) for action in self._actions for name in action.choices or ()}
            if near := meant(choice[2], known):
                message = choice[1] + near
        elif message.startswith("unrecognized arguments: "):
            message = f"unknown option {message.partition(': ')[2]}{meant(message.split()[2], self._all_options())}"
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")

    def _all_options(self) -> set[str]:
        """Its options and those of its sub-commands, whose unknown ones argparse leaves to the parser above."""
        found = {option for option in self._option_string_actions if option.startswith("--")}
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                found |= {option for parser in action.choices.values() for option in parser._option_string_actions}
        return found


def command_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser whose help shows examples as they are written, and defaults.

    Args:
        description: Docstring of the command's module.
    """
    return _Parser(description=description, formatter_class=_Help)


def sub_parser(commands: Any, name: str, what: str, **settings: Any) -> argparse.ArgumentParser:
    """A sub-command, with the same help.

    Args:
        commands: What `add_subparsers` gave.
        name: Of the sub-command.
        what: It does.
        **settings: As of `add_parser`.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=what, description=what, formatter_class=_Help, **settings
    )
    return parser


def add_overrides(parser: argparse._ActionsContainer) -> None:
    """`--cfg-options`."""
    parser.add_argument(
        "--cfg-options",
        "--cfg_options",
        nargs="+",
        action=DictAction,
        default={},
        metavar="K=V",
        help="override settings of the configuration, e.g. recipe.epochs=5",
    )


def add_part_options(parser: argparse.ArgumentParser) -> None:
    """Options that select the runs of a plan."""
    part = parser.add_argument_group("which runs")
    part.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME=A,B",
        help="run only part of the plan: checkpoint=, task= or protocol=",
    )
    part.add_argument("--shard", default="1/1", metavar="I/N", help="the I-th of N equal shards")
    part.add_argument(
        "--retry-failed",
        action="store_true",
        help="retry all failed runs, not only those of kind environment or memory",
    )
    part.add_argument(
        "--dry-run", action="store_true", help="print the plan, what is done and the cost, without running anything"
    )


def part_of(args: argparse.Namespace) -> "Part":
    """What `add_part_options` read."""
    from mmbnft.grid.filters import Part, Selection, Shard

    return Part(Selection.parse(args.only), Shard.parse(args.shard))


def add_place_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Where runs are executed; the group, for what else a command has to say of it."""
    where = parser.add_argument_group("where")
    where.add_argument("--executor", choices=("local", "ray"), default="local", help="local processes or a Ray cluster")
    where.add_argument(
        "--workers",
        type=int,
        default=available_cores(),
        metavar="N",
        help="local processes, one run each (default: number of cores, here %(default)s)",
    )
    where.add_argument(
        "--ray-address", metavar="HOST:PORT", help="Ray cluster to use (default: one started on this machine)"
    )
    where.add_argument("--cpus-per-run", type=float, default=1, metavar="N", help="CPUs per run on Ray")
    where.add_argument(
        "--gpus-per-run",
        type=float,
        default=0,
        metavar="N",
        help="GPUs per run on Ray; 0.5 shares one between two runs",
    )
    where.add_argument("--device", default="auto", help=DEVICES)
    return where


def executor_of(args: argparse.Namespace) -> "Executor":
    """What `add_place_options` read."""
    from mmbnft.grid.executors import LocalExecutor, RayExecutor

    if args.executor == "ray":
        return RayExecutor(args.ray_address, args.cpus_per_run, args.gpus_per_run)
    return LocalExecutor(args.workers)


def add_grid_tracking(parser: argparse.ArgumentParser) -> None:
    """Where a finished grid is told of."""
    add_tracking_options(
        parser,
        "Logged at the end; also to MLflow if the variable MLFLOW_TRACKING_URI is set.",
        wandb="a group in Weights & Biases: runs, table of results, report",
        tensorboard="curves and hparams table in WORK_DIR/tensorboard",
    )


def add_tracking_options(
    parser: argparse.ArgumentParser, description: str | None, *, wandb: str, tensorboard: str
) -> None:
    """Where what is finished is told of.

    Args:
        parser: Of the command.
        description: Of the group of options.
        wandb: What W&B is told.
        tensorboard: What TensorBoard is told, and where.
    """
    track = parser.add_argument_group("tracking", description)
    track.add_argument("--wandb", choices=["online", "offline", "off"], default="off", help=wandb)
    track.add_argument("--wandb-project", default="mmbnft", metavar="NAME", help="W&B project")
    track.add_argument("--tensorboard", action="store_true", help=tensorboard)


def trackers_of(args: argparse.Namespace) -> "Trackers":
    """What `add_grid_tracking` read."""
    from mmbnft.grid.tracking import Trackers

    return Trackers(args.wandb, args.wandb_project, args.tensorboard)
