"""Features of a frozen backbone: computed once for each list of images, kept in memory and, if wanted, on disk."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mmbnft.evaluation.folding import folded
from mmbnft.evaluation.network import Network, image_dataset
from mmbnft.evaluation.spec import RANDOM, RunSpec, is_frozen
from mmbnft.models import pooled_features
from mmbnft.tasks import ImageCache, Images, ListedImages, SplitLedger, TaskDataset, collect
from mmbnft.utils import files
from mmbnft.utils.disk_cache import DiskCache
from mmbnft.utils.processes import Processes
from mmbnft.zoo import file_identity

EVAL_BATCH = 128  # images a forward pass in eval mode; what comes out does not depend on it
# Raise it when a change to the code changes features, so that cached ones are not used any more.
FEATURES_VERSION = 1
PARTS = {"trainval": ("train", "val")}


def backbone_is_frozen(network: Network) -> bool:
    """Whether nothing in the backbone ever changes under the protocol."""
    return is_frozen(network.backbone.protocol)


def features_suffice(network: Network, dataset: TaskDataset) -> bool:
    """Whether nothing in the backbone ever changes under the protocol, nor do the training images from epoch to epoch.

    Then its features are all that training and evaluation need of it.
    """
    return backbone_is_frozen(network) and dataset.is_static


class FeatureStore:
    """Pooled features of a run's checkpoint for the splits of its task.

    They do not depend on what is asked for in which order: train and val are computed by themselves also where they are
    needed together.

    Args:
        spec: The run.
        network: Its network, not yet trained.
        task: Its task.
        images: Keeps decoded images.
        disk: Keeps features for other runs.
        weights_root: Folder of the catalogue's weight files.
        workers: Data-loading processes.
    """

    def __init__(
        self, spec: RunSpec, network: Network, task: SplitLedger, images: ImageCache | None, disk: DiskCache | None,
        weights_root: Path, workers: int = 0,
    ) -> None:  # fmt: skip
        self.spec, self.network, self.task, self.images = spec, network, task, images
        # A process that makes an entry waits for the others of its group, which would wait for the entry.
        self.disk = disk if Processes.current().count == 1 else None
        self.weights_root, self.workers = weights_root, workers
        self._known: dict[str, np.ndarray] = {}
        self._model: nn.Module | None = None

    def dataset(self, split: str, training: bool = False) -> "FeatureDataset":
        """A split with features in the place of images, transformed for training or for evaluation before.

        Raises:
            UserError: An image cannot be read.
        """
        source = self.image_dataset(split, training)
        if split not in PARTS:
            return FeatureDataset(source, self._features(source))
        parts = [self._features(self.image_dataset(part, training)) for part in PARTS[split]]
        return FeatureDataset(source, np.concatenate(parts))

    def image_dataset(self, split: str, training: bool = False) -> TaskDataset:
        """A split with its images, as the recipe wants them for training or for evaluation."""
        seed = self.spec.seed if training else None
        return image_dataset(self.task, split, self.spec.recipe, self.network.certificate, seed, self.images)

    def _features(self, source: TaskDataset) -> np.ndarray:
        key = self._key(source)
        if key not in self._known:
            disk = self.disk
            self._known[key] = self._extract(source) if disk is None else disk.array(key, lambda: self._extract(source))
        return self._known[key]

    def _extract(self, source: TaskDataset) -> np.ndarray:
        if self._model is None:
            device = next(self.network.model.parameters()).device
            self._model = folded(self.network.backbone.wrapped, source[0]["img"][None].to(device))
        model = self._model
        return collect(model, source, lambda images: pooled_features(model(images)), EVAL_BATCH, self.workers)

    def _checkpoint(self) -> str:
        name = self.spec.checkpoint
        return f"{RANDOM} {self.spec.seed}" if name == RANDOM else file_identity(name, root=self.weights_root)[1]

    def _key(self, source: TaskDataset) -> str:
        return files.sha256_json(
            {
                "features_version": FEATURES_VERSION,
                "checkpoint": self._checkpoint(),
                "backbone": self.spec.model["backbone"],
                "allow_partial": self.spec.allow_partial,
                "images": [source.images.identity, _file_states(source.images)],
                "pipeline": source.pipeline,
                "device": next(self.network.model.parameters()).device.type,
                "torch": torch.__version__,
            }
        )


def _file_states(images: Images) -> list[tuple[int, ...]]:
    """What changes when a listed file does; a list names its images, but does not hold them."""
    listed = getattr(images, "source", images)
    if not isinstance(listed, ListedImages):
        return []
    states = ((listed.folder / name).stat() for name in listed.annotations.names)
    return [(s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for s in states]


class FeatureDataset(TaskDataset):
    """A data set whose items hold the backbone's pooled features (C,) in the place of the image.

    Args:
        source: The images.
        features: (N, C).
    """

    def __init__(self, source: TaskDataset, features: np.ndarray) -> None:
        self.task, self.images, self.split = source.task, source.images, source.split
        self.seed, self.epoch, self.is_static = source.seed, source.epoch, True
        self.features = torch.from_numpy(np.array(features))

    def open(self) -> None:
        """Nothing to do: features are in memory."""

    def _image(self, index: int) -> Any:
        return self.features[index]
