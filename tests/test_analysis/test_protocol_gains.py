import numpy as np
import pandas as pd
import pytest

from mmbnft.analysis.findings import Run
from mmbnft.analysis.protocol_gains import mean_gain, protocol_table
from mmbnft.analysis.report import MOST_ROWS, compose, write_analysis
from mmbnft.commands.analyze import main
from mmbnft.results import Result, write_result


def result(checkpoint, task, protocol, value, seed=0, weights="tiny"):
    return Result(
        checkpoint, task, protocol, "r", 0, seed, "a" * 64, "ok", value, "top1",
        details={"certificate": {"format": weights}},
    )  # fmt: skip


def test_gains_are_paired_with_the_probe_of_the_same_checkpoint_task_and_seed():
    found = [
        *(result("a", "x", "linear", v, seed) for seed, v in enumerate((50.0, 60.0))),
        *(result("a", "x", "bn", v, seed) for seed, v in enumerate((53.0, 61.0))),
        result("b", "x", "linear", 20.0),
        result("b", "x", "bn", 30.0),
        result("b", "y", "linear", 40.0),
        result("b", "y", "bn", 44.0),
        result("c", "x", "bn", 99.0),  # has no probe
        result("a", "x", "bn", 99.0, 2),  # has none of its seed
    ]
    table = protocol_table(found).set_index(["task", "protocol"])
    assert table.loc[("x", "bn"), "gain"] == pytest.approx((2 + 10) / 2)
    assert table.loc[("x", "bn"), "value"] == pytest.approx((57 + 30) / 2)
    assert table.loc[("all tasks", "bn"), "gain"] == pytest.approx((2 + 10 + 4) / 3)
    assert table.loc[("x", "bn"), "runs"] == 3
    assert pd.isna(table.loc[("x", "linear"), "gain"])
    assert pd.isna(table.loc[("y", "bn"), "low"])  # one checkpoint on one task


def test_random_weights_stand_apart_and_each_seed_of_them_is_a_network():
    found = [
        result(name, "x", protocol, 50.0 + seed * (protocol == "bn"), seed, weights)
        for name, weights in (("a", "tiny"), ("random", "random"))
        for protocol in ("linear", "bn")
        for seed in (0, 1, 2)
    ]
    table = protocol_table(found).set_index(["checkpoints", "protocol"])
    assert table.loc[("random weights", "bn"), "gain"] == table.loc[("pre-trained", "bn"), "gain"] == 1
    assert table.loc[("random weights", "bn"), "low"] < 1 < table.loc[("random weights", "bn"), "high"]
    assert pd.isna(table.loc[("pre-trained", "bn"), "low"])


@pytest.mark.parametrize("protocols", [(), ("linear",), ("bn", "finetune"), ("linear", "bn")])
def test_there_is_no_table_without_a_probe_and_something_to_compare(protocols):
    assert protocol_table([result("a", "x", protocol, 50.0) for protocol in protocols]).empty


def test_the_interval_holds_the_mean_gain_about_as_often_as_it_says():
    rng, held = np.random.default_rng(0), []
    for _ in range(150):
        gains = rng.normal(size=(4, 1)) + 2 * rng.normal(size=(1, 5)) + 1.5 * rng.normal(size=(4, 5))
        mean, low, high = mean_gain(gains)
        assert mean == pytest.approx(gains.mean())
        held.append(low <= 0 <= high)
    assert 0.92 <= np.mean(held) <= 1


def test_unknown_cells_are_left_out():
    gains = np.array([[1.0, 2.0, np.nan], [3.0, np.nan, 6.0]])
    mean, low, high = mean_gain(gains)
    assert mean == 3
    assert 1 <= low < 3 < high <= 6


def test_the_page_shows_the_picture_and_the_first_rows(tmp_path):
    found = [
        result(f"c{number}", task, protocol, 50.0 + number % 7 + (protocol == "bn"))
        for number in range(MOST_ROWS // 2 + 1)
        for task in ("x", "y")
        for protocol in ("linear", "bn")
    ]
    page = write_analysis(compose([Run(f"{r.checkpoint} {r.task} {r.protocol}", r) for r in found]), tmp_path)
    text = page.read_text()
    assert f"All {len(found)} rows are in runs.csv." in text
    assert len(pd.read_csv(tmp_path / "runs.csv")) == len(found)
    assert text.count("<tr>") < 2 * MOST_ROWS
    assert "gain over the linear probe, points" in (tmp_path / "protocols.svg").read_text()


def test_the_command_counts_a_control_that_two_benchmarks_called_differently_once(make_result, tmp_path):
    for name, protocol in (("random", "linear"), ("random small", "bn"), ("random large", "linear")):
        network = "large" if "large" in name else "small"
        details = {"certificate": {"format": "random"}, "network": {"name": network}}
        write_result(tmp_path / "results", make_result(name, protocol=protocol, details=details))
    main([str(tmp_path), "--no-images", "--out", str(tmp_path / "out")])
    runs = pd.read_csv(tmp_path / "out/runs.csv")["run"]
    assert all(run.startswith(("random small", "random large")) for run in runs)
