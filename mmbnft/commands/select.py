"""Find the checkpoint that fine-tunes best within a budget, and fine-tune it.

Example: mmbnft select --task data/NAME --checkpoints A B C --budget 30%
How short runs can be before the order is lost, from stored results: mmbnft select --shortest work_dirs/NAME
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmbnft.commands._options import RECIPES, add_overrides, add_place_options, command_parser, executor_of
from mmbnft.utils.errors import UserError
from mmbnft.zoo.options import add_checkpoint_options, stated_options

if TYPE_CHECKING:
    from mmbnft.select.past import Table
    from mmbnft.select.past_tables import Known
    from mmbnft.select.runs import RaceRuns

PROXIES = ("knn", "logme", "linear")
# Expensive proxies, each run for all checkpoints only if past tasks show that it pays off.
RUNGS = ("bn",)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_parser(__doc__)
    parser.add_argument("--task", help="folder of a prepared task, array file, or digits ...")
    parser.add_argument(
        "--checkpoints", nargs="+", default=[], metavar="NAME", help="ids, files, timm:NAME, group:NAME"
    )
    parser.add_argument("--budget", help="2h, 90min, 40runs, or 30%% of fine-tuning all")
    parser.add_argument("--regret", type=float, default=0.5, metavar="POINTS", help="acceptable regret in points")
    parser.add_argument("--target", default="finetune", metavar="NAME", help="protocol to select for")
    parser.add_argument(
        "--proxies",
        nargs="*",
        default=list(PROXIES),
        metavar="NAME",
        help="cheap scores and protocols to run for all (default: knn logme linear)",
    )
    parser.add_argument(
        "--past", type=Path, nargs="+", metavar="FOLDER", help="results on other tasks (default: all in work_dirs)"
    )
    parser.add_argument("--recipe", default="clean", metavar="NAME", help=RECIPES)
    add_overrides(parser)
    parser.add_argument(
        "--work-dir", "--work_dir", "--out", type=Path, metavar="DIR", help="default: work_dirs/select_TASK"
    )
    parser.add_argument("--shortest", type=Path, metavar="FOLDER", help="judge short runs from stored results instead")
    add_checkpoint_options(parser.add_argument_group("about weight files given as paths"))
    add_place_options(parser)
    return parser.parse_args(argv)


def _check(args: argparse.Namespace) -> None:
    for name in ("task", "checkpoints", "budget"):
        if not getattr(args, name):
            raise UserError(f"--{name} is missing; a selection needs --task, --checkpoints and --budget")
    if not args.regret > 0:
        raise UserError(f"--regret must be more than 0 points, got {args.regret:g}; 0.5 is usual")


def _runs(args: argparse.Namespace, tables: "Sequence[Table]") -> "RaceRuns":
    from mmbnft.grid.request import benchmark_of
    from mmbnft.select.runs import RaceRuns

    if args.target in args.proxies:
        raise UserError(f"{args.target!r} is the target and cannot be a proxy too; leave it out of --proxies")
    told = {name for table in tables for name in table.protocols}
    rungs = [name for name in RUNGS if name in told and name not in (*args.proxies, args.target)]
    protocols = [*args.proxies, *rungs, args.target]
    benchmark = benchmark_of(
        [args.task], args.checkpoints, protocols, args.recipe, args.target, args.cfg_options, stated_options(args)
    )
    return RaceRuns.plan(benchmark, rungs)


def _folders(args: argparse.Namespace) -> list[Path]:
    """Of past results: those that were named, or all of this place but the selection's own."""
    found = [folder.parent for folder in sorted(Path("work_dirs").glob("*/results"))]
    return args.past or [folder for folder in found if folder != args.work_dir]


def _tables(args: argparse.Namespace) -> "list[Table]":
    from mmbnft.select.past_tables import shipped_tables, store_tables

    return [*store_tables(_folders(args), args.target), *shipped_tables(target=args.target).values()]


def _known(args: argparse.Namespace, tables: "Sequence[Table]", runs: "RaceRuns") -> "Known":
    from mmbnft.select.past_tables import Known, related, stored_curves

    others = [table.without(runs.task) for table in tables]
    curves, tasks = stored_curves(_folders(args), runs.target, runs.task)
    return Known(related([table for table in others if table.tasks], runs.checkpoints), curves, tasks)


def _given(args: argparse.Namespace, argv: Sequence[str] | None) -> list[str]:
    """The command without its budget and regret, to be given again with others."""
    words, kept, skip = list(sys.argv[1:] if argv is None else argv), ["mmbnft", "select"], False
    for word in words:
        name = word.partition("=")[0]
        if skip or name in ("--budget", "--regret"):
            skip = not skip and "=" not in word
            continue
        kept.append(shlex.quote(word))
    return kept


def main(argv: Sequence[str] | None = None) -> int:
    """Select, or judge how short training runs may be; status 1 if the pick could not be evaluated."""
    args = parse_args(argv)
    if args.shortest is not None:
        return _shortest(args)
    _check(args)
    from mmbnft.grid.store import storing
    from mmbnft.select.budget import Budget
    from mmbnft.select.driver import Selection
    from mmbnft.select.page import content, page, sentences
    from mmbnft.select.race import Rules
    from mmbnft.utils import files

    budget = Budget.parse(args.budget)
    tables = _tables(args)
    runs = _runs(args, tables)
    out = args.work_dir or Path("work_dirs") / f"select_{runs.task}"
    rules = Rules(regret=args.regret, shares=runs.shares)
    known = _known(args, tables, runs)
    found = Selection(runs, rules, budget, known, out, executor_of(args), args.device, args.workers).run()
    extended = budget.extended(found.spent, found.further.share if found.further else 0.0, len(runs.checkpoints))
    told = sentences(found, _given(args, argv), extended, args.regret)
    with storing(out):
        files.write_text(out / "selection.html", page(found, told, args.regret))
        files.write_text(out / "selection.json", content(found, told))
    for sentence in told:
        print(sentence)
    print(f"page: {out / 'selection.html'}")
    return 0 if found.final is not None and found.final.status == "ok" else 1


def _shortest(args: argparse.Namespace) -> int:
    from mmbnft.select.shortest import shortest_of

    for line in shortest_of(args.shortest, args.target):
        print(line)
    return 0
