"""Stops a run whose loss is not a number."""

import math
from typing import Any

from mmbnft.host import HOOKS, Hook
from mmbnft.utils.errors import DivergedError


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Raises before the optimiser steps on a loss that is not finite; register it with its `PRIORITY`."""

    PRIORITY = "VERY_HIGH"

    def after_train_iter(self, runner: Any) -> None:
        """Check the loss of the step.

        Raises:
            DivergedError: It is NaN or infinite.
        """
        # The host has averaged this one over processes, so all of them stop, or none does.
        loss = runner.outputs["log_vars"]["loss"]
        if not math.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss} in epoch {runner.epoch + 1}, step {runner.inner_iter + 1}; lower the "
                "learning rate, or check the images and the checkpoint"
            )
