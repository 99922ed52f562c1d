"""Steps on whole batches that are computed in micro-batches, for memory that does not hold a batch."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmbnft.host import OptimizerHook

FEWEST = 2  # images in a micro-batch; batch statistics of one image may not exist


@dataclass(frozen=True)
class MicroBatches:
    """A runner's `batch_processor` that adds up the gradients of micro-batches; goes with `AccumulatedStepHook`.

    Steps, schedule and loss are those of the whole batch: each micro-batch's mean loss counts by its share of the
    images. What a layer sees together is only its micro-batch, so with frozen statistics a step is the plain one, while
    batch statistics are those of the micro-batches.

    Attributes:
        optimizer: Whose gradients are cleared before the first micro-batch.
        count: Micro-batches of a batch, of nearly equal sizes; fewer where they would hold under two images.
    """

    optimizer: torch.optim.Optimizer
    count: int

    def __call__(self, model: Any, batch: dict[str, Tensor], train_mode: bool) -> dict[str, Any]:
        """Leave the gradients of the whole batch in the parameters; return its mean loss."""
        assert train_mode
        size = len(batch["img"])
        loss, log_vars = 0.0, dict[str, float]()
        self.optimizer.zero_grad()
        for micro_batch in _split(batch, min(self.count, max(1, size // FEWEST))):
            outputs: dict[str, Any] = model.train_step(micro_batch, self.optimizer)
            share = len(micro_batch["img"]) / size
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


def _split(batch: dict[str, Tensor], count: int) -> list[dict[str, Tensor]]:
    pieces = {name: value.tensor_split(count) for name, value in batch.items()}
    return [{name: values[number] for name, values in pieces.items()} for number in range(count)]
