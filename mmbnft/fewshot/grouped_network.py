"""A backbone rewritten so that one batch serves many groups of images."""

import copy
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

from mmbnft.fewshot.grouped_layers import GroupedNorm
from mmbnft.protocols import PhasePlan, find_norm_layers
from mmbnft.utils.errors import UserError

# Layers that treat every image by itself and the same way in training and evaluation.
_PLAIN_LAYERS = (
    nn.Conv2d,
    nn.Linear,
    nn.Identity,
    nn.Flatten,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.SiLU,
    nn.GELU,
    nn.Sigmoid,
    nn.Hardswish,
    nn.Hardsigmoid,
)
_IN_PLACE: dict[Callable[..., Any], Callable[..., Any]] = {operator.iadd: operator.add, operator.imul: operator.mul}
_SUMS = {operator.add, torch.add}
_RECTIFIERS = {torch.relu, nn.functional.relu}
_PLAIN_FUNCTIONS = {*_SUMS, *_RECTIFIERS, operator.mul, torch.mul, torch.flatten}


class GroupedNetwork:
    """A backbone in two parts: what no group changes, and what each group has its own norm layers in.

    Convolutions are shared by the groups and frozen. The given backbone is left as it is: everything here is a copy.

    Args:
        backbone: The backbone.
        plan: A phase, resolved on it, that trains the head or norm layers.

    Attributes:
        prefix: From images to everything that the second part needs and that does not depend on a norm layer that
            trains or whose statistics move; a tuple of tensors.
        suffix: From these tensors to the backbone's last output.
        norms: The grouped layers by their names in the backbone.

    Raises:
        UserError: The network cannot be rewritten.
    """

    def __init__(self, backbone: nn.Module, plan: PhasePlan) -> None:
        graph = _trace(backbone)
        self._plan = plan
        self._keeping = {layer.name for layer in find_norm_layers(backbone) if layer.has_stats}
        modules = dict(backbone.named_modules())
        used = {str(node.target): modules[str(node.target)] for node in graph.nodes if node.op == "call_module"}
        self._layers = {name: self._convert(name, module) for name, module in used.items()}
        self.norms = {name: layer for name, layer in self._layers.items() if isinstance(layer, GroupedNorm)}
        _simplify(graph, self._layers)
        _fuse(graph, self._layers)
        moving = {name for name, norm in self.norms.items() if norm.trains or norm.follows}
        self.prefix, self.suffix = _split(graph, moving, self._layers)

    def reset(self, groups: int) -> None:
        """Put every norm layer back to the given backbone's values, once for each group."""
        for norm in self.norms.values():
            norm.reset(groups)

    def train(self, mode: bool) -> None:
        """Choose between training and evaluation."""
        for layer in self._layers.values():
            layer.train(mode)

    def _convert(self, name: str, module: nn.Module) -> nn.Module:
        """A frozen copy of a layer, grouped if it is a norm layer."""
        if type(module) is nn.BatchNorm2d and name in self._keeping:
            trains = any(other.startswith(f"{name}.") for other in self._plan.trainable_names)
            follows = name in self._plan.following and self._plan.phase.norm_stats == "batch"
            return GroupedNorm(module, trains, follows)
        # Dropout of any kind: harmless where it is in evaluation mode or never drops.
        rate = getattr(module, "p", getattr(module, "drop_prob", None))
        if isinstance(rate, int | float) and (rate == 0 or name not in self._plan.following):
            return nn.Identity()
        if type(module) not in _PLAIN_LAYERS:
            raise _refusal(f"its layer {name} is of type {type(module).__name__}")
        layer = copy.deepcopy(module).requires_grad_(False)
        layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs leave this form out
        if hasattr(layer, "inplace"):
            layer.inplace = False  # type: ignore[assignment]
        return layer


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Every module without children, whichever library it is from."""
        return next(m.children(), None) is None


def _trace(backbone: nn.Module) -> fx.Graph:
    """The backbone's operations up to its last output."""
    try:
        graph = _Tracer().trace(backbone)
    except Exception as error:  # whatever a forward function does with a stand-in for a tensor
        raise _refusal(f"{type(backbone).__name__} cannot be traced ({error})") from error
    output = next(node for node in graph.nodes if node.op == "output")
    last = output.args[0]
    while isinstance(last, tuple | list) and last:
        last = last[-1]
    output.args = (last,)
    for node in reversed(graph.nodes):
        if not node.users and node.op not in ("placeholder", "output"):
            graph.erase_node(node)
    for node in graph.nodes:
        if node.op in ("get_attr", "call_method"):
            raise _refusal(f"its forward function uses {node.target}")
        if node.op == "call_function":
            node.target = _IN_PLACE.get(node.target, node.target)
            if node.target not in _PLAIN_FUNCTIONS:
                raise _refusal(f"its forward function calls {getattr(node.target, '__name__', node.target)}")
    return graph


