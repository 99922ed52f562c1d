"""Hold the tensors of a file against a format's rules and the expected layout, and say what does not fit."""

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmbnft.zoo.branches import BranchRules, anchored, branches, choose
from mmbnft.zoo.formats import DINO, FORMATS, SEARCHED, WHOLE, WRAPPED, Format
from mmbnft.zoo.network import COUNTER, Layout, architecture_layout, infer_architecture
from mmbnft.zoo.readers.dino import ANCHOR, DinoRules
from mmbnft.zoo.rules import Sorted

_INDEX = re.compile(r"\d+(?![\dd])")  # but not the 2 of conv2d
FLOATS = (torch.float32, torch.float16, torch.bfloat16)  # all of them become float32 exactly
SHOWN = 5  # groups of missing and of unexpected keys each


@dataclass(frozen=True)
class Match:
    """A file read by one format's rules.

    Attributes:
        format: Whose rules.
        branch: Where in the file the state dict lies, and for a wrapped backbone its prefix too.
        source: The state dict as it is in the file.
        sorted: The tensors as sorted by the rules.
        tensors: Backbone tensors of the right shape by target name, as they are in the file.
        missing: Target names that the file lacks or has in another shape.
        unexpected: File keys, or kept names, without a place.
        fill: Counters to fill with 0.
        layout: What was expected.
    """

    format: Format
    branch: str
    source: Mapping[str, Any]
    sorted: Sorted
    tensors: dict[str, Tensor]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    fill: tuple[str, ...]
    layout: Layout

    @property
    def total(self) -> int:
        """Number of tensors in the state dict."""
        return len(self.source)

    @property
    def complete(self) -> bool:
        """Whether names and shapes fit without a rest."""
        return not self.missing and not self.unexpected

    @property
    def distance(self) -> int:
        """Number of names that do not fit."""
        return len(self.missing) + len(self.unexpected)


def select(content: Any, form: Format) -> Mapping[str, Any] | None:
    """The state dict in a file's content where `form` has it, or None."""
    place = container(content, form)
    return None if place is None else content if place == WHOLE else content[place]


def container(content: Any, form: Format) -> str | None:
    """The top-level key under which `form` has its state dict in a file's content, `WHOLE` for none, or None."""
    if not isinstance(content, dict) or any(key not in content for key in form.requires):
        return None
    for key in form.containers:
        inner = content if key == WHOLE else content.get(key)
        bare = key != WHOLE or (isinstance(inner, dict) and all(isinstance(v, Tensor) for v in inner.values()))
        if bare and isinstance(inner, dict) and any(isinstance(value, Tensor) for value in inner.values()):
            return key
    return None


def second_backbones(content: Any, form: Format) -> list[str]:
    """Other top-level keys that hold a network which the format does not know."""
    if WHOLE in form.containers and select(content, form) is content:
        return []
    others = [key for key in content if key not in form.containers and key not in form.beside]
    return [
        key
        for key in others
        if isinstance(content[key], dict)
        and any(str(name).endswith("conv1.weight") and isinstance(v, Tensor) for name, v in content[key].items())
    ]


def match(tensors: Mapping[str, Any], form: Format, layout: Layout | None, branch: str = "") -> Match:
    """Sort a state dict by a format's rules and compare with `layout` (default: the nearest ResNet's).

    Args:
        tensors: The file's tensors by key.
        form: A published format.
        layout: Names and shapes of the network's tensors.
        branch: Which of several backbones in the file; empty for the only one.
    """
    plain = {key: value.detach() for key, value in tensors.items() if isinstance(value, Tensor)}
    result = form.rules.sort(plain)
    result.unexpected.extend(str(key) for key in tensors if key not in plain)
    if layout is None:
        layout = architecture_layout(infer_architecture(result.kept))
    counters = [name for name in layout if name.endswith(COUNTER)]
    fillable = form.counters == "optional" and not any(name in result.kept for name in counters)
    fill = tuple(counters) if fillable else ()
    fitting, missing = {}, list(result.absent)
    for name, spec in layout.items():
        value = result.kept.get(name)
        if value is not None and tuple(value.shape) == spec.shape:
            fitting[name] = value
        elif value is not None:
            missing.append(f"{name} (shape {tuple(value.shape)}, expected {spec.shape})")
        elif name not in fill:
            missing.append(name)
    unexpected = result.unexpected + [form.rules.prefix + name for name in result.kept if name not in layout]
    return Match(form, branch, tensors, result, fitting, tuple(missing), tuple(unexpected), fill, layout)


