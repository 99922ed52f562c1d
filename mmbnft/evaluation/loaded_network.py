"""From a spec to a model with its checkpoint loaded and its data sets normalised accordingly."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import mmbnft.models.linear_head  # noqa: F401  (registers)
from mmbnft.evaluation.run_spec import RunSpec, is_frozen
from mmbnft.host import BaseModule, build_algorithm, get_logger
from mmbnft.models import ProtocolBackbone, pooled_features
from mmbnft.models.building import build_backbone
from mmbnft.protocols import find_norm_layers
from mmbnft.recipes.recipe import Recipe
from mmbnft.tasks import ImageCache, SplitLedger, Task, TaskDataset
from mmbnft.tasks.dataset import STATIC_TRANSFORMS
from mmbnft.utils.errors import MachineError, UserError, failure_kind
from mmbnft.utils.memory_format import memory_format
from mmbnft.zoo import Checkpoint
from mmbnft.zoo.architecture import network_from_config
from mmbnft.zoo.certificate import AnyCertificate, ControlCertificate


@dataclass(frozen=True)
class Network:
    """A model ready to be adapted.

    Attributes:
        model: The host algorithm, its backbone wrapped in the protocol's first phase.
        initial: Its state before any training, to start each trial from.
        certificate: The load certificate.
        head: Configuration of the model's head, sizes included.
    """

    model: nn.Module
    initial: dict[str, Tensor]
    certificate: AnyCertificate
    head: dict[str, Any]

    @property
    def backbone(self) -> ProtocolBackbone:
        """The wrapped backbone."""
        backbone = self.model.backbone
        assert isinstance(backbone, ProtocolBackbone)
        return backbone

    def reset(self) -> None:
        """Back to the state before training, in the protocol's first phase."""
        self.model.load_state_dict(self.initial)
        self.backbone.enter_phase(0)


def build_network(spec: RunSpec, task: Task | SplitLedger, device: torch.device, saves_memory: bool = False) -> Network:
    """Build the model of a spec and load its checkpoint completely.

    Args:
        spec: The run.
        task: Its task, for the size of the head and of the images.
        device: Where the model goes.
        saves_memory: Whether to keep fewer activations in training.

    Raises:
        UserError: The model cannot be built, or the checkpoint does not fill it.
        MachineError: The device lacks the precision.
    """
    recipe = spec.recipe
    if recipe.precision != "float32" and device.type == "cpu":
        raise MachineError(
            f"precision of recipe {recipe.name!r} is {recipe.precision}, which is slower than float32 on a "
            "CPU; set precision='float32', or run it on a GPU with --device cuda"
        )
    backbone, certificate = load_checkpoint(spec.model, spec.checkpoint, spec.seed)
    sample = image_dataset(task, "train", recipe, certificate)[0]["img"]
    head = {"num_classes": len(task.classes), "multi_label": task.multi_label} | dict(spec.model["head"])
    if recipe.norm_before_classifier:
        head["norm_before_classifier"] = True
    head["in_channels"] = _width(backbone, sample)
    wrapper = {
        "type": "ProtocolBackbone",
        "backbone": backbone,
        "protocol": spec.adaptation,
        "takes_features": features_suffice(spec),
        "saves_memory": saves_memory,
        "precision": recipe.precision,
    }
    # The head must not depend on how many numbers the backbone's initialisation drew.
    torch.manual_seed(spec.seed)
    model = built(build_algorithm, dict(spec.model, backbone=wrapper, head=head))
    model.head.init_weights()
    model = model.to(device=device, memory_format=memory_format(model, device))
    return Network(model, {name: tensor.clone() for name, tensor in model.state_dict().items()}, certificate, head)


def features_suffice(spec: RunSpec) -> bool:
    """Whether neither the backbone nor the training images change from epoch to epoch.

    Then the backbone's features are all that training and evaluation need of it.
    """
    frozen = is_frozen(spec.adaptation)
    return frozen and all(step["type"] in STATIC_TRANSFORMS for step in spec.recipe.training_steps)


def frozen_backbone(spec: RunSpec, device: torch.device) -> tuple[nn.Module, AnyCertificate]:
    """The bare backbone of a spec with its checkpoint, for features, and its certificate; raises as `load_checkpoint`.

    Args:
        spec: The run.
        device: Where the backbone goes.
    """
    backbone, certificate = load_checkpoint(spec.model, spec.checkpoint, spec.seed)
    backbone.to(device=device, memory_format=memory_format(backbone, device))  # type: ignore[call-overload]
    backbone.requires_grad_(False)
    backbone.train(False)  # the host's backbones return nothing here
    return backbone, certificate


