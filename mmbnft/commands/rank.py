"""Rank checkpoints, measure how far proxies can be trusted, and write a report.

Example: mmbnft rank work_dirs/quickstart --out report/
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmbnft.commands._options import command_parser
from mmbnft.utils.command import say, this_command
from mmbnft.utils.shipped import find_shipped


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and write the report."""
    args = _parser().parse_args(argv)
    from mmbnft.ranking import rank_sources

    report = rank_sources(**vars(args), made=this_command())
    for sentence in report.summary:
        say(sentence)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(__doc__)
    _add_values(parser)
    _add_judgement(parser)
    return parser


def _add_values(parser: argparse.ArgumentParser) -> None:
    """Add what the values are, and where they come from."""
    parser.add_argument(
        "sources",
        nargs="+",
        type=find_shipped,
        metavar="SOURCE",
        help="folder of a benchmark or of results, archive, or CSV file",
    )
    parser.add_argument("--target", help="protocol to predict (default: finetune, if the sources have it)")
    parser.add_argument(
        "--proxies", nargs="+", metavar="NAME", help="protocols to use as proxies (default: all others)"
    )
    parser.add_argument("--target-from", type=find_shipped, metavar="FILE", help="CSV file with published targets")
    parser.add_argument(
        "--past",
        nargs="+",
        type=Path,
        default=Path("work_dirs"),
        metavar="FOLDER",
        help="past results to judge the proxies by if SOURCE has no target (default: all in work_dirs, if any)",
    )
    parser.add_argument(
        "--wide", metavar="PROTOCOL", help="CSV files have one column per task, with values of PROTOCOL"
    )
    parser.add_argument(
        "--metric-scale",
        default="auto",
        choices=("auto", "percent", "fraction"),
        help="scale of values in CSV files that do not state it (default: auto, a guess that is reported)",
    )
    parser.add_argument(
        "--lower-is-better",
        nargs="+",
        default=[],
        metavar="NAME",
        help="protocols whose values are losses or error rates",
    )


def _add_judgement(parser: argparse.ArgumentParser) -> None:
    """Add how proxies are judged, and where the report goes."""
    parser.add_argument("--out", type=Path, default=Path("ranking"), help="output folder (default: ranking)")
    parser.add_argument(
        "--margin",
        type=float,
        default=0.1,
        help="Kendall's tau that a cheaper proxy may lose and still be recommended (default: 0.1)",
    )
    parser.add_argument(
        "--ignore",
        nargs="+",
        default=[],
        metavar="CODE",
        help="checks not to report, e.g. MB301 (the report explains each)",
    )
    parser.add_argument(
        "--catalogue", default="", metavar="FILE", help="TOML or JSON file that names your own checkpoints"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of every resample (default: 0)")
    parser.add_argument("--resamples", type=int, default=10_000, help="bootstrap resamples (default: 10000)")
