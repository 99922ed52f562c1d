"""Which memory layout a network may be put in: the fastest one that torch computes correctly."""

import torch
from torch import nn

# oneDNN's AVX2 kernels work on blocks of this many channels.
_BLOCK = 8


def memory_format(model: nn.Module, device: torch.device) -> torch.memory_format:
    """Channels-last, except on a CPU for networks whose backward pass torch 2.13 gets wrong in that layout.

    Two faults end the process, without a Python error (seen on torch 2.13.0 with oneDNN on AVX2):

    - The weight gradient of a strided 1x1 convolution with fewer than 8 input channels writes beyond its buffer
      (`jit_1x1:avx2`, backward_weights).
    - The backward pass of GroupNorm reads a missing gradient when its input needs none.

    Args:
        model: The network.
        device: Where it will compute.

    Returns:
        `torch.channels_last` or `torch.contiguous_format`.
    """
    if device.type == "cpu" and any(_is_unsafe(module) for module in model.modules()):
        return torch.contiguous_format
    return torch.channels_last


def _is_unsafe(module: nn.Module) -> bool:
    if isinstance(module, nn.GroupNorm):
        return True
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and module.stride != (1, 1)
        and module.in_channels // module.groups < _BLOCK
    )