def load_checkpoint(model: dict[str, Any], checkpoint: Checkpoint, seed: int) -> tuple[nn.Module, AnyCertificate]:
    """Build the bare backbone of a model and fill it with a checkpoint.

    Args:
        model: Configuration of a host algorithm with `backbone`.
        checkpoint: The checkpoint, or the random control.
        seed: Seed of the weights of the control.

    Returns:
        The backbone, and the load certificate.

    Raises:
        UserError: The backbone cannot be built or the checkpoint does not fill it.
    """
    # mmcv reports the initialisation of every tensor to a logger of this name, one message each.
    get_logger("mmcv").setLevel(logging.WARNING)
    torch.manual_seed(seed)
    backbone = built(build_backbone, model["backbone"])
    if isinstance(backbone, BaseModule):  # others have random weights from the beginning
        backbone.init_weights()
    if checkpoint.is_random:
        normalisation = checkpoint.need_normalisation().to_dict()
        return backbone, ControlCertificate(normalisation, checkpoint.normalisation_known_from)
    return backbone, checkpoint.load(backbone)


def built(build: Callable[[dict[str, Any]], Any], config: dict[str, Any]) -> Any:
    """Build a module of the host stack from its configuration.

    Raises:
        UserError: The type is unknown or an argument does not fit.
    """
    try:
        return build(config)
    except UserError:
        raise
    except (KeyError, TypeError, ValueError, AssertionError, AttributeError) as error:
        norm = config.get("norm_cfg", config.get("backbone", {}).get("norm_cfg")) or {}
        # The host only asserts that the number is there, without a word.
        lacks_groups = norm.get("type") == "GN" and "num_groups" not in norm
        reason = "norm_cfg of type GN needs num_groups, a divisor of every layer's channels" if lacks_groups else error
        raise UserError(
            f"the model {config.get('type')!r} cannot be built: {reason}; check its configuration"
        ) from error


@torch.no_grad()
def _width(backbone: nn.Module, image: Tensor) -> int:
    """Width of a backbone's pooled features, found by one forward pass in eval mode.

    Raises:
        UserError: The network does not take images of this size.
    """
    mode = backbone.training
    backbone.train(False)  # the host's backbones return nothing here
    try:
        width = pooled_features(backbone(image[None])).shape[1]
    except (AssertionError, RuntimeError) as error:
        if failure_kind(error) == "memory":
            raise
        size = " x ".join(map(str, image.shape[1:]))
        raise UserError(
            f"the network {type(backbone).__name__} does not take images of {size} pixels ({error}); give the recipe "
            "a test_pipeline and train_pipeline of a size that it takes"
        ) from error
    backbone.train(mode)
    return width


def network_facts(config: dict[str, Any], backbone: nn.Module, multiply_adds: int) -> dict[str, Any]:
    """What results say of a network.

    Args:
        config: Configuration of the backbone.
        backbone: The backbone as built.
        multiply_adds: Of one image's way through it, see `forward_multiply_adds`.

    Returns:
        `name`, `parameters`, `multiply_adds`, and `norms`, the number of norm layers of each kind.
    """
    norms = Counter(layer.kind for layer in find_norm_layers(backbone))
    return {
        "name": str(network_from_config(config)),
        "parameters": sum(parameter.numel() for parameter in backbone.parameters()),
        "multiply_adds": multiply_adds,
        "norms": dict(norms),
    }


def image_dataset(
    task: Task | SplitLedger,
    split: str,
    recipe: Recipe,
    certificate: AnyCertificate,
    training_seed: int | None = None,
    cache: ImageCache | None = None,
) -> TaskDataset:
    """A split as a recipe wants it: transformed, its channels ordered, normalised.

    Args:
        task: The task.
        split: `train`, `val`, `test` or `trainval`.
        recipe: Says what to do with the images.
        certificate: The checkpoint's, for the normalisation of its inputs.
        training_seed: If given, the images are transformed for training, at random by this seed; otherwise for
            evaluation.
        cache: Keeps decoded images.
    """
    pipeline = recipe.test_pipeline if training_seed is None else recipe.training_steps
    return TaskDataset(task, split, input_steps(pipeline, recipe, certificate), training_seed, cache)


def input_steps(pipeline: list[dict[str, Any]], recipe: Recipe, certificate: AnyCertificate) -> list[dict[str, Any]]:
    """Every transform from an RGB image to the network's input.

    Args:
        pipeline: The recipe's transforms of images.
        recipe: Says the order of channels, and by what inputs are normalised.
        certificate: As for `image_dataset`.
    """
    steps = [*pipeline, {"type": "ToTensor"}]
    if recipe.channel_order == "bgr":
        steps.append({"type": "ReverseChannels"})
    own = recipe.normalisation
    normalisation = certificate.normalisation if isinstance(own, str) else own
    if normalisation:
        # A checkpoint's statistics are those of red, green and blue; a recipe's own meet the channels by position.
        order = -1 if isinstance(own, str) and recipe.channel_order == "bgr" else 1
        mean, std = (list(normalisation[name])[::order] for name in ("mean", "std"))
        steps.append({"type": "Normalize", "mean": mean, "std": std})
    return steps
