import numpy as np
import pytest

from mmbnft.artifacts import Artifacts, Predictions
from mmbnft.ranking import rank_results
from mmbnft.ranking.image_noise import standard_errors
from mmbnft.results import Result, write_result
from mmbnft.tasks import compute_metric


def runs(hits, protocol="linear", metric="top1"):
    """Results of checkpoints by which images (n, N) they get right, of two classes."""
    labels = np.arange(hits.shape[1]) % 2
    found = []
    for number, row in enumerate(hits):
        scores = np.eye(2)[np.where(row, labels, 1 - labels)]
        value = compute_metric(metric, scores, labels)
        key = f"{number:02d}{protocol}".ljust(64, "0")
        artifacts = Artifacts(Predictions.of(scores, labels))
        found.append(Result(f"c{number}", "t", protocol, "r", 0, 0, key, "ok", value, metric, artifacts=artifacts))
    return found


def test_error_of_an_accuracy_is_that_of_paired_images():
    rng = np.random.default_rng(0)
    hard = rng.random(2000) < 0.3  # wrong for every checkpoint alike
    hits = ~hard & (rng.random((12, 2000)) < 0.9)
    errors = np.array(standard_errors(runs(hits)))
    rest = 100.0 * (hits - hits.mean(axis=0) - hits.mean(axis=1, keepdims=True) + hits.mean())
    by_hand = np.sqrt((rest**2).sum() / (11 * 1999) / 2000)
    assert np.sqrt((errors**2).mean()) == pytest.approx(by_hand, rel=0.15)
    unpaired = np.sqrt(100 * hits.mean() * (100 - 100 * hits.mean()) / 2000)
    assert by_hand < 0.8 * unpaired


def test_without_predictions_or_without_company_nothing_is_known():
    hits = np.random.default_rng(1).random((3, 100)) < 0.5
    good = runs(hits)
    alone = runs(hits[:1], protocol="bn")
    none = Result("d", "t", "linear", "r", 0, 0, "f" * 64, "ok", 50.0, "top1")
    errors = standard_errors([*good, *alone, none])
    assert np.isfinite(errors[:3]).all()
    assert np.isnan(errors[3:]).all()


def test_forty_images_are_enough_and_thirty_nine_are_not():
    hits = np.random.default_rng(3).random((3, 40)) < 0.5
    assert np.isfinite(standard_errors(runs(hits))).all()
    assert np.isnan(standard_errors(runs(hits[:, :39]))).all()


def test_images_with_several_labels_are_divided_evenly_too():
    rng = np.random.default_rng(4)
    labels = (np.arange(400) % 8)[:, None] >> np.arange(3) & 1  # every set of three labels equally often
    found = []
    for number in range(3):
        scores = labels + rng.normal(size=labels.shape)
        artifacts = Artifacts(Predictions.of(scores, labels.astype(np.uint8)))
        value = compute_metric("roc_auc", scores, labels)
        found.append(Result(f"c{number}", "t", "bn", "r", 0, 0, f"{number}" * 64, "ok", value, "roc_auc",
                            artifacts=artifacts))  # fmt: skip
    errors = standard_errors(found)
    # Hanley & McNeil (Radiology 1982): 2.4 points for 200 positives and 200 negatives one deviation apart; of the mean
    # over three labels 1.4.
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(1.4, rel=0.4)


def test_one_run_per_cell_is_ranked_with_intervals_from_its_test_images(tmp_path):
    rng = np.random.default_rng(2)
    chances = np.array([0.5, 0.7, 0.71, 0.9])
    everything = [
        *runs(rng.random((4, 1000)) < chances[:, None]),
        *runs(rng.random((4, 1000)) < chances[:, None], "finetune"),
    ]
    for result in everything:
        write_result(tmp_path / "results", result)
    found = rank_results(everything, out=tmp_path, resamples=2000).study
    rows = found.standings[(found.standings["proxy"] == "finetune")].set_index("checkpoint")
    assert rows["tier"].tolist() == [3, 2, 2, 1]
    assert (rows.loc["c3", "rank_low"], rows.loc["c3", "rank_high"]) == (1, 1)
    assert (rows.loc["c1", "rank_low"], rows.loc["c1", "rank_high"]) == (2, 3)
    (finding,) = [finding for finding in found.findings if finding.code == "MB302"]
    assert "cover only the draw of test images" in finding.sentence
