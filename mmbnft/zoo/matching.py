"""Hold the tensors of a file against a format's rules and the expected layout, and say what does not fit."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmbnft.zoo.formats import FORMATS, WHOLE, Format
from mmbnft.zoo.network import COUNTER, Layout, infer_architecture, resnet_layout
from mmbnft.zoo.rules import Sorted

_INDEX = re.compile(r"\d+(?![\dd])")  # but not the 2 of conv2d
SHOWN = 5  # groups of missing and of unexpected keys each


@dataclass(frozen=True)
class Match:
    """A file read by one format's rules.

    Attributes:
        format: Whose rules.
        total: Number of tensors in the state dict.
        sorted: The tensors as sorted by the rules.
        tensors: Backbone tensors of the right shape by target name, as they are in the file.
        missing: Target names that the file lacks or has in another shape.
        unexpected: File keys, or kept names, without a place.
        fill: Counters to fill with 0.
        layout: What was expected.
    """

    format: Format
    total: int
    sorted: Sorted
    tensors: dict[str, Tensor]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    fill: tuple[str, ...]
    layout: Layout

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
    if not isinstance(content, dict) or any(key not in content for key in form.requires):
        return None
    for key in form.containers:
        inner = content if key == WHOLE else content.get(key)
        bare = key != WHOLE or (isinstance(inner, dict) and all(isinstance(v, Tensor) for v in inner.values()))
        if bare and isinstance(inner, dict) and any(isinstance(value, Tensor) for value in inner.values()):
            return inner
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


def match(tensors: Mapping[str, Any], form: Format, layout: Layout | None) -> Match:
    """Sort a state dict by a format's rules and compare with `layout` (default: the nearest ResNet's)."""
    plain = {key: value.detach() for key, value in tensors.items() if isinstance(value, Tensor)}
    result = form.rules.sort(plain)
    result.unexpected.extend(str(key) for key in tensors if key not in plain)
    if layout is None:
        nearest = infer_architecture(result.kept)
        layout = resnet_layout(nearest.depth, nearest.base_channels, nearest.stem_channels)
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
    return Match(form, len(tensors), result, fitting, tuple(missing), tuple(unexpected), fill, layout)


def matches(content: Any, kind: str, namespace: bool, layout: Layout | None) -> list[Match]:
    """The file read by every format that it could be in, nearest first."""
    found = []
    for form in FORMATS.values():
        if form.kind != kind or (namespace and not form.namespace):
            continue
        inner = select(content, form) if kind == "torch" else content
        if inner:
            found.append(match(inner, form, layout))
    return sorted(found, key=lambda candidate: candidate.distance)


def defects(found: Match) -> list[str]:
    """What is wrong with the values of the tensors that fit: dtypes, counters, numbers that no network has."""
    problems = []
    floats = (torch.float32, torch.float16) if found.format.half else (torch.float32,)
    cast = {}
    for name, value in found.tensors.items():
        spec = found.layout[name]
        allowed = floats if spec.dtype.is_floating_point else (spec.dtype,)
        if value.layout != torch.strided or value.device.type != "cpu" or value.dtype not in allowed:
            cast[name] = str(value.dtype).removeprefix("torch.")
    if cast:
        kinds = ", ".join(sorted(set(cast.values())))
        problems.append(f"values of type {kinds} where float32 (and int64 counters) belong: {show(tuple(cast))}")
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
