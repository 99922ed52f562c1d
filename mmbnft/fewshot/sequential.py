"""One episode after the other through the ordinary protocols: for any network and any protocol, and the oracle."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mmbnft.fewshot.batching import in_fixed_batches
from mmbnft.fewshot.heads import build_optimizer
from mmbnft.models import pooled_features
from mmbnft.protocols import Phase, apply_phase, get_protocol
from mmbnft.utils.errors import UserError

QUERY_BATCH = 25  # queries of an episode in one forward pass


def episode_phase(protocol: str, norm_stats: str | None) -> Phase:
    """The one phase in which an episode is adapted.

    Args:
        protocol: Name of a protocol.
        norm_stats: Replaces the protocol's own choice of statistics.

    Raises:
        UserError: The protocol is unknown or has several phases, or the choice of statistics is unknown.
    """
    phases = get_protocol(protocol).phases
    if len(phases) > 1:
        raise UserError(f"protocol {protocol!r} has {len(phases)} phases; episodes take protocols of one phase, as bn")
    return phases[0] if norm_stats is None else dataclasses.replace(phases[0], norm_stats=norm_stats)


class SequentialAdapter:
    """Adapts a backbone and a new linear head to each of several episodes, one after the other.

    The interface is that of `GroupedAdapter`. The backbone is left as it was.

    Args:
        backbone: Any backbone, in the state of its checkpoint.
        protocol: Name of a protocol of one phase.
        groups: Episodes at a time.
        classes: Classes of an episode.
        norm_stats: Replaces the protocol's own choice of statistics: `frozen`, `batch` or `recalibrate`.

    Raises:
        UserError: The protocol has no meaning for the backbone.
    """

    def __init__(
        self, backbone: nn.Module, protocol: str, groups: int, classes: int, *, norm_stats: str | None = None
    ) -> None:
        self.backbone, self.groups, self.classes = backbone, groups, classes
        self.phase = episode_phase(protocol, norm_stats)
        applied = apply_phase(backbone, self.phase)
        applied.restore()
        # What an episode may move; everything else is shared.
        names = (*applied.trainable_names, *applied.statistics_names)
        self._moving = {name: value for name, value in _tensors(backbone).items() if name in names}
        self._initial = {name: value.detach().clone() for name, value in self._moving.items()}
        self._adapted: list[dict[str, Tensor]] = []
        self._heads: list[nn.Linear] = []

    def fit(
        self, images: Tensor, labels: Tensor, optimizer: dict[str, Any], steps: int, batches: Tensor | None = None
    ) -> None:
        """Adapt to every episode, each from the checkpoint and a head of zeros.

        Args:
            images: Support images (G, M, 3, H, W).
            labels: int64 (G, M).
            optimizer: Class name in torch.optim as `type`, and its arguments.
            steps: Optimiser steps.
            batches: int64 (steps, G, B) image numbers of each step, or None for all M in every step.

        Raises:
            UserError: The optimiser cannot be built, or the number of episodes is another than announced.
        """
        if len(images) != self.groups:
            raise UserError(f"the adapter was made for {self.groups} episodes, got {len(images)}")
        self._adapted, self._heads = [], []
        for group in range(self.groups):
            own = None if batches is None else batches[:, group]
            with self._borrowed():
                self._heads.append(self._fit_one(images[group], labels[group], optimizer, steps, own))
                self._adapted.append({name: value.detach().clone() for name, value in self._moving.items()})

    def _fit_one(
        self, images: Tensor, labels: Tensor, optimizer: dict[str, Any], steps: int, batches: Tensor | None
    ) -> nn.Linear:
        head = self._head(images)
        self.backbone.train()
        applied = apply_phase(self.backbone, self.phase)
        try:
            if self.phase.norm_stats == "recalibrate":
                applied.recalibrate([images])
            trained = [p for p in self.backbone.parameters() if p.requires_grad]
            updater = build_optimizer([*trained, *head.parameters()], optimizer)
            for step in range(steps):
                chosen = slice(None) if batches is None else batches[step].to(labels.device)
                scores = _logits(self.backbone, head, images[chosen])
                loss = nn.functional.cross_entropy(scores, labels[chosen])
                updater.zero_grad()
                loss.backward()
                updater.step()
        finally:
            self.backbone.zero_grad(set_to_none=True)
            applied.restore()
        return head

    @torch.no_grad()
    def predict(self, images: Tensor) -> Tensor:
        """Scores (G, Q, classes) of query images (G, Q, 3, H, W), with the network in eval mode throughout.

        Queries pass in batches of a fixed size, so that a query's scores do not depend on which others there are.
        """
        scores = []
        with self._borrowed():
            self.backbone.eval()
            for group, (adapted, head) in enumerate(zip(self._adapted, self._heads, strict=True)):
                self._put(adapted)
                forward = partial(_logits, self.backbone, head)
                scores.append(in_fixed_batches(forward, images[group], QUERY_BATCH))
        return torch.stack(scores)

    @contextmanager
    def _borrowed(self) -> Iterator[None]:
        """Give the backbone back with the values and modes it had."""
        modes = [(module, module.training) for module in self.backbone.modules()]
        try:
            yield
        finally:
            self._put(self._initial)
            for module, mode in modes:
                module.training = mode

    @torch.no_grad()
    def _put(self, values: dict[str, Tensor]) -> None:
        for name, value in values.items():
            self._moving[name].copy_(value)

    @torch.no_grad()
    def _head(self, images: Tensor) -> nn.Linear:
        """A head of zeros; the backbone is left in eval mode."""
        self.backbone.eval()
        width = pooled_features(self.backbone(images[:1])).shape[1]
        head = nn.Linear(width, self.classes, device=images.device, dtype=images.dtype)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        return head


def _logits(backbone: nn.Module, head: nn.Linear, images: Tensor) -> Tensor:
    return head(pooled_features(backbone(images)))


def _tensors(backbone: nn.Module) -> dict[str, Tensor]:
    return {**dict(backbone.named_parameters()), **dict(backbone.named_buffers())}
