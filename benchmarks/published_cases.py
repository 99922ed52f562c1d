"""Reports of the two tables of published figures in data/published, as worked examples.

Example: python benchmarks/published_cases.py --out work_dirs/published_cases
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from mmbnft.ranking import RankingReport, rank
from mmbnft.ranking.catalogue import catalogue_facts
from mmbnft.ranking.controls import other_tasks
from mmbnft.ranking.table import score_table
from mmbnft.utils.command import run_command

PUBLISHED = Path(__file__).parents[1] / "data" / "published"


def medical(out: Path, resamples: int) -> RankingReport:
    """Four CNNs on nine medical tasks: four cheap protocols against fine-tuning after a linear head."""
    table = pd.read_csv(PUBLISHED / "kanavati2021_medical_auc.csv")
    proxies = ["linear", "bn_frozen_stats", "linear_then_bn", "bn_stats"]
    return rank(table, "linear_then_finetune", proxies, out / "medical", resamples=resamples)


def ssl(out: Path, resamples: int) -> RankingReport:
    """Twelve SSL checkpoints on eleven tasks, fine-tuned: how far does a fixed order get that never saw the task?

    The table has no cheap protocol, so the proxy is minus the mean rank over the other ten tasks.
    """
    facts = catalogue_facts()
    table = pd.read_csv(PUBLISHED / "sfda2022_ssl_finetune.csv")
    placeholder = pd.concat([table, table.assign(protocol="fixed_order", value=0.0)])
    scores = score_table(placeholder, "finetune", ["fixed_order"])
    rows = [
        (checkpoint, task.name, "fixed_order", value)
        for task in scores.tasks
        for checkpoint, value in zip(task.checkpoints, other_tasks(scores, task), strict=True)
    ]
    fixed = pd.DataFrame(rows, columns=["checkpoint", "task", "protocol", "value"])
    return rank(pd.concat([table, fixed]), "finetune", ["fixed_order"], out / "ssl", resamples=resamples, facts=facts)


def main() -> int:
    """Write both reports and print their verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("work_dirs/published_cases"))
    parser.add_argument("--resamples", type=int, default=10_000)
    args = parser.parse_args()
    for case in (medical, ssl):
        report = case(args.out, args.resamples)
        print(f"{report.folder / 'report.html'}")
        for task, sentence in report.study.verdicts.items():
            print(f"  {task}: {sentence}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
