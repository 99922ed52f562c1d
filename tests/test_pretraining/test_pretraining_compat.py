"""What the pre-training context changes, it puts back."""

import time

import mmcv
import mmselfsup.datasets
import numpy as np
import pytest
import torch
from mmcv.utils import get_logger
from mmselfsup.utils import clustering

from mmbnft import compat


def snapshot():
    return (
        torch.Tensor.cuda,
        torch.nn.Module.cuda,
        clustering.run_kmeans,
        clustering.preprocess_features,
        mmcv.ProgressBar,
        mmcv.runner.epoch_based_runner.time,
        mmselfsup.datasets.MultiViewDataset.__getitem__,
        [get_logger(name).level for name in ("mmcv", "root", "mmselfsup")],
        hasattr(np, "int"),
        torch.distributed.is_initialized(),
    )


def fail_inside():
    with compat.pretraining_without_cuda():
        assert np.int is int
        assert torch.distributed.get_world_size() == 1
        raise RuntimeError("inside")


def test_everything_is_put_back_also_after_an_error():
    before = snapshot()
    with pytest.raises(RuntimeError, match="inside"):
        fail_inside()
    assert snapshot() == before
    assert mmcv.runner.epoch_based_runner.time is time


@pytest.mark.skipif(torch.cuda.is_available(), reason="the host clusters on CUDA where it is present")
def test_clustering_on_the_cpu_finds_separate_groups():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(2), 45)
    rows = (np.eye(8)[truth] * 10 + rng.normal(size=(90, 8)) * 0.1).astype(np.float32)
    np.random.seed(1)
    with compat.pretraining_without_cuda():
        algorithm = clustering.Kmeans(2, pca_dim=-1)
        algorithm.cluster(rows)
    assert len(set(zip(truth.tolist(), algorithm.labels.tolist(), strict=True))) == 2
    assert set(algorithm.labels) == {0, 1}


@pytest.mark.skipif(torch.cuda.is_available(), reason="the host whitens with faiss where CUDA is present")
def test_features_are_whitened_without_faiss():
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(400, 6)) @ rng.normal(size=(6, 6)) + 3).astype(np.float32)
    with compat.pretraining_without_cuda():
        found = clustering.preprocess_features(rows, 4)
        plain = clustering.preprocess_features(rows, -1)
    assert found.dtype == plain.dtype == np.float32
    centred = rows - rows.mean(axis=0)
    left, _, _ = np.linalg.svd(centred, full_matrices=False)  # the scores of the components, each of equal length
    expected = left[:, :4] / np.linalg.norm(left[:, :4], axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-3)
    np.testing.assert_allclose(plain, rows / np.linalg.norm(rows, axis=1, keepdims=True), rtol=1e-5)
