"""Predictions for every sample, exactly once."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmbnft.tasks.dataset import TaskDataset
from mmbnft.utils.batch_loader import BatchLoader
from mmbnft.utils.errors import UserError
from mmbnft.utils.processes import Processes


def eval_loader(dataset: TaskDataset, batch_size: int, processes: Processes, workers: int) -> BatchLoader:
    """A loader in which every image occurs exactly once over all processes, in order within each.

    Args:
        dataset: Images, transformed for evaluation.
        batch_size: Images a batch.
        processes: Those that share the images.
        workers: Data-loading processes.
    """
    own = list(range(processes.rank, len(dataset), processes.count))
    batches = [own[start : start + batch_size] for start in range(0, len(own), batch_size)]
    dataset.open()
    return BatchLoader(dataset, batches, batch_size, workers)


@torch.inference_mode()
def collect(
    model: Any, dataset: TaskDataset, compute: Callable[[Tensor], Tensor], batch_size: int, workers: int = 0
) -> np.ndarray:
    """What `compute` makes of every image of a data set, in its order, with the model in eval mode.

    Several processes share the images and each ends up with everything.

    Args:
        model: A bare module, not wrapped for data parallelism.
        dataset: Images, transformed for evaluation.
        compute: From images (N, 3, H, W) on the model's device to values (N, ...).
        batch_size: Images a forward pass.
        workers: Data-loading processes.

    Returns:
        float32 (N, ...).

    Raises:
        UserError: Not every image came out exactly once.
    """
    processes = Processes.current()
    device = next(model.parameters()).device
    mode = model.training
    model.eval()
    numbers, values = [], []
    for batch in eval_loader(dataset, batch_size, processes, workers):
        values.append(compute(batch["img"].to(device, non_blocking=True)).float().cpu().numpy())
        numbers.append(batch["idx"].numpy())
    model.train(mode)
    parts = processes.gather((numbers, values))
    order = np.concatenate([number for part in parts for number in part[0]])
    if not np.array_equal(np.sort(order), np.arange(len(dataset))):
        raise UserError(f"{len(order)} predictions came back for {len(dataset)} images; run on one process")
    return np.concatenate([value for part in parts for value in part[1]])[np.argsort(order)]


def predict(model: Any, dataset: TaskDataset, batch_size: int, workers: int = 0) -> np.ndarray:
    """Class scores float32 (N, C) of a host algorithm with `extract_feat` and a head; arguments as in `collect`.

    Args:
        model: The algorithm.
        dataset: The images.
        batch_size: Images a forward pass.
        workers: Data-loading processes.
    """
    return collect(model, dataset, lambda images: model.head(model.extract_feat(images))[0], batch_size, workers)
