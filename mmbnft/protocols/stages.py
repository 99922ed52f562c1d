"""Division of a backbone into stages, for protocols that train from stage K up."""

from collections import Counter
from dataclasses import dataclass

from torch import nn

from mmbnft.utils.errors import UserError

STEM = 0
_QUARTERS = 4
_NAME_LISTS = ("res_layers", "layers")
_NUMBERED = ("layer", "s")
_CONTAINERS = ("stages", "layers", "blocks", "features", "trunk_output")
# Lists beside `stages` whose element i goes with stage i plus the offset: a downsampling layer belongs to the stage
# that it feeds, and DenseNet's transition i is the one after stage i.
_COMPANIONS = {"downsample_layers": 0, "transitions": 1}


@dataclass(frozen=True)
class Stages:
    """A backbone's division into stages.

    Attributes:
        count: Number of stages, counted from 1; the stem is stage 0.
        prefixes: Stage of everything below a dotted module name.
    """

    count: int
    prefixes: dict[str, int]

    def stage_of(self, name: str) -> int:
        """Stage of a module or parameter; 0 for the stem and for whatever the network itself owns."""
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            stage = self.prefixes.get(".".join(parts[:length]))
            if stage is not None:
                return stage
        return STEM

    def reaches(self, name: str, first: int) -> bool:
        """Whether a module belongs to stage `first` or a later one, or holds some of them, as the network does."""
        inside = f"{name}." if name else ""
        return self.stage_of(name) >= first or any(
            stage >= first for prefix, stage in self.prefixes.items() if prefix.startswith(inside)
        )


def find_stages(module: nn.Module) -> Stages:
    """Divide a backbone into stages by its structure.

    Networks that group their blocks keep their grouping: `layer1`.. of ResNets and mmcls's MobileNetV2, `s1`.. of
    timm's RegNet, the elements of `stages`, of EfficientNet's `layers` or timm's `blocks`, the dense blocks of
    DenseNet. Networks with one flat list of blocks (vision transformers, MobileNetV3) are cut into quarters, earlier
    quarters taking the remainder, so that `stage:4` means a comparable part of every network. What stands before the
    first stage is the stem; what stands between two stages belongs to the one it feeds; what follows the last (a final
    norm, a last convolution) belongs to the last. Class tokens and position embeddings belong to the stem.

    Raises:
        UserError: The structure is not one of these.
    """
    prefix, network = "", module
    while True:
        elements, are_blocks = _find_elements(network)
        if elements:
            return _number(network, prefix, elements, are_blocks)
        children = list(network.named_children())
        if len(children) != 1 or next(network.parameters(recurse=False), None) is not None:
            raise _refusal(module)
        prefix, network = f"{prefix}{children[0][0]}.", children[0][1]


def require_stage(module: nn.Module, stage: int) -> Stages:
    """Divide a backbone into stages and check that it has this one.

    Raises:
        UserError: The network has no stages, or fewer.
    """
    stages = find_stages(module)
    if stage > stages.count:
        raise UserError(
            f"{type(module).__name__} has no stage {stage}: it has {stages.count} stages; "
            f"choose stage:K with K from 1 to {stages.count}"
        )
    return stages


def _find_elements(network: nn.Module) -> tuple[list[str], bool]:
    """Names of a network's stages or blocks in order (empty if there are none), and whether they are bare blocks."""
    children = dict(network.named_children())
    for attribute in _NAME_LISTS:
        names = getattr(network, attribute, None)
        if isinstance(names, list | tuple) and names and all(name in children for name in names):
            elements = _main_run({name: children[name] for name in names})
            return elements, _are_blocks([children[name] for name in elements])
    for letter in _NUMBERED:
        numbered = [name for name in children if name.startswith(letter) and name.removeprefix(letter).isdigit()]
        if len(numbered) > 1:
            return numbered, False
    for attribute in _CONTAINERS:
        container = children.get(attribute)
        if isinstance(container, nn.ModuleList | nn.Sequential):
            inner = {f"{attribute}.{name}": child for name, child in container.named_children()}
            elements = _main_run(inner)
            return elements, attribute != "stages" and _are_blocks([inner[name] for name in elements])
    return [], False


def _main_run(modules: dict[str, nn.Module]) -> list[str]:
    """Names of the modules of the most frequent class, counting only modules made of composite modules."""
    composite = {
        name: module for name, module in modules.items() if any(any(child.children()) for child in module.children())
    }
    frequent = Counter(type(module) for module in composite.values()).most_common(1)
    return [name for name, module in composite.items() if type(module) is frequent[0][0]]


def _are_blocks(elements: list[nn.Module]) -> bool:
    """Whether these are single blocks rather than groups of them."""
    groups = nn.Sequential | nn.ModuleList | nn.ModuleDict
    return len(elements) > _QUARTERS and not any(isinstance(element, groups) for element in elements)


def _number(network: nn.Module, prefix: str, elements: list[str], are_blocks: bool) -> Stages:
    """Give every top-level part of a network the number of its stage."""
    count = _QUARTERS if are_blocks else len(elements)
    size, rest = divmod(len(elements), count)
    sizes = [size + (stage < rest) for stage in range(count)]
    numbers = [stage + 1 for stage in range(count) for _ in range(sizes[stage])]
    stage_of = dict(zip(elements, numbers, strict=True))
    parts = _top_level_parts(network, elements)
    first = parts.index(elements[0])
    prefixes, following = {}, count
    for part in reversed(parts[first:]):
        following = prefixes[prefix + part] = stage_of.get(part, following)
    prefixes |= {prefix + part: STEM for part in parts[:first]}
    return Stages(count, prefixes | _companions(network, prefix, elements, count, are_blocks))


def _top_level_parts(network: nn.Module, elements: list[str]) -> list[str]:
    """Names of the network's children in order, with the list that holds the elements replaced by its items."""
    container = elements[0].rpartition(".")[0]
    parts = []
    for name, child in network.named_children():
        parts += [f"{name}.{item}" for item, _ in child.named_children()] if name == container else [name]
    return parts


def _companions(network: nn.Module, prefix: str, elements: list[str], count: int, are_blocks: bool) -> dict[str, int]:
    """Stages of the items of lists that run beside the list of stages."""
    container = elements[0].rpartition(".")[0]
    stages: dict[str, int] = {}
    for name, child in network.named_children():
        if name == container or are_blocks or not isinstance(child, nn.ModuleList) or len(child) != count:
            continue
        if name not in _COMPANIONS:
            raise _refusal(network, f", because its list {name} runs beside its stages in an unknown way")
        for index in range(count):
            fed = index + _COMPANIONS[name]
            stages[f"{prefix}{name}.{index}"] = min(fed + 1, count) if fed else STEM
    return stages


def _refusal(network: nn.Module, reason: str = "") -> UserError:
    return UserError(
        f"cannot divide {type(network).__name__} into stages{reason}; known are ResNet-like networks, RegNet, "
        "ConvNeXt, Swin, vision transformers, DenseNet, MobileNet and EfficientNet; choose train head, norm or all"
    )
