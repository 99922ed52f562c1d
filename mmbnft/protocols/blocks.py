"""The `paper` selection: which norm layers of a ResNet the published BN tuning code trains.

In a bottleneck ResNet these are the stem's norm and the second and third norm of every block, neither the first nor
the shortcut's; in a basic-block ResNet the stem's and the second of every block (source: the unfreezing rule of
vpulab/bn_finetuning, applied to its ResNet-50). Here the rule is read off the structure of the blocks:

- a residual block holds, as direct children, convolutions and norm layers in turn, each norm as wide as the convolution
  before it: kernels 1, k, 1 (bottleneck; ResNeXt's groups allowed, a depthwise middle not) or k, k (basic), with k > 1;
- every norm layer deeper inside a block belongs to its shortcut or attention and is not selected;
- every norm layer registered before the first block belongs to the stem and is selected: the three of a deep stem too;
- a norm layer anywhere else means that this is some other kind of network.
"""

from itertools import pairwise

from torch import nn
from torch.nn.modules.conv import _ConvNd

from mmbnft.protocols.norms import NormLayer, find_norm_layers, norm_kind
from mmbnft.utils.errors import UserError


def select_paper_layers(module: nn.Module) -> list[NormLayer]:
    """Norm layers of a ResNet that the published code trains, in the order of `find_norm_layers`.

    Raises:
        UserError: The network is not a ResNet of basic or bottleneck blocks.
    """
    blocks = _find_blocks(module)
    if not blocks:
        raise _refusal(module, "it has no basic or bottleneck residual blocks with norms after their convolutions")
    wanted = {id(norm) for norms in blocks.values() for norm in norms[1:]}
    selected, seen_block = [], False
    for layer in find_norm_layers(module):
        if _is_inside(layer.name, blocks):
            seen_block = True
            if id(layer.module) in wanted:
                selected.append(layer)
        elif seen_block:
            raise _refusal(module, f"its norm layer {layer.name} lies outside the stem and the residual blocks")
        else:
            selected.append(layer)
    return selected


def _find_blocks(module: nn.Module) -> dict[str, list[nn.Module]]:
    """Residual blocks by name, each with its main-path norm layers in order."""
    candidates = {name: _main_norms(child) for name, child in module.named_modules()}
    blocks = {name: norms for name, norms in candidates.items() if norms}
    # A stem of two plain convolutions at the top of a network looks like a block that contains all the others.
    return {name: norms for name, norms in blocks.items() if not any(_is_below(other, name) for other in blocks)}


def _main_norms(block: nn.Module) -> list[nn.Module]:
    """Norm layers on a residual block's main path; empty if the module is not such a block."""
    if isinstance(block, nn.Sequential):
        return []
    path = [child for child in block.children() if isinstance(child, _ConvNd) or norm_kind(child) is not None]
    convs, norms = path[0::2], path[1::2]
    if len(path) not in (4, 6) or any(norm_kind(norm) is None for norm in norms):
        return []
    chain = [conv for conv in convs if isinstance(conv, _ConvNd)]
    if len(chain) != len(norms) or not _has_residual_kernels(chain):
        return []
    in_step = all(conv.out_channels == _width(norm) for conv, norm in zip(chain, norms, strict=True))
    linked = all(first.out_channels == second.in_channels for first, second in pairwise(chain))
    return norms if in_step and linked else []


def _has_residual_kernels(convs: list[_ConvNd]) -> bool:
    kernels = [conv.kernel_size[0] for conv in convs]
    depthwise = any(conv.groups > 1 and conv.groups == conv.in_channels for conv in convs)
    wide = kernels[1:2] if len(kernels) == 3 else kernels
    narrow = kernels[0::2] if len(kernels) == 3 else []
    return not depthwise and all(kernel > 1 for kernel in wide) and all(kernel == 1 for kernel in narrow)


def _width(norm: nn.Module) -> int:
    """Number of channels that a norm layer normalises."""
    for attribute in ("num_features", "num_channels"):
        if hasattr(norm, attribute):
            return int(getattr(norm, attribute))
    return int(norm.normalized_shape[-1])  # type: ignore[index]


def _is_below(name: str, ancestor: str) -> bool:
    return name != ancestor and (ancestor == "" or name.startswith(f"{ancestor}."))


def _is_inside(name: str, blocks: dict[str, list[nn.Module]]) -> bool:
    return any(_is_below(name, block) for block in blocks)


def _refusal(module: nn.Module, reason: str) -> UserError:
    return UserError(
        f"norm_layers 'paper' has no meaning for {type(module).__name__}, because {reason}; "
        "choose norm_layers 'all' (protocol bn), or a ResNet, ResNeXt or SE-ResNet"
    )
