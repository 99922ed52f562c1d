"""The host's configuration of a model for a checkpoint's network."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from mmbnft.utils.errors import UserError
from mmbnft.zoo.architecture import AnyNetwork, Architecture, HostNetwork, LibraryNetwork, network_from_config
from mmbnft.zoo.checkpoint import Checkpoint

_WIDTHS = ("base_channels", "stem_channels")
# The algorithm around a backbone, as configs/_base_/models has it.
CLASSIFICATION = {"type": "Classification", "head": {"type": "BnftLinearHead"}}


def backbone_config(network: AnyNetwork) -> dict[str, Any]:
    """The backbone of a network, for ResNets as configs/_base_/models has it."""
    if not isinstance(network, Architecture):
        return network.to_dict()
    # The two classes number their stages from 1 and from 0.
    last = 3 if network.small_stem else 4
    backbone = network.to_dict() | {"in_channels": 3, "out_indices": [last], "norm_cfg": {"type": "BN"}}
    usual = Architecture().to_dict()
    return {name: value for name, value in backbone.items() if name not in _WIDTHS or value != usual[name]}


def model_of(model: dict[str, Any], checkpoint: Checkpoint) -> dict[str, Any]:
    """The model of a configuration with the backbone of a checkpoint's own network, where that is known to be another.

    Args:
        model: Configuration of a host algorithm; without `backbone` where each checkpoint has its own.
        checkpoint: The checkpoint.

    Raises:
        UserError: Nothing tells the network.
    """
    backbone, own = model.get("backbone"), checkpoint.architecture
    if backbone is None and own is None:
        checkpoint.refuse_several_networks()
        raise UserError(
            f"the network of {checkpoint.name} ({checkpoint.path}) is unknown; state it with --network timm:NAME, "
            "torchvision:NAME or mmcls:TYPE, in a catalogue of your own, or write a configuration with its model"
        )
    if backbone is not None and (own is None or _is_of(backbone, own)):
        return model
    assert own is not None
    return dict(model, backbone=backbone_config(own))


def _is_of(backbone: Any, own: AnyNetwork) -> bool:
    """Whether a configured backbone may be what a checkpoint holds; it can have settings that no checkpoint tells."""
    configured = network_from_config(backbone)
    if isinstance(own, Architecture) and not isinstance(configured, Architecture):
        return True  # e.g. a ResNeXt, whose keys are those of a ResNet
    if isinstance(own, LibraryNetwork) and isinstance(configured, HostNetwork):
        return own.library == "timm" and backbone.get("model_name") == own.name  # mmcls's own wrapper of timm
    if isinstance(own, LibraryNetwork) and isinstance(configured, LibraryNetwork) and not own.pooling:
        configured = dataclasses.replace(configured, pooling="")
    return configured == own


def with_models(
    model: dict[str, Any], checkpoints: Sequence[Checkpoint | UserError]
) -> list[tuple[dict[str, Any], Checkpoint | UserError]]:
    """Each checkpoint with its model, and the random control once for each network.

    Args:
        model: As for `model_of`.
        checkpoints: The checkpoints; where one is not there, what it lacks.
    """
    found: list[tuple[dict[str, Any], Checkpoint | UserError]] = []
    networks: dict[str, dict[str, Any]] = {}
    for checkpoint in checkpoints:
        if isinstance(checkpoint, UserError) or checkpoint.is_random:
            continue
        try:
            own = model_of(model, checkpoint)
        except UserError:
            continue
        networks.setdefault(repr(own), own)
    for checkpoint in checkpoints:
        if isinstance(checkpoint, UserError):
            found.append((model, checkpoint))
        elif checkpoint.is_random:
            found += _controls(checkpoint, list(networks.values()) or [_whole(model)])
        else:
            try:
                found.append((model_of(model, checkpoint), checkpoint))
            except UserError as error:
                found.append((model, error))
    return found


def _controls(control: Checkpoint, models: list[dict[str, Any]]) -> list[tuple[dict[str, Any], Checkpoint | UserError]]:
    if len(models) == 1:
        return [(models[0], control)]
    names = [f"{control.name} {network_from_config(model['backbone'])}" for model in models]
    return [(model, dataclasses.replace(control, name=name)) for model, name in zip(models, names, strict=True)]


def _whole(model: dict[str, Any]) -> dict[str, Any]:
    """With the usual network where the configuration names none."""
    return model if "backbone" in model else dict(model, backbone=backbone_config(Architecture()))
