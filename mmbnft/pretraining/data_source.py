"""The data source through which MMSelfSup's own data sets read images that are already in memory."""

from typing import Any

import numpy as np

from mmbnft.host import DATASOURCES, BaseDataSource


@DATASOURCES.register_module()
class BnftArraySource(BaseDataSource):
    """Images of an array, without labels.

    Args:
        images: uint8 array of shape (N, H, W, 3), RGB.
    """

    def __init__(self, images: np.ndarray) -> None:
        self.images = images
        super().__init__(data_prefix="")

    def load_annotations(self) -> list[dict[str, Any]]:
        """One entry per image in the host's form; the label is always 0, because nothing may learn from it."""
        return [{"img": image, "gt_label": 0} for image in self.images]
