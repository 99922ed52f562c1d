"""Positive and negative control: stores of results whose truth is known, judged from the files to the verdict."""

import json

import numpy as np
import pytest

from mmbnft.ranking import rank_sources
from mmbnft.ranking.controls import Facts
from mmbnft.ranking.study import study
from mmbnft.ranking.table import score_table
from mmbnft.ranking.table_files import read_sources
from mmbnft.results import Coordinates, write_result
from mmbnft.utils.files import sha256_json

SEEDS = 2


def store(folder, seed, noise, checkpoints=12, tasks=5, spread=4.0):
    """A folder of results in which each proxy is the true quality of a checkpoint on a task plus normal noise.

    Args:
        folder: Where the results go.
        seed: Seed of the simulation.
        noise: Proxy to the deviation of its error, in points; infinite for one that knows nothing of the truth.
        checkpoints: Number of checkpoints.
        tasks: Number of tasks.
        spread: Deviation of the true quality, in points.
    """
    rng = np.random.default_rng(seed)
    for t in range(tasks):
        for c in range(checkpoints):
            truth = rng.normal(0, spread)
            means = {"finetune": 70 + truth}
            for proxy, deviation in noise.items():
                means[proxy] = 60 + (truth + rng.normal(0, deviation) if np.isfinite(deviation) else rng.normal(0, 4))
            for protocol, mean in means.items():
                for s in range(SEEDS):
                    where = (f"model{c:02d}", f"task{t}", protocol, "clean", 0, s)
                    run = Coordinates(*where, key=sha256_json(where), metric="top1")
                    write_result(folder, run.succeeded(float(mean + rng.normal(0, 0.3)), {"seconds": 1.0}, {}))
    return folder


def test_positive_control_a_better_proxy_is_called_better_and_its_reasons_are_reported(tmp_path):
    folder = store(tmp_path / "results", 1, {"bn": 1.0, "linear": 8.0})
    found = rank_sources([folder], "finetune", out=tmp_path / "out", resamples=300).study
    verdict = found.verdicts["all tasks (mean)"]
    assert "bn predicts finetune better than linear" in verdict
    assert "not significantly" not in verdict
    content = json.loads((tmp_path / "out/report.json").read_text())
    assert content["verdicts"]["all tasks (mean)"] == verdict
    pairs = found.comparisons
    over = pairs[(pairs["task"] == "all tasks (mean)") & (pairs["statistic"] == "kendall")]
    assert over[over["family"] == "proxies"]["verdict"].tolist() == ["a better"]
    target = [row for row in content["reliability"] if row["protocol"] == "finetune"]
    # Variance between checkpoints 16, between two runs 0.09: the mean of the runs has 16 / 16.045.
    assert [row["mean"] for row in target] == pytest.approx([16 / 16.045] * 6, abs=0.01)


def judged(folder, resamples):
    """Everything a report of this folder would say."""
    return study(score_table(read_sources([folder]).table), Facts(), 0, resamples, {})


def test_negative_control_a_proxy_that_knows_nothing_is_not_trusted(tmp_path):
    found = judged(store(tmp_path, 2, {"bn": np.inf, "linear": np.inf}), 300)
    verdict = found.verdicts["all tasks (mean)"]
    assert "not separable" in verdict
    assert "even this correlation is not significantly different from 0" in verdict
    assert not found.costs["trusted"].any()


def test_negative_control_equal_proxies_are_rarely_told_apart(tmp_path):
    wrong = 0
    for seed in range(4):
        folder = store(tmp_path / str(seed), seed, {"bn": 3.0, "linear": 3.0}, checkpoints=8, tasks=3)
        wrong += "better than" in judged(folder, 200).verdicts["all tasks (mean)"]
    assert wrong <= 1  # 2 or more of 4 would happen in 1.4 % of the cases at a level of 5 %