def _simplify(graph: fx.Graph, layers: dict[str, nn.Module]) -> None:
    """Remove layers that do nothing."""
    for node in list(graph.nodes):
        if node.op == "call_module" and isinstance(layers[node.target], nn.Identity):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)


def _fuse(graph: fx.Graph, layers: dict[str, nn.Module]) -> None:
    """Let norm layers take over the addition and the ReLU that follow them."""
    calls = [node.target for node in graph.nodes if node.op == "call_module"]
    for node in list(graph.nodes):
        source = node.args[0] if _rectifies(node, layers) else None
        if not isinstance(source, fx.Node) or len(source.users) > 1:
            continue
        candidates = [source]
        if source.op == "call_function" and source.target in _SUMS:
            candidates = [arg for arg in source.args if isinstance(arg, fx.Node) and len(arg.users) == 1]
        norms = [c for c in candidates if c.op == "call_module" and isinstance(layers[str(c.target)], GroupedNorm)]
        # A layer called twice is left alone: what follows one call need not follow the other.
        if not norms or calls.count(norms[0].target) > 1 or len(norms[0].args) > 1:
            continue
        norm = norms[0]
        layers[str(norm.target)].rectifies = True  # type: ignore[assignment]
        with graph.inserting_before(node):
            rest = tuple(arg for arg in source.args if arg is not norm) if norm is not source else ()
            fused = graph.call_module(str(norm.target), (norm.args[0], *rest))
        node.replace_all_uses_with(fused)
        graph.erase_node(node)
        if norm is not source:
            graph.erase_node(source)
        graph.erase_node(norm)


def _rectifies(node: fx.Node, layers: dict[str, nn.Module]) -> bool:
    if node.op == "call_module":
        return isinstance(layers[str(node.target)], nn.ReLU)
    return node.op == "call_function" and node.target in _RECTIFIERS


def _split(
    graph: fx.Graph, moving: set[str], layers: dict[str, nn.Module]
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Cut a graph where the first layers that train begin."""
    fixed: set[fx.Node] = set()
    for node in graph.nodes:
        own = node.op == "call_module" and node.target in moving
        if node.op != "output" and not own and fixed.issuperset(node.all_input_nodes):
            fixed.add(node)
    border = [node for node in graph.nodes if node in fixed and any(user not in fixed for user in node.users)]
    first, second = fx.Graph(), fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        if node in fixed:
            copies[node] = first.node_copy(node, copies.__getitem__)
    first.output(tuple(copies[node] for node in border))
    moved = {node: second.placeholder(f"fixed_{index}") for index, node in enumerate(border)}
    for node in graph.nodes:
        if node not in fixed:
            moved[node] = second.node_copy(node, moved.__getitem__)
    return _module(first, layers), _module(second, layers)


def _module(graph: fx.Graph, layers: dict[str, nn.Module]) -> fx.GraphModule:
    used = {str(node.target) for node in graph.nodes if node.op == "call_module"}
    return fx.GraphModule({name: layers[name] for name in used}, graph)


def _refusal(reason: str) -> UserError:
    return UserError(f"this network cannot be adapted to many groups at once, because {reason}; adapt one at a time")


def rows(tensor: Tensor) -> Tensor:
    """Lay groups of images (G, M, ...) end to end, (G * M, ...), in the layout that convolutions are quickest in."""
    flat = tensor.flatten(0, 1)
    return flat.contiguous(memory_format=torch.channels_last) if flat.dim() == 4 else flat
