"""The images of a manifest as tensors, and passes of a fixed size through a network."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmbnft.fewshot.batching import in_fixed_batches
from mmbnft.fewshot.manifest import Manifest
from mmbnft.models import pooled_features
from mmbnft.tasks import ImageCache, Images, Task, TaskDataset, collect
from mmbnft.utils.errors import UserError
from mmbnft.zoo.certificate import AnyCertificate
from mmbnft.zoo.normalisation import needed

FEATURE_BATCH = 128


class ChosenImages(Images):
    """Some of the images of a pool, renumbered from 0.

    Args:
        pool: All images.
        numbers: Sorted numbers of those to keep.
    """

    def __init__(self, pool: Images, numbers: np.ndarray) -> None:
        self.pool, self.numbers = pool, numbers
        self.labels = pool.labels[numbers]
        self.identity = pool.identity
        self.in_memory = pool.in_memory

    def open(self) -> None:
        """See `Images`."""
        self.pool.open()

    def pixels(self, index: int) -> np.ndarray:
        """See `Images`."""
        return self.pool.pixels(int(self.numbers[index]))

    def name(self, index: int) -> str:
        """See `Images`."""
        return self.pool.name(int(self.numbers[index]))

    def locate(self, index: int) -> tuple[Images, int]:
        """See `Images`."""
        return self.pool.locate(int(self.numbers[index]))


class EpisodeImages:
    """The transformed images of a manifest, and their features.

    Args:
        task: The task.
        manifest: Its episodes.
        pipeline: Transforms of an image before conversion and normalisation.
        certificate: Load certificate of the checkpoint, for the normalisation.
        device: Where tensors go.
        workers: Data-loading processes while features are computed.
        cache: Keeps decoded images, for every method and checkpoint.

    Raises:
        UserError: A transform is wrong or random.
    """

    def __init__(
        self,
        task: Task,
        manifest: Manifest,
        pipeline: list[dict[str, Any]],
        certificate: AnyCertificate,
        device: torch.device,
        workers: int = 0,
        cache: ImageCache | None = None,
    ) -> None:
        self.device, self.workers = device, workers
        self.numbers = manifest.images()
        steps = [*pipeline, {"type": "ToTensor"}]
        steps.append({"type": "Normalize", **needed(certificate)})
        self.dataset = TaskDataset(task, manifest.settings.pool, steps, cache=cache)
        self.dataset.images = ChosenImages(self.dataset.images, self.numbers)
        if not self.dataset.is_static:
            raise UserError("the test_pipeline of episodes must not be random; use Resize, CenterCrop or Pad")

    def places(self, numbers: np.ndarray) -> np.ndarray:
        """Where the images with these numbers of the pool stand among those of the manifest."""
        return np.searchsorted(self.numbers, numbers)

    def tensor(self, numbers: np.ndarray) -> Tensor:
        """Images (..., 3, H, W) of image numbers (...).

        Raises:
            UserError: The images differ in size.
        """
        images = [self.dataset[place]["img"] for place in self.places(numbers).ravel()]
        if len({image.shape for image in images}) > 1:
            sizes = sorted({f"{image.shape[-2]} x {image.shape[-1]}" for image in images})
            raise UserError(f"images of episodes differ in size ({', '.join(sizes[:5])}); add Resize to test_pipeline")
        return torch.stack(images).reshape(*numbers.shape, *images[0].shape).to(self.device)

    def features(self, backbone: nn.Module) -> Tensor:
        """Pooled features (n, D) of all images of the manifest, in its order, in eval mode.

        Raises:
            UserError: A feature is not finite.
        """

        def compute(images: Tensor) -> Tensor:
            return in_fixed_batches(lambda batch: pooled_features(backbone(batch)), images, FEATURE_BATCH)

        features = torch.from_numpy(collect(backbone, self.dataset, compute, FEATURE_BATCH, self.workers))
        wrong = torch.nonzero(~torch.isfinite(features).all(dim=1)).ravel()
        if len(wrong):
            name = self.dataset.images.name(int(wrong[0]))
            raise UserError(f"the features of {len(wrong)} images are not finite, e.g. of {name}; check the checkpoint")
        return features.to(self.device)
