"""Small networks of every family, with what a person reads off them by hand."""

from dataclasses import dataclass

import timm
import torch
from mmcls.models import BACKBONES as MMCLS_BACKBONES
from mmcls.models.backbones import EfficientNet, ResNeXt, SEResNet
from mmselfsup.models.backbones import ResNet, ResNetV1d
from timm.layers import BatchNormAct2d
from timm.models.resnetv2 import ResNetV2
from torch import nn


@dataclass(frozen=True)
class Case:
    """A network, whether it keeps running statistics, has a `paper` selection, and where its last stage is.

    Offsets with the endings `shifts` reach the loss only through later batch norms, which take them out again: their
    gradient is nothing but rounding where the statistics are those of the batch.
    """

    build: object
    has_stats: bool
    has_paper: bool
    stages: int
    last_stage: tuple[str, ...]
    shifts: tuple[str, ...] = ()


def _short(backbone, depth, **config):
    """A narrow ResNet of the host's with few blocks."""
    block = backbone.arch_settings[depth][0]
    short = type(backbone.__name__, (backbone,), {"arch_settings": {depth: (block, (1, 2, 1, 2))}})
    return lambda: short(depth=depth, stem_channels=8, base_channels=8, **config)


def _mmcls(**config):
    return lambda: MMCLS_BACKBONES.build(config)


class SlimEfficientNet(EfficientNet):
    """EfficientNet of a quarter of the width and under half the depth."""

    arch_settings = {"b0": (0.25, 0.4, 32)}


def _preactivation():
    return ResNetV2((1, 1, 1, 2), channels=(16, 32, 64, 96), stem_chs=8, num_classes=0, norm_layer=BatchNormAct2d)


def _timm_vit():
    model = timm.models.vision_transformer.VisionTransformer
    return model(img_size=32, patch_size=8, embed_dim=24, depth=6, num_heads=3, num_classes=0, proj_drop_rate=0.1)


_VIT = {"embed_dims": 24, "num_layers": 5, "num_heads": 3, "feedforward_channels": 48}
_REGNET = {"w0": 16, "wa": 14.0, "wm": 2.0, "group_w": 8, "depth": 9, "bot_mul": 1.0}
_DENSENET = {"growth_rate": 8, "depths": [2, 2, 2, 2], "init_channels": 16}
_CONVNEXT = {"depths": [1, 1, 2, 1], "channels": [8, 16, 24, 32]}
LAYER4 = ("layer4.",)

CASES = {
    "resnet18": Case(_short(ResNet, 18), True, True, 4, LAYER4),
    "resnet50": Case(_short(ResNet, 50), True, True, 4, LAYER4),
    "resnet_v1d": Case(_short(ResNetV1d, 50), True, True, 4, LAYER4),
    "resnext": Case(_short(ResNeXt, 50, groups=4, width_per_group=4), True, True, 4, LAYER4),
    "seresnet": Case(_short(SEResNet, 50, se_ratio=4), True, True, 4, LAYER4),
    "mobilenet_v2": Case(
        _mmcls(type="mmcls.MobileNetV2", widen_factor=0.25),
        True,
        False,
        7,
        ("layer7.", "conv2."),
        (".conv.1.bn.bias", ".conv.2.bn.bias"),
    ),
    "densenet": Case(
        _mmcls(type="mmcls.DenseNet", arch=_DENSENET),
        True,
        False,
        4,
        ("stages.3.", "transitions.2.", "transitions.3."),
    ),
    "efficientnet": Case(
        lambda: SlimEfficientNet(arch="b0"),
        True,
        False,
        5,
        ("layers.5.", "layers.6."),
        (".linear_conv.bn.bias",),
    ),
    "regnet": Case(_mmcls(type="mmcls.RegNet", arch=_REGNET), True, True, 4, LAYER4),
    "preactivation": Case(_preactivation, True, False, 4, ("stages.3.", "norm.")),
    "convnext": Case(
        _mmcls(type="mmcls.ConvNeXt", arch=_CONVNEXT, layer_scale_init_value=1.0),
        False,
        False,
        4,
        ("stages.3.", "downsample_layers.3.", "norm3."),
    ),
    "vit": Case(
        _mmcls(type="mmcls.VisionTransformer", arch=_VIT, img_size=32, patch_size=8, drop_rate=0.1),
        False,
        False,
        4,
        ("layers.4.", "ln1."),
    ),
    "timm_vit": Case(_timm_vit, False, False, 4, ("blocks.5.", "norm.")),
}


def build(name: str) -> nn.Module:
    """A network of generic weights and fitting statistics, in float64 so that no small step is rounded away."""
    torch.manual_seed(0)
    network = CASES[name].build().double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:  # scales and offsets, otherwise all ones and zeros
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
    # Features of a sane scale in eval mode, as in a pre-trained network.
    torch.optim.swa_utils.update_bn([images(seed=10), images(seed=11), images(seed=12)], network)
    return network


def images(count: int = 6, size: int = 32, seed: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def features(network: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    """Every output of a network (maps, tokens, class token) as one matrix (N, D), scaled so that no loss saturates."""

    def flatten(output):
        if isinstance(output, list | tuple):
            return [leaf for item in output for leaf in flatten(item)]
        return [output.flatten(2).mean(2) if output.ndim > 2 else output]

    matrix = torch.cat(flatten(network(batch)), dim=1)
    return nn.functional.layer_norm(matrix, matrix.shape[1:])
