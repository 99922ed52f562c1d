"""Proof that training moved what a protocol lets move, and nothing else."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmbnft.protocols.apply import AppliedPhase
from mmbnft.utils.errors import UserError

_SHOWN = 5


class AuditError(UserError):
    """The protocol was not kept: what was to stay frozen moved, or what was to train did not."""


@dataclass(frozen=True)
class Snapshot:
    """Digests of every parameter and buffer of a backbone, and of its head if there is one.

    Attributes:
        backbone: SHA-256 of each tensor's type, shape and bytes, by name.
        head: The same for the head's parameters; None if no head was given.
    """

    backbone: dict[str, str]
    head: dict[str, str] | None = None


@dataclass(frozen=True)
class AuditReport:
    """Outcome of an audit.

    Attributes:
        moved: Backbone tensors that changed.
        unmoved: Backbone parameters that were meant to train and did not change. Not a violation by itself where
            another parameter of the same module did: a single offset can have exactly no gradient.
        violations: One sentence each; empty if all is well.
    """

    moved: tuple[str, ...]
    unmoved: tuple[str, ...]
    violations: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.violations

    def raise_if_failed(self) -> None:
        """Raise if anything is wrong.

        Raises:
            AuditError: There are violations; the message counts them and shows the first ones.
        """
        if self.violations:
            more = len(self.violations) - _SHOWN
            shown = "; ".join(self.violations[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
            raise AuditError(f"the audit found {len(self.violations)} violation(s) of the protocol: {shown}")


def snapshot(backbone: nn.Module, head: nn.Module | None = None) -> Snapshot:
    """Take digests of a backbone (parameters and buffers) and of a head (parameters) before training."""
    tensors = [*backbone.named_parameters(), *backbone.named_buffers()]
    return Snapshot(
        backbone={name: _digest(tensor) for name, tensor in tensors},
        head=None if head is None else {name: _digest(tensor) for name, tensor in head.named_parameters()},
    )


def audit(
    before: Snapshot,
    backbone: nn.Module,
    phases: Sequence[AppliedPhase],
    head: nn.Module | None = None,
    unused: Collection[str] = (),
) -> AuditReport:
    """Compare a backbone with its snapshot.

    Every tensor that no phase lets move must be bit-identical. Every module with parameters that train must have
    changed in at least one of them, every norm layer whose statistics are meant to move in its running mean or
    variance, and the head in at least one parameter. Modules rather than single tensors, because a single offset can
    have exactly no gradient (before a norm layer, or behind units that are never active).

    Args:
        before: Snapshot taken before the first of the phases.
        backbone: The same backbone now.
        phases: Phases applied in between; what any of them lets move may and must have moved.
        head: The head, which must have changed; needs a snapshot that was taken with it.
        unused: Names of backbone parameters that the forward pass does not use, such as the mask token of a masked
            image model; they need not have moved.

    Raises:
        UserError: A head is given and the snapshot has none, or a name in `unused` does not exist.
    """
    after = snapshot(backbone, head)
    unknown = sorted(set(unused) - before.backbone.keys())
    if unknown:
        raise UserError(f"unused names parameters that the backbone does not have: {', '.join(unknown)}")
    trainable = {name for phase in phases for name in phase.trainable_names}
    statistics = {name for phase in phases for name in phase.statistics_names}
    shared = before.backbone.keys() & after.backbone.keys()
    moved = {name for name in shared if before.backbone[name] != after.backbone[name]}
    order = [name for name in before.backbone if name in shared]
    violations = [f"{name} has disappeared" for name in before.backbone if name not in shared]
    violations += [f"{name} has appeared" for name in after.backbone if name not in shared]
    violations += [f"{name} was frozen and changed" for name in order if name in moved - trainable - statistics]
    violations += _still(trainable - set(unused), moved, "has parameters to train and none of them changed")
    estimates = {name for name in statistics if not name.endswith("num_batches_tracked")}
    violations += _still(estimates, moved, "has running statistics to move and they did not")
    violations += _head_violations(before, after, head)
    return AuditReport(
        moved=tuple(name for name in order if name in moved),
        unmoved=tuple(name for name in order if name in trainable - moved),
        violations=tuple(violations),
    )


def _still(names: Collection[str], moved: Collection[str], what: str) -> list[str]:
    """Violations for modules none of whose named tensors moved."""
    owners: dict[str, bool] = {}
    for name in sorted(names):
        owner = name.rpartition(".")[0]
        owners[owner] = owners.get(owner, False) or name in moved
    return [f"{owner or 'the network itself'} {what}" for owner, has_moved in owners.items() if not has_moved]


def _head_violations(before: Snapshot, after: Snapshot, head: nn.Module | None) -> list[str]:
    if head is None:
        return []
    if before.head is None:
        raise UserError("an audit with a head needs a snapshot with it; call snapshot(backbone, head)")
    return ["the head did not change"] if before.head == after.head else []


def _digest(tensor: Tensor) -> str:
    content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    header = f"{tensor.dtype}{tuple(tensor.shape)}".encode()
    return hashlib.sha256(header + content.tobytes()).hexdigest()
