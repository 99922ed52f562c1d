import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mmbnft.analysis import findings as study_module
from mmbnft.analysis.findings import (
    Run,
    analyse,
    gain_table,
    prediction_table,
    run_table,
    size_table,
    speed_table,
    steadiness_table,
)
from mmbnft.analysis.kept_networks import as_before, layer_shifts, outputs, sample_test_images, statistics_check
from mmbnft.analysis.report import sentences
from mmbnft.artifacts import Artifacts, Predictions
from mmbnft.commands import analyze
from mmbnft.evaluation.weights import restore
from mmbnft.results import Result
from mmbnft.tasks import build_task


@pytest.fixture
def network(kept_run):
    return restore(kept_run("bn"), with_before=True)


def test_shifts_are_those_of_the_two_states(network):
    table = layer_shifts(network).set_index("layer")
    assert len(table) == 20
    before, after = network.before["layer2.0.bn1.weight"], network.model.backbone.layer2[0].bn1.weight.detach()
    assert table.loc["layer2.0.bn1", "weight_absolute"] == pytest.approx(float((after - before).abs().mean()), rel=1e-5)
    assert (table["kl"] > 0).all()
    with as_before(network):
        still = layer_shifts(network)
    assert not still[["weight_absolute", "bias_absolute", "kl"]].to_numpy().any()


def test_an_adapted_network_gives_the_same_answer_whatever_the_batch(network):
    sample = sample_test_images(network, build_task(network.spec.task), 12)
    alone, together = outputs(network, sample, 1), outputs(network, sample, 12)
    assert np.allclose(alone.scores, together.scores, atol=1e-5)
    assert list(alone.stages) == ["stage 1", "stage 2", "stage 3", "stage 4", "pooled"]
    assert np.allclose(alone.stages["stage 4"], alone.stages["pooled"])
    state = {name: tensor.clone() for name, tensor in network.model.state_dict().items() if "running" in name}
    batched = outputs(network, sample, 12, batch_statistics=True)
    assert not np.allclose(batched.scores, together.scores, atol=1e-3)
    assert all(torch.equal(tensor, network.model.state_dict()[name]) for name, tensor in state.items())


def test_a_check_fires_where_running_statistics_do_not_describe_the_images(network):
    sample = sample_test_images(network, build_task(network.spec.task), 45)
    right = np.eye(8)[sample.labels]
    good = dataclasses.replace(outputs(network, sample, 45), scores=right)
    bad = dataclasses.replace(good, scores=np.roll(right, 1, axis=1))
    check = statistics_check(bad, good, sample.labels, "top1")
    assert (check["running"], check["batch"]) == (0, 100)
    assert check["changed"] == pytest.approx(45**0.5)
    result = Result("c", "t", "bn", "r", 0, 0, "a" * 64, "ok", 0.0, "top1")
    (note,) = run_table([Run("c bn", result, check=check)])["note"]
    assert note.startswith("batch and running statistics disagree: 100.00 % with batch statistics, 0.00 %")
    same = statistics_check(good, good, sample.labels, "top1")
    assert run_table([Run("c bn", result, check=same)])["note"].tolist() == [""]


def test_images_of_another_task_can_be_used_and_a_missing_checkpoint_is_told(kept_run, small_checkpoint):
    result = kept_run("bn")
    other = dict(type="drawn", family="textures", train_size=32, val_size=16, test_size=24)
    (run,) = analyse([result], task=other, most=24)
    assert len(run.labels) == 24
    assert run.check == {}  # batch statistics would be compared on images of another task
    small_checkpoint.unlink()
    (run,) = analyse([result], most=24)
    assert run.layers is None
    assert "say where it is with --checkpoint FILE" in run.note


def results(values):
    """Results by checkpoint of (probe, bn), with predictions."""
    found = []
    for name, pair in values.items():
        for protocol, value in zip(("linear", "bn"), pair, strict=True):
            key = (name + protocol).ljust(64, "0")
            artifacts = Artifacts(Predictions.of(np.eye(2)[[0, 1, 1]], np.array([0, 1, 0])))
            found.append(Result(name, "t", protocol, "r", 0, 0, key, "ok", value, "top1", artifacts=artifacts))
    return found


def test_what_many_runs_lack_is_said_once():
    runs = analyse([dataclasses.replace(result, folder=Path("none")) for result in results({"a": (1.0, 2.0)})])
    said = sentences(runs, run_table(runs))
    assert said == ["2 runs: a linear, a bn. Gain over the linear probe: +1.00 points on average, 1 of 1 above 0.",
                    "2 runs: no weights were kept (--keep-weights all)."]  # fmt: skip


