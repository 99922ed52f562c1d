"""A split of a task as a data set of the host framework."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

import mmbnft.tasks.shrink
import mmbnft.tasks.transforms  # noqa: F401  (both register)
from mmbnft.host import DATASETS, PIPELINES, Compose, build_from_cfg
from mmbnft.tasks.converted import ConvertedImages
from mmbnft.tasks.image_cache import KEPT_TRANSFORMS, ImageCache, kept_steps
from mmbnft.tasks.ledger import SplitLedger
from mmbnft.tasks.metrics import compute_metric
from mmbnft.tasks.registry import build_task
from mmbnft.tasks.task import Task
from mmbnft.utils.errors import UserError

# Transforms without a random draw: what they make of an image never changes, so it needs to be made only once.
STATIC_TRANSFORMS = KEPT_TRANSFORMS | {"Grayscale", "ToTensor", "ReverseChannels", "Normalize"}


@DATASETS.register_module()
class TaskDataset(Dataset):
    """One split of a task, transformed; an item is `dict(img=(3, H, W) float, label=int64, idx=int)`.

    Args:
        task: A task, what a ledger lets see of one, or the configuration of one.
        split: `train`, `val`, `test` or `trainval`.
        pipeline: Transforms of the host's PIPELINES registry (torchvision's among them), applied to PIL images.
        seed: If given, random transforms depend only on (seed, epoch, image), not on workers, processes or order.
        cache: Keeps what the pipeline's first, unchanging transforms make of images that are files. Without one they
            are decoded each time. Images that are in memory anyway do not use it: if the whole pipeline is unchanging,
            their tensors are kept in memory too, for all data sets of the process.

    Raises:
        UserError: Task, split or a transform is wrong.
    """

    def __init__(
        self,
        task: Task | SplitLedger | dict[str, Any],
        split: str,
        pipeline: Sequence[dict[str, Any]],
        seed: int | None = None,
        cache: ImageCache | None = None,
    ) -> None:
        self.task = build_task(task) if isinstance(task, dict) else task
        self.images = self.task.images(split)
        self.split = split
        self.seed = seed
        self.epoch = 0
        self.CLASSES = list(self.task.classes)
        self.pipeline = [dict(step) for step in pipeline]
        transforms = [_build_transform(step) for step in pipeline]
        if cache is not None and not self.images.in_memory:
            kept = kept_steps(pipeline)
            self.images = cache.keep(self.images, pipeline[:kept], Compose(transforms[:kept]))
            transforms = transforms[kept:]
        self.transform = Compose(transforms)
        self._pipeline_key = str(self.pipeline)
        self.is_static = all(step["type"] in STATIC_TRANSFORMS for step in pipeline)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def open(self) -> None:
        """Make ready what data-loading processes will share; to be called before they start."""
        self.images.open()

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The transformed image, its label and its number."""
        index = int(index)
        return {"img": self._image(index), "label": self.images.labels[index], "idx": index}

    def _image(self, index: int) -> torch.Tensor:
        if not (self.is_static and self.images.in_memory):
            return self._transformed(index)
        converted = ConvertedImages(self.images, self._pipeline_key)
        image = converted.get(index)
        if image is None:
            image = self._transformed(index)
            converted.keep(index, image)
        return image

    def _transformed(self, index: int) -> torch.Tensor:
        with self._own_randomness(index):
            return self.transform(Image.fromarray(self.images.pixels(index)))

    @contextmanager
    def _own_randomness(self, index: int) -> Iterator[None]:
        """Seed every generator a transform may draw from by (seed, epoch, image), and put it back afterwards."""
        if self.seed is None or self.is_static:
            yield
            return
        seed = int(np.random.SeedSequence([self.seed, self.epoch, index]).generate_state(1)[0])
        states = random.getstate(), np.random.get_state(), torch.get_rng_state()
        random.seed(seed)
        np.random.seed(seed)
        # torch.manual_seed would seed accelerators too, which nobody puts back, and takes longer than a crop.
        torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_rng_state(states[2])

    def evaluate(self, results: dict[str, np.ndarray], logger: Any = None, **_ignored: Any) -> dict[str, float]:
        """The task's metric in percent for each output, as the host's evaluation hook asks for it.

        Args:
            results: Scores (N, C) by output name, in the order of the images.
            logger: Unused; the host passes one.
        """
        return {
            f"{name}_{self.task.metric}": compute_metric(self.task.metric, scores, self.images.labels)
            for name, scores in results.items()
        }


def build_pipeline(steps: Sequence[dict[str, Any]]) -> Compose:
    """Transforms of the host's registry as one function of a PIL image.

    Raises:
        UserError: A transform is unknown or an argument does not fit.
    """
    return Compose([_build_transform(step) for step in steps])


def _build_transform(step: dict[str, Any]) -> Any:
    try:
        return build_from_cfg(dict(step), PIPELINES)
    except (KeyError, TypeError) as error:
        raise UserError(f"the transform {step} cannot be built: {error}; see torchvision.transforms") from error
