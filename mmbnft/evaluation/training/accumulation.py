"""Steps on whole batches that are computed part by part, for memory that does not hold a batch."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmbnft.host import OptimizerHook

FEWEST = 2  # images in a part; batch statistics of one image may not exist


@dataclass(frozen=True)
class BatchInParts:
    """A runner's `batch_processor` that adds up the gradients of the parts of a batch; goes with `AccumulatedStepHook`.

    Steps, schedule and loss are those of the whole batch: each part's mean loss counts by its share of the images. What
    a layer sees together is only its part, so with frozen statistics a step is the plain one, while batch statistics
    are those of the parts.

    Attributes:
        optimizer: Whose gradients are cleared before the first part.
        parts: Parts of a batch, of nearly equal sizes; fewer where they would hold under two images.
    """

    optimizer: torch.optim.Optimizer
    parts: int

    def __call__(self, model: Any, batch: dict[str, Tensor], train_mode: bool) -> dict[str, Any]:
        """Leave the gradients of the whole batch in the parameters; return its mean loss."""
        assert train_mode
        size = len(batch["img"])
        loss, log_vars = 0.0, dict[str, float]()
        self.optimizer.zero_grad()
        for part in _split(batch, min(self.parts, max(1, size // FEWEST))):
            outputs: dict[str, Any] = model.train_step(part, self.optimizer)
            share = len(part["img"]) / size
            weighted = outputs["loss"] * share
            weighted.backward()
            loss = loss + weighted.detach()
            for name, value in outputs["log_vars"].items():
                log_vars[name] = log_vars.get(name, 0.0) + value * share
        return {"loss": loss, "log_vars": log_vars, "num_samples": size}


class AccumulatedStepHook(OptimizerHook):
    """Clips and steps on gradients that are there already."""

    def after_train_iter(self, runner: Any) -> None:
        """Take the step."""
        if self.grad_clip is not None:
            self.clip_grads(runner.model.parameters())
        runner.optimizer.step()


def _split(batch: dict[str, Tensor], parts: int) -> list[dict[str, Tensor]]:
    pieces = {name: value.tensor_split(parts) for name, value in batch.items()}
    return [{name: values[number] for name, values in pieces.items()} for number in range(parts)]
