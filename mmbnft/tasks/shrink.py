"""The size images are stored in."""

from PIL import Image

from mmbnft.host import PIPELINES, resize
from mmbnft.utils.errors import UserError


@PIPELINES.register_module()
class BnftShrink:
    """Resizes an image whose shorter side is longer than `side` to that side, antialiased; never enlarges.

    Args:
        side: Pixels.

    Raises:
        UserError: The side is not a positive whole number.
    """

    def __init__(self, side: int) -> None:
        if not isinstance(side, int) or isinstance(side, bool) or side < 1:
            raise UserError(f"the side of a stored image must be a whole number of pixels from 1, got {side!r}")
        self.side = side

    def __call__(self, image: Image.Image) -> Image.Image:
        """The image, its proportions kept."""
        # On PIL images torchvision's bilinear resizing averages over all pixels it leaves out.
        return resize(image, self.side) if min(image.size) > self.side else image
