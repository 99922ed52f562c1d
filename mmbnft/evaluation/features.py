"""Features of a frozen backbone: computed once for each list of images, kept in memory and, if wanted, on disk."""

import functools
from typing import Any

import numpy as np
import torch
from torch import nn

from mmbnft.evaluation.cost import forward_multiply_adds
from mmbnft.evaluation.folding import folded
from mmbnft.evaluation.loaded_network import image_dataset
from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.models import pooled_features
from mmbnft.tasks import ImageCache, Images, ListedImages, SplitLedger, TaskDataset, collect
from mmbnft.utils import files
from mmbnft.utils.disk_cache import DiskCache
from mmbnft.utils.processes import Processes
from mmbnft.zoo.certificate import AnyCertificate

EVAL_BATCH = 128  # images a forward pass in eval mode; what comes out does not depend on it
# Raise it when a change to the code changes features, so that cached ones are not used any more.
FEATURES_VERSION = 2
PARTS = {"trainval": ("train", "val")}


class FeatureStore:
    """Pooled features of a run's checkpoint for the splits of its task.

    They do not depend on what is asked for in which order: train and val are computed by themselves also where they are
    needed together.

    Args:
        spec: The run.
        backbone: Its backbone with the checkpoint, in eval mode; used as it is when features are first asked for.
        certificate: Its load certificate.
        task: Its task.
        images: Keeps decoded images.
        disk: Keeps features for other runs.
        workers: Data-loading processes.
    """

    def __init__(
        self, spec: RunSpec, backbone: nn.Module, certificate: AnyCertificate, task: SplitLedger,
        images: ImageCache | None, disk: DiskCache | None, workers: int = 0,
    ) -> None:  # fmt: skip
        self.spec, self.backbone, self.certificate, self.task = spec, backbone, certificate, task
        # Decoding for features belongs to what the features cost, so the run's own record of it is left alone.
        self.images = ImageCache(images.disk.folder, images.disk.limit_bytes) if images is not None else None
        # A process that makes an entry waits for the others of its group, which would wait for the entry.
        self.disk = disk if Processes.current().count == 1 else None
        self.workers = workers
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

    @property
    def parameters(self) -> int:
        """Number of the backbone's parameters."""
        return sum(parameter.numel() for parameter in self.backbone.parameters())

    @functools.cached_property
    def multiply_adds(self) -> int:
        """Of one image's way through the backbone; to be asked for before choosing is closed."""
        image = self.image_dataset("train")[0]["img"]
        return forward_multiply_adds(self.backbone, image.to(self._device))

    def image_dataset(self, split: str, training: bool = False) -> TaskDataset:
        """A split with its images, as the recipe wants them for training or for evaluation."""
        seed = self.spec.seed if training else None
        return image_dataset(self.task, split, self.spec.recipe, self.certificate, seed, self.images)

    def _features(self, source: TaskDataset) -> np.ndarray:
        key = self._key(source)
        if key not in self._known:
            self._known[key] = self._extract(source) if self.disk is None else self._shared(self.disk, key, source)
        return self._known[key]

    def _shared(self, disk: DiskCache, key: str, source: TaskDataset) -> np.ndarray:
        decoded = self.images.disk if self.images is not None else None
        before = decoded.spent_seconds if decoded is not None else 0.0

        def correction() -> float:
            if decoded is None:
                return 0.0
            return sum(decoded.making_seconds.values()) - (decoded.spent_seconds - before)

        if decoded is not None:
            decoded.making_seconds.clear()
        return disk.array(key, lambda: self._extract(source), correction)

    def _extract(self, source: TaskDataset) -> np.ndarray:
        if self._model is None:
            self._model = folded(self.backbone, source[0]["img"][None].to(self._device))
        model = self._model
        return collect(model, source, lambda images: pooled_features(model(images)), EVAL_BATCH, self.workers)

    @property
    def _device(self) -> torch.device:
        return next(self.backbone.parameters()).device

    def _checkpoint(self) -> str:
        checkpoint = self.spec.checkpoint
        return f"{checkpoint.identity} {self.spec.seed}" if checkpoint.is_random else checkpoint.identity

    def _key(self, source: TaskDataset) -> str:
        return files.sha256_json(
            {
                "features_version": FEATURES_VERSION,
                "checkpoint": self._checkpoint(),
                "backbone": self.spec.model["backbone"],
                "allow_partial": self.spec.allow_partial,
                "images": [source.images.identity, _file_states(source.images)],
                "pipeline": source.pipeline,
                "device": self._device.type,
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
