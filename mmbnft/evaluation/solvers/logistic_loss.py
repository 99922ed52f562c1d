"""The two losses of logistic regression with their derivatives, precise also where every probability is near 0 or 1.

Logits are (N, B, K): N images, B weight decays or episodes solved side by side, K weight vectors. A problem is what has
an optimum of its own: one for each weight decay or episode with the softmax, one for each weight decay and class with
the sigmoid. What belongs to a problem has shape (1, B, 1) or (1, B, K).
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Terms:
    """What the loss is at given logits.

    Attributes:
        loss: float64, summed over images, for each problem.
        residual: (N, B, K) derivative of the loss by the logits.
        state: (N, B, K) what `curve` needs.
    """

    loss: Tensor
    residual: Tensor
    state: Tensor


class Softmax:
    """Cross-entropy over classes.

    Args:
        labels: int64, all of 0..K-1 present: (N,) of images that all problems share, or (N, B) of each problem's own.
        dtype: Of the logits.

    Attributes:
        prior: (1 or B, K) logits of the classes' shares, the best constant prediction.
    """

    within = (0, 2)  # dimensions of a (*, B, K) tensor that belong to one problem

    def __init__(self, labels: Tensor, dtype: torch.dtype) -> None:
        self.labels = labels.reshape(len(labels), -1, 1)
        share = torch.nn.functional.one_hot(self.labels[..., 0]).to(dtype).mean(0)
        self.prior = share.log() - share.log().mean(1, keepdim=True)

    def terms(self, logits: Tensor) -> Terms:
        """Loss and derivatives.

        The own class's probability never enters as 1 - p: what the other classes have is summed instead.
        """
        own = self.labels.expand(-1, logits.shape[1], 1)
        margins = logits - logits.gather(2, own)
        top = margins.amax(2, keepdim=True)  # at least 0, the own class's
        powers = margins.sub_(top).exp_()
        mine = powers.gather(2, own)
        others = powers.scatter(2, own, 0.0)
        rest = others.sum(2, keepdim=True)
        loss = (top + torch.log1p((mine - 1) + rest)).sum((0, 2), keepdim=True, dtype=torch.float64)
        total = mine + rest
        residual = (others / total).scatter_(2, own, -rest / total)
        return Terms(loss, residual, powers.div_(total))

    def curve(self, state: Tensor, change: Tensor) -> Tensor:
        """The loss's second derivative applied to a change of the logits."""
        own = self.labels.expand(-1, change.shape[1], 1)
        shifted = change - change.gather(2, own)  # a common shift changes nothing, and keeps saturated rows precise
        mean = (state * shifted).sum(2, keepdim=True)
        return shifted.sub_(mean).mul_(state)

    def curvature(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean second derivative over images, as eigenvalues (B, K) and eigenvectors (B, K, K)."""
        rows = state.transpose(0, 1).double()
        mean = torch.diag_embed(rows.mean(1)) - rows.transpose(1, 2) @ rows / rows.shape[1]
        values, vectors = torch.linalg.eigh(mean)
        return values.clamp(min=0).to(state.dtype), vectors.to(state.dtype)

    def weights(self, state: Tensor) -> Tensor:
        """How much each image contributes to the curvature, (B, N), with mean 1 over images."""
        spread = (state * (1 - state)).sum(2).clamp_(min=1e-12).T
        return spread / spread.mean(1, keepdim=True)


class Sigmoid:
    """Binary cross-entropy of every column by itself.

    Args:
        labels: (N, K) in {0, 1}, both present in every column.
        dtype: Of the logits.

    Attributes:
        prior: (1, K) logits of the columns' shares.
    """

    within = (0,)

    def __init__(self, labels: Tensor, dtype: torch.dtype) -> None:
        self.signs = (2 * labels.to(dtype) - 1)[:, None, :]
        self.prior = torch.logit(labels.to(torch.float64).mean(0, keepdim=True)).to(dtype)

    def terms(self, logits: Tensor) -> Terms:
        """Loss and derivatives."""
        signed = logits * self.signs
        wrong = torch.sigmoid(-signed)
        loss = torch.nn.functional.softplus(-signed).sum(0, keepdim=True, dtype=torch.float64)
        return Terms(loss, -self.signs * wrong, wrong * torch.sigmoid(signed))

    def curve(self, state: Tensor, change: Tensor) -> Tensor:
        """The loss's second derivative applied to a change of the logits."""
        return state * change

    def curvature(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean second derivative over images, as eigenvalues (B, K) and eigenvectors (B, K, K)."""
        count = state.shape[2]
        vectors = torch.eye(count, dtype=state.dtype, device=state.device).expand(state.shape[1], count, count)
        return state.mean(0), vectors

    def weights(self, state: Tensor) -> Tensor:
        """How much each image contributes to the curvature, (B, N), with mean 1 over images."""
        spread = state.sum(2).clamp(min=1e-12).T
        return spread / spread.mean(1, keepdim=True)
