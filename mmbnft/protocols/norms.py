"""Normalisation layers, found by their type and never by their name in the network."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

_TORCH_TYPES: tuple[tuple[type[nn.Module], str], ...] = (
    (_BatchNorm, "batch"),
    (_InstanceNorm, "instance"),
    (nn.LayerNorm, "layer"),
    (nn.GroupNorm, "group"),
    (nn.RMSNorm, "rms"),
)
# Norm classes of other libraries that do not derive from torch's, as (library, class name), so that those libraries
# need not be installed. Whatever derives from torch's classes is found through them.
_OTHER_TYPES = {
    ("timm", "RmsNorm"): "rms",
    ("timm", "RmsNormFp32"): "rms",
    ("timm", "RmsNorm2d"): "rms",
    ("timm", "RmsNorm2dFp32"): "rms",
    ("timm", "SimpleNorm"): "rms",
    ("timm", "SimpleNormFp32"): "rms",
    ("timm", "SimpleNorm2d"): "rms",
    ("timm", "SimpleNorm2dFp32"): "rms",
    ("mmcls", "HorNetLayerNorm"): "layer",
    ("mmcv", "SyncBatchNorm"): "batch",
}
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class NormLayer:
    """One normalisation layer of a network.

    Attributes:
        name: Dotted name of the module within the network.
        module: The layer.
        kind: `batch`, `layer`, `group`, `instance` or `rms`.
        has_affine: Whether it has a scale or an offset to train.
        has_stats: Whether it keeps running statistics.
    """

    name: str
    module: nn.Module
    kind: str
    has_affine: bool
    has_stats: bool

    @property
    def affine_names(self) -> tuple[str, ...]:
        """Full names of the layer's scale and offset, where it has them."""
        return _join(self.name, [name for name, _ in self.module.named_parameters(recurse=False)])

    @property
    def statistics_names(self) -> tuple[str, ...]:
        """Full names of the layer's running statistics, where it keeps them."""
        if not self.has_stats:
            return ()
        return _join(self.name, [name for name, _ in self.module.named_buffers(recurse=False) if name in STATISTICS])

    @property
    def values(self) -> int:
        """Number of values in the layer's scale and offset."""
        return sum(parameter.numel() for parameter in self.module.parameters(recurse=False))


def _join(prefix: str, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{prefix}.{name}" if prefix else name for name in names)


def norm_kind(module: nn.Module) -> str | None:
    """Kind of a normalisation layer, None for any other module."""
    for torch_type, kind in _TORCH_TYPES:
        if isinstance(module, torch_type):
            return kind
    for cls in type(module).__mro__:
        other = _OTHER_TYPES.get((cls.__module__.partition(".")[0], cls.__name__))
        if other is not None:
            return other
    return None


def find_norm_layers(module: nn.Module) -> list[NormLayer]:
    """All normalisation layers of a network, in the order in which it registers them.

    Covers torch's batch, instance, layer, group and RMS normalisation, everything derived from them (such as the
    fused norm-and-activation layers of timm) and the few free-standing classes of timm, mmcls and mmcv. A layer used
    twice is listed once.
    """
    found = []
    for name, child in module.named_modules():
        kind = norm_kind(child)
        if kind is not None:
            has_affine = next(child.parameters(recurse=False), None) is not None
            has_stats = getattr(child, "running_mean", None) is not None
            found.append(NormLayer(name, child, kind, has_affine, has_stats))
    return found
