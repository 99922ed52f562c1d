"""Reports of the tables of published figures in data/published, as worked examples.

Example: python benchmarks/published_cases.py --out work_dirs/published_cases
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from mmbnft.ranking import RankingReport, rank
from mmbnft.ranking.checkpoint_facts import catalogue_facts
from mmbnft.ranking.controls import other_tasks
from mmbnft.ranking.table import score_table
from mmbnft.utils.command import run_command

PUBLISHED = Path(__file__).parents[1] / "data" / "published"
# Target tasks of the two tables whose proxies were measured on other tasks.
ELSEWHERE = {
    "openselfsup": ("imagenet_1pct", "imagenet_10pct", "voc0712_detection", "coco2017_detection", "coco2017_ap_mask"),
    "mmselfsup": ("voc0712_detection", "coco2017_detection", "coco2017_ap_mask", "voc12aug_segmentation"),
}
PROXIES_ELSEWHERE = (
    *(("imagenet1k", "linear_feat4"), ("imagenet1k", "linear_feat5"), ("imagenet1k", "knn_20")),
    *(("places205", "linear_feat5"), ("voc07_cls", "svm"), ("voc07_cls", "svm_low_shot_16")),
)


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


def transfer(out: Path, resamples: int) -> RankingReport:
    """Thirteen SSL checkpoints and a supervised one on eleven tasks: linear and few-shot against fine-tuning."""
    return rank(_transfer(), "finetune", None, out / "transfer", resamples=resamples, facts=catalogue_facts())


def ceiling(out: Path, resamples: int) -> RankingReport:
    """The twelve of these that were fine-tuned twice by different people: does one predict the other?

    The second fine-tuning stands among the proxies. What it reaches is the most that can be asked of a proxy.
    """
    first = _transfer()
    second = pd.read_csv(PUBLISHED / "sfda2022_ssl_finetune.csv").assign(protocol="finetune_elsewhere")
    shared = set(first["checkpoint"]) & set(second["checkpoint"])
    table = pd.concat([first[first["protocol"].isin(["finetune", "linear", "few_shot_5"])], second])
    return rank(table[table["checkpoint"].isin(shared)], "finetune", None, out / "ceiling", resamples=resamples)


def elsewhere(out: Path, resamples: int) -> list[RankingReport]:
    """Checkpoints of OpenSelfSup and MMSelfSup: figures of ImageNet and VOC07 classification against other tasks."""
    reports = []
    for name, targets in ELSEWHERE.items():
        table = pd.read_csv(PUBLISHED / f"{name}_resnet50.csv").drop(columns="metric")
        measured = [table[(table["task"] == t) & (table["protocol"] == p)] for t, p in PROXIES_ELSEWHERE]
        proxies = pd.concat([part.assign(protocol=part["task"] + " " + part["protocol"]) for part in measured])
        copies = [proxies.assign(task=task) for task in targets]
        wanted = table[(table["protocol"] == "finetune") & table["task"].isin(targets)]
        both = pd.concat([wanted, *copies])
        reports.append(rank(both, "finetune", None, out / f"elsewhere_{name}", resamples=resamples))
    return reports


def _transfer() -> pd.DataFrame:
    """Ericsson et al.'s figures on the tasks that have both a linear probe and fine-tuning of the same metric."""
    table = pd.read_csv(PUBLISHED / "ericsson2021_ssl_transfer.csv").drop(columns="metric")
    by_protocol = table.groupby("protocol")["task"].agg(set)
    return table[table["task"].isin(by_protocol["linear"] & by_protocol["finetune"])]


def main() -> int:
    """Write every report and print its verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("work_dirs/published_cases"))
    parser.add_argument("--resamples", type=int, default=10_000)
    args = parser.parse_args()
    reports = [case(args.out, args.resamples) for case in (medical, ssl, transfer, ceiling)]
    for report in [*reports, *elsewhere(args.out, args.resamples)]:
        print(f"{report.folder / 'report.html'}")
        for task, sentence in report.study.verdicts.items():
            print(f"  {task}: {sentence}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
