"""Stops a run whose loss is not a number."""

from typing import Any

import torch
from mmcv.runner import HOOKS, Hook

from mmbnft.errors import DivergedError


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Raises before the optimiser steps on a loss that is not finite; register it with priority VERY_HIGH."""

    def after_train_iter(self, runner: Any) -> None:
        """Check the loss of the step.

        Raises:
            DivergedError: It is NaN or infinite.
        """
        loss = runner.outputs["loss"]
        if not torch.isfinite(loss).all():
            raise DivergedError(
                f"the loss is {loss.item()} in epoch {runner.epoch + 1}, step {runner.inner_iter + 1}; lower the "
                "learning rate, or check the images and the checkpoint"
            )
