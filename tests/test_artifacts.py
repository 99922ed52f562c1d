import numpy as np
import pytest

from mmbnft.artifacts import (
    Artifacts,
    Predictions,
    copy_artifacts,
    kept,
    predictions_path,
    read_predictions,
    weights_path,
    write_artifacts,
)
from mmbnft.tasks import compute_metric
from mmbnft.utils.errors import UserError

KEY = "ab" * 32


def test_compact_scores_keep_the_order_within_each_image_and_the_softmax():
    rng = np.random.default_rng(0)
    scores = (1000 + 5 * rng.normal(size=(400, 7))).astype(np.float32)  # where float16 alone would tell nothing apart
    labels = rng.integers(0, 7, 400)
    compact = Predictions.of(scores, labels)
    assert compact.scores.dtype == np.float16
    assert compute_metric("top1", compact.logits, labels) == compute_metric("top1", scores, labels)
    exact = np.exp(scores.astype(float) - scores.max(axis=1, keepdims=True))
    ours = np.exp(compact.logits)
    assert np.abs(ours / ours.sum(1)[:, None] - exact / exact.sum(1)[:, None]).max() < 2e-3


def test_scores_of_several_labels_an_image_are_not_shifted_and_stay_finite():
    scores = np.array([[1.5, -1e30], [-2.0, 3.0]])
    compact = Predictions.of(scores, np.array([[1, 0], [0, 1]], np.uint8))
    assert compact.scores.tolist() == [[1.5, -65504.0], [-2.0, 3.0]]


def test_files_are_beside_the_results_and_come_back_whole(tmp_path):
    folder = tmp_path / "results"
    predictions = Predictions.of(np.eye(3), np.arange(3))
    write_artifacts(folder, KEY, Artifacts(predictions, {"meta": {}}))
    again = read_predictions(folder, KEY)
    assert np.array_equal(again.scores, predictions.scores)
    assert np.array_equal(again.labels, predictions.labels)
    assert weights_path(folder, KEY) == tmp_path / "weights" / "abababababababab.pth"
    assert predictions_path(folder, KEY) == folder / "abababababababab.npz"
    copy_artifacts(folder, folder, KEY)  # onto themselves, they stay
    assert kept(folder, KEY) == "predictions, weights"
    copy_artifacts(folder, tmp_path / "other", KEY)
    assert predictions_path(tmp_path / "other", KEY).read_bytes() == predictions_path(folder, KEY).read_bytes()
    assert not list(tmp_path.rglob("*.part"))


def test_a_damaged_file_is_one_sentence(tmp_path):
    predictions_path(tmp_path, KEY).write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(UserError, match="is not a predictions file"):
        read_predictions(tmp_path, KEY)
    assert read_predictions(tmp_path / "none", KEY) is None
