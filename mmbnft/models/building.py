"""Backbones by configuration: the host's own types, mmcls's without their scope, and the networks of libraries."""

from typing import Any

from torch import nn

from mmbnft.host import BACKBONES
from mmbnft.host import build_backbone as build_host_backbone
from mmbnft.zoo.architecture import HOST, LIBRARIES, LibraryNetwork
from mmbnft.zoo.library import build_library_network

TIMM, TORCHVISION = LIBRARIES["timm"], LIBRARIES["torchvision"]


@BACKBONES.register_module(name=TIMM)
def timm_backbone(model_name: str, pooling: str = "") -> nn.Module:
    """A network of timm without classifier, its state-dict keys timm's; `mmcls.TIMMBackbone` puts `timm_model.` first.

    Args:
        model_name: timm's name of it.
        pooling: `class`, `mean` or `both` for a network of tokens; empty for its own way.
    """
    return build_library_network(LibraryNetwork("timm", model_name, pooling))


@BACKBONES.register_module(name=TORCHVISION)
def torchvision_backbone(model_name: str, pooling: str = "") -> nn.Module:
    """A network of torchvision without classifier, its state-dict keys torchvision's.

    Args:
        model_name: torchvision's name of it.
        pooling: `class`, `mean` or `both` for a network of tokens; empty for its own way.
    """
    return build_library_network(LibraryNetwork("torchvision", model_name, pooling))


def scoped(config: dict[str, Any]) -> dict[str, Any]:
    """A backbone's configuration, its type with the scope that the host wants where only mmcls has it.

    Args:
        config: `type` and its keyword arguments.
    """
    kind = config.get("type")
    if isinstance(kind, str) and BACKBONES.get(kind) is None and BACKBONES.get(f"{HOST}.{kind}") is not None:
        return dict(config, type=f"{HOST}.{kind}")
    return dict(config)


def build_backbone(config: dict[str, Any]) -> Any:
    """Build a backbone; a type that only mmcls has need not be written with its scope.

    Args:
        config: `type` and its keyword arguments.
    """
    return build_host_backbone(scoped(config))
