"""Tensors of images that are in memory anyway, made once for all runs of a process that transform them alike."""

from typing import ClassVar
from weakref import WeakKeyDictionary

from torch import Tensor

from mmbnft.tasks.images import Images

MEMORY_LIMIT = 128 * 2**20  # bytes of tensors to keep for one array of images


class ConvertedImages:
    """What an unchanging pipeline makes of some images; kept as long as the images are.

    Every data set of the same images and the same pipeline sees the same tensors. Where they reach the limit, those of
    the pipelines used longest ago go first; what a single pipeline makes beyond it is made anew each time.

    Args:
        images: Images in memory, joined or by themselves.
        pipeline: Identifies the pipeline, its settings included.
    """

    _kept: ClassVar[WeakKeyDictionary[Images, dict[str, dict[int, Tensor]]]] = WeakKeyDictionary()

    def __init__(self, images: Images, pipeline: str) -> None:
        self.images, self.pipeline = images, pipeline

    def get(self, index: int) -> Tensor | None:
        """The tensor of image `index`, if it is there; not to be changed."""
        source, number = self.images.locate(index)
        return self._kept.get(source, {}).get(self.pipeline, {}).get(number)

    def keep(self, index: int, tensor: Tensor) -> None:
        """Keep the tensor of image `index` if there is room."""
        source, number = self.images.locate(index)
        pipelines = self._kept.setdefault(source, {})
        own = pipelines.pop(self.pipeline, {})
        pipelines[self.pipeline] = own  # in the order of their last use
        while _bytes(pipelines) + tensor.nbytes > MEMORY_LIMIT:
            oldest = next(iter(pipelines))
            if oldest == self.pipeline:
                return
            del pipelines[oldest]
        own[number] = tensor


def _bytes(pipelines: dict[str, dict[int, Tensor]]) -> int:
    # The images of an array have one size, and so have the tensors that a pipeline makes of them.
    return sum(len(kept) * next(iter(kept.values())).nbytes for kept in pipelines.values() if kept)