def test_gains_are_held_against_movement():
    moved = {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4, "e": 0.5}
    found = results({name: (50.0, 50.0 + 10 * how) for name, how in moved.items()})
    runs = [
        Run(
            f"{r.checkpoint} {r.protocol}",
            r,
            pd.DataFrame({"weight_relative": [moved[r.checkpoint]] * 3, "kl": [1.0] * 3}),
        )
        for r in found
    ]
    table = run_table(runs)
    assert table["gain"].dropna().tolist() == pytest.approx([1, 2, 3, 4, 5])
    by_quantity = gain_table(table).set_index("quantity")
    assert by_quantity.loc[study_module.MOVED["weight_relative"], ["rho", "n"]].tolist() == [1, 5]
    assert np.isnan(by_quantity.loc[study_module.MOVED["kl"], "rho"])
    assert gain_table(run_table(runs[:4])).empty


def test_predictions_and_speed_need_no_weights():
    (probe, bn) = results({"a": (66.7, 66.7)})
    curve = [dict(loss=1.0, val=50.0), dict(loss=0.5, val=80.0)]
    slow = [dict(loss=1.0, val=10.0), dict(loss=0.5, val=70.0)]
    runs = [
        Run("p", dataclasses.replace(probe, details=dict(curve=slow))),
        Run("b", dataclasses.replace(bn, details=dict(curve=curve))),
    ]
    speed = speed_table(runs).set_index("run")
    assert speed.loc["b", "80%"] == 2
    assert pd.isna(speed.loc["p", "90%"])
    table = prediction_table(runs)
    assert table["top1"].tolist() == pytest.approx([66.67, 66.67], abs=0.01)
    assert (table["low"] <= table["top1"]).all()


def test_the_command_writes_one_page_and_a_table_for_each_section(kept_run, tmp_path, capsys):
    kept_run("linear")
    result = kept_run("bn")
    runs = analyse([result], most=20)
    assert runs[0].note == ""
    assert set(runs[0].maps) == {"PCA, before", "PCA, after", "t-SNE, before", "t-SNE, after"}
    assert analyze.main([str(tmp_path), "--most", "30", "--out", str(tmp_path / "page")]) == 0
    page = (tmp_path / "page" / "analysis.html").read_text()
    assert page.count("<svg") == 7
    assert "http" not in page.replace("http://www.w3.org", "")
    features = pd.read_csv(tmp_path / "page" / "features.csv").set_index(["run", "stage"])
    assert features.loc[("tiny linear", "pooled"), "cka"] == pytest.approx(1)
    assert features.loc[("tiny bn", "pooled"), "cka"] < 1
    assert {path.stem for path in (tmp_path / "page").glob("*.csv")} == {
        "runs", "predictions", "layers", "features", "curves", "movement", "sizes", "steadiness"
    }  # fmt: skip
    assert f"page: {tmp_path / 'page' / 'analysis.html'}" in capsys.readouterr().out


def test_changes_are_shares_of_parameters_and_steadiness_compares_seeds():
    def run(seed, *changes):
        curve = [
            {"phase": 0, "moved": {"head": change}, "sizes": {"head": [1, 0, 0, 0, 3, 0, 0]}} for change in changes
        ]
        return Run(f"c bn seed {seed}", Result("c", "t", "bn", "r", 0, seed, "a" * 64, "ok", 0.0, "top1",
                                               details={"curve": curve}))  # fmt: skip

    runs = [run(0, 0.1, 0.001), run(1, 0.1, 0.1)]
    table = size_table(runs)
    assert table["below 1e-05"].tolist() == [0.25] * 4
    assert table["0.01 to 0.1"].tolist() == [0.75] * 4
    (row,) = steadiness_table(runs).to_dict("records")
    assert (row["runs"], row["part"]) == (2, "head")
    assert row["median_change"] == pytest.approx(0.1)
    # Logarithms -1, -3 and -1, -1: over epochs sqrt(2) and 0, over seeds 0 and sqrt(2).
    assert row["over_epochs"] == row["over_seeds"] == pytest.approx(2**0.5 / 2)
    assert steadiness_table(runs[:1])["over_seeds"].isna().all()


def test_trackers_get_tables_figures_and_the_page(kept_run, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    kept_run("linear")
    kept_run("bn")
    out = tmp_path / "page"
    assert analyze.main([str(tmp_path), "--no-images", "--out", str(out), "--wandb", "offline", "--tensorboard"]) == 0
    said, warned = capsys.readouterr()
    assert warned == ""
    assert f"W&B: wandb sync {out}/wandb/offline-*" in said
    assert f"TensorBoard: tensorboard --logdir {out / 'tensorboard'}" in said
    tables = {path.stem.split("_")[0] for path in out.glob("wandb/offline-run-*/files/media/table/*.json")}
    assert {"runs", "layers", "movement"} <= tables
    assert list(out.glob("wandb/offline-run-*/files/media/html/figure/layer_profiles_*.html"))
    (events,) = (out / "tensorboard").iterdir()
    content = events.read_bytes()
    for text in (b"analysis/layer_profiles", b"\x89PNG", b"layer2.0.bn1"):
        assert text in content
