"""Holds a training run to its protocol."""

from typing import Any

from torch import nn

from mmbnft.host import HOOKS, Hook, is_module_wrapper
from mmbnft.models import ProtocolBackbone, find_protocol_backbone
from mmbnft.utils.errors import UserError


def bare_model(model: nn.Module) -> Any:
    """The model without its (distributed) data-parallel wrapper."""
    return model.module if is_module_wrapper(model) else model


@HOOKS.register_module()
class ProtocolHook(Hook):
    """Checks that the optimiser fits the protocol, re-estimates statistics where the phase asks for it, and restores.

    Trainability is settled when the model is built. What can still go wrong is an optimiser that was built for other
    parameters; this hook refuses it before the first step.

    Args:
        restore: Whether to put trainability and modes back to what they were before the protocol, after the run.
    """

    PRIORITY = "NORMAL"

    def __init__(self, restore: bool = True) -> None:
        if not isinstance(restore, bool):
            raise UserError(f"restore of ProtocolHook must be True or False, got {restore!r}")
        self.restore = restore

    def before_run(self, runner: Any) -> None:
        """Refuse an optimiser that lacks a parameter the protocol trains.

        Raises:
            UserError: Such a parameter exists.
        """
        held = {id(p) for group in runner.optimizer.param_groups for p in group["params"]}
        model = bare_model(runner.model)
        lacking = [name for name, p in model.named_parameters() if p.requires_grad and id(p) not in held]
        if lacking:
            raise UserError(
                f"the optimiser lacks {len(lacking)} parameters that the protocol trains, e.g. {lacking[0]}; "
                "build the optimiser after the model has entered its phase"
            )

    def before_train_epoch(self, runner: Any) -> None:
        """At the start of a recalibrating phase, re-estimate the norm statistics on the training images."""
        backbone = find_protocol_backbone(bare_model(runner.model))
        if runner.epoch == 0 and backbone.phase.norm_stats == "recalibrate":
            device = next(backbone.parameters()).device
            backbone.applied.recalibrate(batch["img"].to(device) for batch in runner.data_loader)

    def after_run(self, runner: Any) -> None:
        """Restore, if asked to."""
        if self.restore:
            backbone: ProtocolBackbone = find_protocol_backbone(bare_model(runner.model))
            backbone.leave_phase()
