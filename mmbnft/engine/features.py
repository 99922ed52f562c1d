"""Features of a frozen backbone, computed once instead of once an epoch."""

from typing import Any

import torch

from mmbnft.engine.network import Network
from mmbnft.models import pooled_features
from mmbnft.tasks import TaskDataset, collect

EVAL_BATCH = 128  # images a forward pass in eval mode; what comes out does not depend on it


def features_suffice(network: Network, dataset: TaskDataset) -> bool:
    """Whether nothing in the backbone ever changes under the protocol, nor do the training images from epoch to epoch.

    Then its features are all that training and evaluation need of it.
    """
    phases = network.backbone.protocol.phases
    frozen = all(phase.train == "head" and phase.norm_stats == "frozen" for phase in phases)
    return frozen and dataset.is_static


class FeatureDataset(TaskDataset):
    """A data set whose items hold the backbone's pooled features (C,) in the place of the image.

    Args:
        network: Holds the backbone.
        source: The images.
        workers: Data-loading processes.
    """

    def __init__(self, network: Network, source: TaskDataset, workers: int) -> None:
        self.task, self.images, self.split = source.task, source.images, source.split
        self.seed, self.epoch, self.is_static = source.seed, source.epoch, True
        wrapped = network.backbone.wrapped
        values = collect(network.model, source, lambda images: pooled_features(wrapped(images)), EVAL_BATCH, workers)
        self.features = torch.from_numpy(values)

    def open(self) -> None:
        """Nothing to do: features are in memory."""

    def _image(self, index: int) -> Any:
        return self.features[index]