def matches(content: Any, kind: str, layout: Layout | None, stated: Format | None = None) -> list[Match]:
    """The file read by every published format that it proves to be in, or is said to be in, nearest first.

    Args:
        content: What the file holds.
        kind: Its container.
        layout: Names and shapes of the network's tensors.
        stated: The format that the user names; None for none.
    """
    found = []
    for form in FORMATS.values():
        if form.kind != kind or form.id in SEARCHED or not form.is_for(layout):
            continue
        place = container(content, form) if kind == "torch" else WHOLE
        if place is None:
            continue
        inner = content if place == WHOLE else content[place]
        if form is stated or _proves(content, inner, form):
            found.append(match(inner, form, layout, place))
    return sorted(found, key=lambda candidate: candidate.distance)


def _proves(content: Mapping[str, Any], tensors: Mapping[str, Any], form: Format) -> bool:
    """Whether a file shows by itself what the format says of it."""
    if form.alone and len(content) > 1:
        return False
    return not form.proof or any(str(key).startswith(form.proof) for key in tensors)


def wrapped(content: Any, layout: Layout | None, wanted: str = "") -> list[Match]:
    """The file read as a wrapper of one backbone; several where it is not clear which of several is meant.

    Args:
        content: What the file holds.
        layout: What the backbone must hold; None for the nearest ResNet's.
        wanted: Name of the branch to read.
    """
    every = branches(content, layout)
    found = []
    for branch in choose(every, wanted):
        others = tuple(b.prefix for b in every if b.place == branch.place and b.prefix != branch.prefix)
        rules = BranchRules(branch.prefix, layout, others)
        form = dataclasses.replace(FORMATS[WRAPPED], rules=rules)
        found.append(match(branch.tensors, form, layout, branch.name))
    if layout is None or ANCHOR not in layout or any(candidate.complete for candidate in found):
        return found
    return _dino(content, layout, wanted) or found


def _dino(content: Any, layout: Layout, wanted: str) -> list[Match]:
    """The file read as a vision transformer in Meta's names, as `wrapped`; none where that fits no better."""
    found = []
    for branch in choose(anchored(content, ANCHOR), wanted):
        form = dataclasses.replace(FORMATS[DINO], rules=DinoRules(branch.prefix, layout))
        found.append(match(branch.tensors, form, layout, branch.name))
    return [candidate for candidate in found if 2 * candidate.distance < len(layout)]


def defects(found: Match) -> list[str]:
    """What is wrong with the values of the tensors that fit: dtypes, counters, numbers that no network has."""
    problems = []
    cast = {}
    for name, value in found.tensors.items():
        spec = found.layout[name]
        allowed = FLOATS if spec.dtype.is_floating_point else (spec.dtype,)
        if value.layout != torch.strided or value.device.type != "cpu" or value.dtype not in allowed:
            cast[name] = str(value.dtype).removeprefix("torch.")
    if cast:
        kinds = ", ".join(sorted(set(cast.values())))
        problems.append(
            f"values of type {kinds} where float32, float16, bfloat16 (int64 counters) belong: {show(tuple(cast))}"
        )
        return problems
    checks = (
        ("values that are not finite", lambda n, v: v.is_floating_point() and not bool(torch.isfinite(v).all())),
        ("negative running variances", lambda n, v: n.endswith("running_var") and bool((v < 0).any())),
        ("negative counters", lambda n, v: n.endswith(COUNTER) and bool((v < 0).any())),
    )
    for what, wrong in checks:
        names = tuple(name for name, value in found.tensors.items() if wrong(name, value))
        if names:
            problems.append(f"{what}: {show(names)}")
    return problems


def show(names: Sequence[str]) -> str:
    """Names for a message: grouped by what differs in digits only, at most five groups shown."""
    patterns = [_INDEX.sub("*", name.split(" ")[0]) for name in names]
    groups = Counter(patterns)
    first = dict(zip(reversed(patterns), reversed(names), strict=True))
    parts = [f"{group} ({count})" if count > 1 else first[group] for group, count in groups.most_common(SHOWN)]
    rest = len(groups) - SHOWN
    return ", ".join(parts) + (f" and {rest} more groups" if rest > 0 else "")
