"""Predictions for every sample, exactly once, and their metric."""

from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from mmbnft.errors import UserError
from mmbnft.processes import Processes
from mmbnft.tasks.dataset import TaskDataset
from mmbnft.tasks.metrics import compute_metric


def eval_loader(dataset: TaskDataset, batch_size: int, processes: Processes, workers: int) -> DataLoader:
    """A loader in which every image occurs exactly once over all processes, in order within each."""
    own = list(range(processes.rank, len(dataset), processes.count))
    batches = [own[start : start + batch_size] for start in range(0, len(own), batch_size)]
    return DataLoader(dataset, batch_sampler=batches, num_workers=workers)


@torch.inference_mode()
def predict(model: Any, dataset: TaskDataset, batch_size: int, workers: int = 0) -> np.ndarray:
    """Class scores of a bare model for every image of a data set, in its order.

    Several processes share the images and each ends up with all scores.

    Args:
        model: A host algorithm with `extract_feat` and a head, not wrapped for data parallelism.
        dataset: Images, transformed for evaluation.
        batch_size: Images a forward pass.
        workers: Data-loading processes.

    Returns:
        float32 (N, C).

    Raises:
        UserError: Not every image came out exactly once.
    """
    processes = Processes.current()
    device = next(model.parameters()).device
    mode = model.training
    model.eval()
    numbers, scores = [], []
    for batch in eval_loader(dataset, batch_size, processes, workers):
        features = model.extract_feat(batch["img"].to(device, non_blocking=True))
        scores.append(model.head(features)[0].float().cpu().numpy())
        numbers.append(batch["idx"].numpy())
    model.train(mode)
    parts = processes.gather((numbers, scores))
    order = np.concatenate([number for part in parts for number in part[0]])
    if not np.array_equal(np.sort(order), np.arange(len(dataset))):
        raise UserError(f"{len(order)} predictions came back for {len(dataset)} images; run on one process")
    return np.concatenate([score for part in parts for score in part[1]])[np.argsort(order)]


def evaluate(model: Any, dataset: TaskDataset, batch_size: int, workers: int = 0) -> float:
    """The task's metric in percent on a data set; arguments as in `predict`."""
    scores = predict(model, dataset, batch_size, workers)
    return compute_metric(dataset.task.metric, scores, dataset.images.labels)
