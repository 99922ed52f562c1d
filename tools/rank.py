"""Judge how far proxies can be trusted to rank checkpoints, and write a report.

Example: python tools/rank.py results/ --target finetune --out report/
"""

import argparse
import sys
from pathlib import Path

from mmbnft.ranking import rank_sources
from mmbnft.utils.command import run_command


def main() -> int:
    """Parse the command line and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", type=Path, metavar="SOURCE", help="results folder or long CSV file")
    parser.add_argument("--target", default="finetune", help="protocol to be predicted (default: finetune)")
    parser.add_argument("--proxies", nargs="+", help="protocols that predict (default: all others)")
    parser.add_argument("--target-from", type=Path, metavar="FILE", help="long CSV file with published targets")
    parser.add_argument("--wide", metavar="PROTOCOL", help="CSV files have one column per task, values of PROTOCOL")
    parser.add_argument("--out", type=Path, default=Path("ranking"), help="folder for the report (default: ranking)")
    parser.add_argument("--metric-scale", default="percent", choices=("percent", "fraction"))
    parser.add_argument("--seed", type=int, default=0, help="seed of every resample (default: 0)")
    parser.add_argument("--resamples", type=int, default=10_000, help="bootstrap resamples (default: 10000)")
    args = parser.parse_args()
    report = rank_sources(**vars(args))
    for task, sentence in report.study.verdicts.items():
        print(f"{task}: {sentence}")
    print(f"{len(report.study.warnings)} warnings; see {report.folder / 'report.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
