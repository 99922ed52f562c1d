"""Many adaptations of one backbone in one pass: episodes, seeds, or the rates of a grid."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmbnft.fewshot.grouped_network import GroupedNetwork, rows
from mmbnft.fewshot.heads import build_optimizer
from mmbnft.models.pooling import pooled_features
from mmbnft.protocols import Phase, get_protocol, plan_phase
from mmbnft.utils.errors import UserError

# Images of all groups in one pass of `predict`.
_QUERY_ROWS = 256
# Pixels of all groups in one batch. On a processor: maps of 64 channels at half the images' size then stay within
# 32 MB, above which the C library fetches every array afresh from the operating system, page by page.
_PIXELS = {"cpu": 500_000, "cuda": 100_000_000}
_MOST_GROUPS = {"cpu": 32, "cuda": 128}


def group_size(images: int, height: int, width: int, device: torch.device | str = "cpu") -> int:
    """How many groups to adapt at once: as many as keep a batch within a number of pixels, from 1 to a limit.

    Args:
        images: Support images of a group.
        height: Their height in pixels.
        width: Their width in pixels.
        device: Where the adaptation runs.
    """
    kind = "cpu" if torch.device(device).type == "cpu" else "cuda"
    return max(1, min(_MOST_GROUPS[kind], _PIXELS[kind] // (images * height * width)))


class GroupedAdapter:
    """G independent runs of one protocol from one backbone, in one batch.

    Convolutions are frozen and shared; every group has its own scales and offsets, running statistics and head, and
    the losses of the groups are added, so that each group's gradients and updates are those of a run by itself.
    Layers below the first norm layer that a protocol changes are evaluated once per fit instead of at every step.

    Args:
        backbone: A convolutional network with batch norm; it is not changed and not referred to afterwards.
        protocol: A protocol of one phase that trains the head or norm layers: `linear`, `bn`, `bn_paper`,
            `bn_frozen_stats`, `bn_stats`.
        groups: G.
        classes: Number of classes of each group's head.
        norm_stats: `frozen` or `batch` instead of the protocol's own.

    Attributes:
        head_weight: (G, classes, D) after `fit`.
        head_bias: (G, classes) after `fit`.

    Raises:
        UserError: The protocol or the network does not lend itself to this; adapt one group at a time instead.
    """

    def __init__(
        self, backbone: nn.Module, protocol: str, groups: int, classes: int, *, norm_stats: str | None = None
    ) -> None:
        if groups < 1 or classes < 1:
            raise UserError(f"groups and classes must be 1 or more, got {groups} and {classes}")
        phase = _only_phase(protocol, norm_stats)
        self.groups = groups
        self.classes = classes
        self.network = GroupedNetwork(backbone, plan_phase(backbone, phase))
        some = next((p for p in backbone.parameters() if p.is_floating_point()), torch.empty(0))
        self._like = torch.empty(0, dtype=some.dtype, device=some.device)
        self.head_weight = self.head_bias = self._like
        self._fitted = False

    def fit(
        self, images: Tensor, labels: Tensor, optimizer: dict[str, Any], steps: int, batches: Tensor | None = None
    ) -> None:
        """Adapt every group, from the backbone's values and a head of zeros.

        A step's loss is the mean cross-entropy over its images. A group that diverges ends in values that are not
        finite, and harms no other.

        Args:
            images: (G, M, 3, H, W). Groups that share their images may come as an `expand`ed tensor, of which the
                shared part is evaluated once.
            labels: int64 (G, M).
            optimizer: `type` (`SGD`, `Adam` or `AdamW`) and torch's arguments. `lr` is a number, or one for each
                group as a list or tensor.
            steps: Number of updates.
            batches: int64 (steps, G, B), numbers of the images of each step; None takes all of them at each step.

        Raises:
            UserError: Shapes do not fit, or the optimizer has no such argument.
        """
        self._check(images, labels, steps, batches)
        self._fitted = False
        self.network.reset(self.groups)
        self.network.train(True)
        fixed = self._evaluate_prefix(images)
        flat, leaves = self._parameters(fixed)
        update = _Update(optimizer, flat, self.groups)
        scale = 1.0 / (images.shape[1] if batches is None else batches.shape[2])
        chosen, targets = [rows(part) for part in fixed], labels.flatten()
        for step in range(steps):
            if batches is not None:
                numbers = batches[step]
                chosen = [rows(_take(part, numbers)) for part in fixed]
                targets = _take(labels, numbers).flatten()
            features = pooled_features(self.network.suffix(*chosen)).unflatten(0, (self.groups, -1))
            logits = torch.baddbmm(self.head_bias[:, None], features, self.head_weight.mT)
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets, reduction="sum") * scale
            gradients = torch.autograd.grad(loss, leaves)
            flat.grad = torch.cat([gradient.flatten(1) for gradient in gradients], dim=1)
            update(flat)
        self.network.train(False)
        self._freeze()
        self._fitted = True

    @torch.no_grad()
    def predict(self, images: Tensor) -> Tensor:
        """Scores of each group's queries, in evaluation mode.

        Queries pass in batches of a fixed size, filled up with zeros, so that a query's scores do not depend on the
        number, the order or the content of the others.

        Args:
            images: (G, Q, 3, H, W).

        Returns:
            Logits (G, Q, classes).

        Raises:
            UserError: `fit` was not called before, or the shape does not fit.
        """
        if not self._fitted:
            raise UserError("a grouped adapter has nothing to predict with yet; call fit first")
        self._check_images(images)
        size = max(1, _QUERY_ROWS // self.groups)
        scores = []
        for part in images.split(size, dim=1):
            missing = size - part.shape[1]
            padded = torch.cat([part, part.new_zeros(self.groups, missing, *part.shape[2:])], dim=1)
            outputs = self.network.suffix(*self.network.prefix(rows(padded.to(self._like))))
            features = pooled_features(outputs).unflatten(0, (self.groups, size))[:, : part.shape[1]]
            # Not a matrix product, in which the last digits of a row depend on its place.
            products = features[:, :, None] * self.head_weight[:, None]
            scores.append(products.sum(dim=-1) + self.head_bias[:, None])
        return torch.cat(scores, dim=1)

    def state(self, group: int) -> dict[str, Tensor]:
        """Scales, offsets and statistics of one group's norm layers, by the backbone's names."""
        values: dict[str, Tensor] = {}
        for name, norm in self.network.norms.items():
            own = {"weight": norm.weight, "bias": norm.bias, "running_mean": norm.running_mean,
                   "running_var": norm.running_var}  # fmt: skip
            values |= {f"{name}.{key}": value[group] for key, value in own.items() if key in norm.source}
            values[f"{name}.num_batches_tracked"] = torch.tensor(norm.tracked)
        return values

    def _parameters(self, fixed: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One tensor (G, P) of everything that trains, and the views of it that the layers use."""
        norms = [norm for norm in self.network.norms.values() if norm.trains]
        parts = [part for norm in norms for part in (norm.weight, norm.bias)]
        width = self._width(fixed)
        head = [
            self._like.new_zeros(self.groups, self.classes * width),
            self._like.new_zeros(self.groups, self.classes),
        ]
        flat = torch.cat([*parts, *head], dim=1)
        views = [view.detach().requires_grad_() for view in flat.split([p.shape[1] for p in [*parts, *head]], dim=1)]
        for index, norm in enumerate(norms):
            norm.weight, norm.bias = views[2 * index : 2 * index + 2]
        self.head_weight = views[-2].unflatten(1, (self.classes, width)).detach().requires_grad_()
        self.head_bias = views[-1]
        return flat, [*views[:-2], self.head_weight, self.head_bias]

    def _freeze(self) -> None:
        for norm in self.network.norms.values():
            norm.weight, norm.bias = norm.weight.detach(), norm.bias.detach()
        self.head_weight, self.head_bias = self.head_weight.detach(), self.head_bias.detach()

    @torch.no_grad()
    def _evaluate_prefix(self, images: Tensor) -> list[Tensor]:
        """What the frozen first layers give, (G, M, ...) each."""
        shared = self.groups > 1 and images.stride(0) == 0
        groups = images[:1] if shared else images
        outputs = self.network.prefix(rows(groups.to(self._like)))
        parts = [part.unflatten(0, (groups.shape[0], -1)) for part in outputs]
        return [part.expand(self.groups, *part.shape[1:]) for part in parts]

    @torch.no_grad()
    def _width(self, fixed: Sequence[Tensor]) -> int:
        """Width of the pooled features."""
        self.network.train(False)
        sample = [rows(part[:, :1]) for part in fixed]
        width = pooled_features(self.network.suffix(*sample)).shape[1]
        self.network.train(True)
        return width

    def _check(self, images: Tensor, labels: Tensor, steps: int, batches: Tensor | None) -> None:
        self._check_images(images)
        if labels.shape != images.shape[:2] or labels.dtype != torch.int64:
            raise UserError(f"labels must be int64 {tuple(images.shape[:2])}, got {labels.dtype} {tuple(labels.shape)}")
        if not 0 <= int(labels.min()) <= int(labels.max()) < self.classes:
            raise UserError(
                f"labels must lie in 0 to {self.classes - 1}, got {int(labels.min())} to {int(labels.max())}"
            )
        if steps < 1:
            raise UserError(f"steps must be 1 or more, got {steps}")
        if batches is None:
            return
        if batches.dim() != 3 or batches.shape[:2] != (steps, self.groups) or batches.shape[2] < 1:
            raise UserError(f"batches must be ({steps}, {self.groups}, B), got {tuple(batches.shape)}")
        if not 0 <= int(batches.min()) <= int(batches.max()) < images.shape[1]:
            raise UserError(f"batches must hold image numbers from 0 to {images.shape[1] - 1}")

    def _check_images(self, images: Tensor) -> None:
        if images.dim() != 5 or images.shape[0] != self.groups or images.shape[1] < 1:
            raise UserError(f"images must be ({self.groups}, M, 3, H, W) with M from 1, got {tuple(images.shape)}")


