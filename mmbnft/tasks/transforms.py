"""Transforms that torchvision lacks, in the host's registry."""

from torch import Tensor, nn

from mmbnft.host import PIPELINES


@PIPELINES.register_module()
class ReverseChannels(nn.Module):
    """Turns RGB into BGR, or back: some published code hands its networks images as OpenCV decodes them."""

    def forward(self, image: Tensor) -> Tensor:
        """Reverse the channels of an image (3, H, W)."""
        return image.flip(0)
