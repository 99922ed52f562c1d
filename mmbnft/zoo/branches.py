"""Find the backbones of a file in no published layout: where the state dicts lie, and under which prefixes.

The names of a ResNet's tensors are known, so a prefix is whatever comes before all of them: `module.` of data parallel
training (also twice), `_orig_mod.` of torch.compile, `backbone.`, `encoder_q.`, VISSL's `_feature_blocks.` ...
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmbnft.zoo.network import Layout
from mmbnft.zoo.rules import Sorted

_ANCHORS = ("layer1.0.conv1.weight", "conv1.weight", "bn1.weight")
_BACKBONE = re.compile(r"(?:^|\.)(?:conv1|layer[1-4]\.\d+\.conv\d)\.weight$")
_DEPTH = 8
# Parts of a training file that hold tensors and are no network.
_NO_NETWORK = ("optim", "sched", "scaler", "amp", "callback", "loop", "message_hub", "meter", "rng", "loss")
# A module of this name on the backbone itself is its classifier or projection head.
_HEADS = ("fc", "classifier", "head", "linear", "project", "predict", "prototype", "neck")
# Of two networks in one file, the first of a pair is the one its method evaluates; the second is its moving average.
_PAIRS = (
    ("encoder_q", "encoder_k"),
    ("online_encoder", "target_encoder"),
    ("online_backbone", "target_backbone"),
    ("online_network", "target_network"),
    ("online_net", "target_net"),
    ("online", "target"),
    ("backbone", "momentum_backbone"),
    ("backbone", "backbone_momentum"),
    ("encoder", "momentum_encoder"),
    ("encoder", "encoder_momentum"),
)


@dataclass(frozen=True)
class Branch:
    """One backbone of a file.

    Attributes:
        place: Keys that lead to its state dict; empty for a bare one.
        prefix: What its keys begin with there; empty, or ending with a dot.
        tensors: The state dict that it is part of, complete.
    """

    place: tuple[str, ...]
    prefix: str
    tensors: Mapping[str, Any]

    @property
    def name(self) -> str:
        """How messages, certificates and `--branch` name it: the place and the prefix, joined by dots."""
        return ".".join((*self.place, self.prefix.rstrip("."))).strip(".") or "(top level)"


@dataclass(frozen=True)
class BranchRules:
    """Keep what is under one prefix; drop its heads, and whatever lies outside it.

    Attributes:
        prefix: What every backbone key begins with; may be empty.
        layout: Names of the backbone's tensors; None for those of any ResNet.
        others: Prefixes of the file's further backbones, which are left out.
    """

    prefix: str = ""
    layout: Layout | None = None
    others: tuple[str, ...] = ()

    def sort(self, tensors: Mapping[str, Tensor]) -> Sorted:
        """Sort the tensors of a file, by key."""
        result = Sorted()
        for key, value in tensors.items():
            name = key.removeprefix(self.prefix)
            other = next((start for start in self.others if key.startswith(start)), None)
            own = key.startswith(self.prefix)
            if other is not None and (not own or other.startswith(self.prefix)):
                result.dropped[f"{other} (another network)"] += 1
            elif not own and value.dim() == 4 and _BACKBONE.search(key):
                result.unexpected.append(key)  # a piece of a second network that is not there whole
            elif not own:
                result.dropped[_module_of(key, self.prefix)] += 1
            elif self._is_head(name):
                result.dropped[self.prefix + name.partition(".")[0] + "."] += 1
            else:
                result.keep(key, name, value)
        return result

    def _is_head(self, name: str) -> bool:
        if self.layout is not None and name in self.layout:
            return False
        return any(word in name.partition(".")[0].lower() for word in _HEADS)


def _module_of(key: str, prefix: str) -> str:
    """The module that `key` belongs to, named as far as it differs from `prefix`."""
    shared = 0
    parts, own = key.split("."), prefix.split(".")
    while shared < min(len(parts), len(own)) - 1 and parts[shared] == own[shared]:
        shared += 1
    return ".".join(parts[: shared + 1]) + ("." if len(parts) > shared + 1 else "")


def branches(content: Any, layout: Layout | None) -> list[Branch]:
    """Every backbone of a file.

    Args:
        content: What the file holds.
        layout: Names of the tensors to look for; None for those of any ResNet.
    """
    found: list[Branch] = []
    for place, tensors in _state_dicts(content, ()):
        found += [Branch(place, prefix, tensors) for prefix in _prefixes(tensors, layout)]
    return found


def anchored(content: Any, anchor: str) -> list[Branch]:
    """Every place of a file that has a tensor of this name, under whatever prefix.

    Args:
        content: What the file holds.
        anchor: Name of a tensor that a backbone has once.
    """
    return [
        Branch(place, key.removesuffix(anchor), tensors)
        for place, tensors in _state_dicts(content, ())
        for key, value in tensors.items()
        if isinstance(key, str) and isinstance(value, Tensor) and (key == anchor or key.endswith(f".{anchor}"))
    ]


def choose(found: list[Branch], wanted: str = "") -> list[Branch]:
    """The branches that remain: the `wanted` ones, or else those that are no moving average; one of each equal set.

    Args:
        found: Backbones of one file.
        wanted: Name of one, or a part of its name between dots; empty for none in particular.
    """
    if wanted:
        exact = [branch for branch in found if branch.name == wanted]
        left = exact or [branch for branch in found if wanted in branch.name.split(".")]
    else:
        names = [branch.name for branch in found]
        left = [branch for branch in found if not any(_is_average_of(branch.name, other) for other in names)]
    distinct: list[Branch] = []
    for branch in left:
        if not any(_equal(branch, other) for other in distinct):
            distinct.append(branch)
    return distinct


def _is_average_of(name: str, other: str) -> bool:
    """Whether `name` is what the moving average of `other` is called."""
    parts, others = name.split("."), other.split(".")
    if len(parts) != len(others):
        return False
    differing = [(own, theirs) for own, theirs in zip(parts, others, strict=True) if own != theirs]
    return len(differing) == 1 and (differing[0][1], differing[0][0]) in _PAIRS


def _state_dicts(content: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    if not isinstance(content, Mapping) or len(place) > _DEPTH:
        return
    if any(isinstance(value, Tensor) for value in content.values()):
        yield place, content
    for key, value in content.items():
        if isinstance(key, str) and not key.lower().startswith(_NO_NETWORK):
            yield from _state_dicts(value, (*place, key))


def _prefixes(tensors: Mapping[str, Any], layout: Layout | None) -> list[str]:
    """Prefixes under which the state dict has the anchors, or at least half of the layout's names."""
    keys = [key for key, value in tensors.items() if isinstance(key, str) and isinstance(value, Tensor)]
    known = set(keys)
    names = list(layout) if layout is not None else []
    anchors = (
        _ANCHORS if layout is None or all(name in layout for name in _ANCHORS) else (max(names, key=len, default=""),)
    )
    if not anchors[0]:
        return []
    starts = Counter(key.removesuffix(anchors[0]) for key in keys if key.endswith(anchors[0]))
    found = [start for start in starts if not start or start.endswith(".")]
    if anchors == _ANCHORS:
        return [start for start in found if all(start + anchor in known for anchor in anchors)]
    return [start for start in found if 2 * sum(start + name in known for name in names) >= len(names)]


def _equal(one: Branch, other: Branch) -> bool:
    """Whether two branches hold the same backbone: every tensor of one is in the other, equal."""
    mine = _own(one)
    theirs = _own(other)
    shared = mine.keys() & theirs.keys()
    names = {name for name in shared if name.startswith(("conv1", "bn1", "layer"))} or shared
    return bool(names) and all(mine[n].dtype == theirs[n].dtype and torch.equal(mine[n], theirs[n]) for n in names)


def _own(branch: Branch) -> dict[str, Tensor]:
    return {
        key.removeprefix(branch.prefix): value
        for key, value in branch.tensors.items()
        if isinstance(key, str) and isinstance(value, Tensor) and key.startswith(branch.prefix)
    }