def _only_phase(protocol: str, norm_stats: str | None) -> Phase:
    phases = get_protocol(protocol).phases
    phase = phases[0]
    if len(phases) > 1 or phase.train not in ("head", "norm"):
        raise UserError(
            f"protocol {protocol!r} cannot be run for many groups at once, only protocols of one phase that train the "
            "head or norm layers, such as linear, bn, bn_paper and bn_frozen_stats"
        )
    phase = Phase(phase.train, phase.norm_layers, norm_stats or phase.norm_stats)
    if phase.norm_stats == "recalibrate":
        raise UserError("norm_stats 'recalibrate' cannot be run for many groups at once; choose frozen or batch")
    return phase


class _Update:
    """An optimizer of torch's on the groups' values (G, P).

    All of them are one tensor where the groups share a learning rate; the optimisers treat each value by itself.
    Otherwise each group is a tensor with a learning rate of its own.
    """

    def __init__(self, config: dict[str, Any], flat: Tensor, groups: int) -> None:
        lr = torch.as_tensor(config.get("lr", math.nan), dtype=torch.float64).tolist()
        if isinstance(lr, list) and len(lr) != groups:
            raise UserError(f"lr must be one number or {groups}, one for each group, got {len(lr)}")
        every = lr if isinstance(lr, list) else [lr]
        if not all(math.isfinite(one) and one >= 0 for one in every):
            raise UserError(f"lr must be finite and 0 or more, got {config.get('lr')!r}")
        self._parts = list(flat) if isinstance(lr, list) else [flat]
        parts = [{"params": [part], "lr": one} for part, one in zip(self._parts, every, strict=True)]
        self._optimizer = build_optimizer(parts, {**config, "lr": every[0]})

    def __call__(self, flat: Tensor) -> None:
        """Apply one step, given the gradients in `flat.grad`."""
        assert flat.grad is not None
        for part, gradient in zip(self._parts, [flat.grad] if len(self._parts) == 1 else flat.grad, strict=True):
            part.grad = gradient.reshape(part.shape)
        self._optimizer.step()


def _take(values: Tensor, numbers: Tensor) -> Tensor:
    """Rows (G, B, ...) of (G, M, ...) by their numbers (G, B)."""
    return values[torch.arange(len(values), device=values.device)[:, None], numbers]
