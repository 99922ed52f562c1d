"""The linear head every protocol trains."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmbnft.host import HEADS, BaseModule
from mmbnft.models.pooling import pooled_features
from mmbnft.utils.errors import UserError


@HEADS.register_module()
class BnftLinearHead(BaseModule):
    """Global average pooling and one linear layer, behind a norm if wanted, for single-label or multi-label tasks.

    Args:
        in_channels: Width of the backbone's features.
        num_classes: Number of classes.
        multi_label: Train every class by its own binary cross-entropy, for labels (N, C) in {0, 1}; otherwise by
            cross-entropy, for class numbers (N,).
        init_std: Standard deviation of the normal initialisation of the weights; the bias starts at 0.
        norm_before_classifier: Normalise the pooled features by a BatchNorm1d, which trains with the head.

    Raises:
        UserError: A size is not positive.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        multi_label: bool = False,
        init_std: float = 0.01,
        norm_before_classifier: bool = False,
    ) -> None:
        super().__init__()
        if in_channels < 1 or num_classes < 1:
            raise UserError(f"a head needs positive sizes, got in_channels={in_channels}, num_classes={num_classes}")
        self.multi_label = multi_label
        self.init_std = init_std
        self.norm = nn.BatchNorm1d(in_channels) if norm_before_classifier else nn.Identity()
        self.fc_cls = nn.Linear(in_channels, num_classes)

    def init_weights(self) -> None:
        """Draw the weights anew."""
        nn.init.normal_(self.fc_cls.weight, std=self.init_std)
        nn.init.zeros_(self.fc_cls.bias)

    def forward(self, features: Tensor | Sequence[Tensor]) -> list[Tensor]:
        """Class scores [(N, C)] from a backbone's outputs; a list of one, as the host expects."""
        return [self.fc_cls(self.norm(pooled_features(features)))]

    def loss(self, scores: Sequence[Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Mean loss over the batch.

        Args:
            scores: [(N, C)].
            labels: int64 (N,), or (N, C) in {0, 1} for a multi-label head.
        """
        if self.multi_label:
            loss = nn.functional.binary_cross_entropy_with_logits(scores[0], labels.to(torch.float32))
        else:
            loss = nn.functional.cross_entropy(scores[0], labels)
        return {"loss": loss}
