"""The backbone wrapper: any backbone of the host stack, adapted by a protocol."""

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from mmbnft.host import BACKBONES
from mmbnft.models.building import build_backbone
from mmbnft.models.lean import LeanActivations
from mmbnft.protocols import AppliedPhase, Phase, Protocol, apply_phase, get_protocol
from mmbnft.utils.errors import UserError


@BACKBONES.register_module()
class ProtocolBackbone(nn.Module):
    """A backbone whose trainable parameters and norm statistics a protocol decides.

    The wrapper shares the wrapped module's own tables of parameters, buffers and children instead of holding the module
    as a child. So it is transparent: names and state-dict keys are those of the wrapped backbone, in both directions,
    for torch's loader and for mmcv's.

    Which parameters train is settled here, when the model is built, before any optimiser or distributed wrapper
    exists; `train()` only restores modes.

    Args:
        backbone: Configuration of the backbone, or a built one.
        protocol: A protocol: its name, e.g. `bn`, `dict(name=..., phases=[...])`, or one that is built already.
        phase: Which phase of the protocol to start in, counting from 0. A training loop with a single optimiser, as in
            the host's own train.py, can run one phase only; run it once for each phase of a longer protocol.
        takes_features: Whether its inputs are pooled features instead of images, which a backbone that no phase changes
            allows to compute once.
        saves_memory: Whether to keep fewer activations in training, for a little time (see `LeanActivations`).
        precision: `bfloat16` to multiply in it (torch's automatic mixed precision); what comes out is float32 all the
            same.

    Raises:
        UserError: The protocol does not exist or does not fit the backbone, or the backbone freezes stages by itself.

    Example:
        `dict(type="ProtocolBackbone", protocol="bn", backbone=dict(type="ResNet", depth=50))`
    """

    def __init__(
        self,
        backbone: dict[str, Any] | nn.Module,
        protocol: str | dict[str, Any] | Protocol,
        phase: int = 0,
        *,
        takes_features: bool = False,
        saves_memory: bool = False,
        precision: str = "float32",
    ) -> None:
        super().__init__()
        wrapped = backbone if isinstance(backbone, nn.Module) else build_backbone(backbone)
        if getattr(wrapped, "frozen_stages", -1) >= 0:
            raise UserError(
                f"frozen_stages={wrapped.frozen_stages} of the backbone contradicts protocol {protocol!r}, which alone "
                "decides what is frozen; remove frozen_stages"
            )
        object.__setattr__(self, "wrapped", wrapped)
        for table in ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"):
            self.__dict__[table] = wrapped.__dict__[table]
        self.protocol: Protocol = get_protocol(protocol)
        self.takes_features, self.saves_memory = takes_features, saves_memory
        self.precision: torch.dtype = getattr(torch, precision)
        self.applied: AppliedPhase
        self.enter_phase(phase)

    @property
    def phase(self) -> Phase:
        """The phase in force."""
        return self.protocol.phases[self.phase_index]

    def enter_phase(self, index: int) -> None:
        """Leave the phase in force, if any, and apply phase `index`; build the optimiser after this.

        Raises:
            UserError: The protocol has no such phase.
        """
        count = len(self.protocol.phases)
        if not 0 <= index < count:
            raise UserError(f"protocol {self.protocol.name!r} has phases 0 to {count - 1}, got {index}")
        self.leave_phase()
        self.phase_index = index
        self.__dict__["applied"] = apply_phase(self.wrapped, self.protocol.phases[index])
        self.train(self.training)

    def leave_phase(self) -> None:
        """Put trainability and modes back to what they were before the protocol; harmless if there is none."""
        applied = self.__dict__.pop("applied", None)
        if applied is not None:
            applied.restore()

    def init_weights(self) -> None:
        """Initialise the wrapped backbone by its own rule."""
        # mmcv hands one record of the initialisation to every module it sees. It does not see the wrapped one, which
        # would otherwise open a record of its own and, when done, take the children's away.
        record = self.__dict__.get("_params_init_info")
        if record is not None:
            self.wrapped._params_init_info = record
        if hasattr(self.wrapped, "init_weights"):
            self.wrapped.init_weights()
        if record is not None:
            del self.wrapped._params_init_info

    def forward(self, inputs: Any) -> Any:
        """What the wrapped backbone returns; the inputs themselves if they are its features already."""
        if self.takes_features:
            return inputs
        with LeanActivations() if self.saves_memory else nullcontext():
            if self.precision == torch.float32:
                return self.wrapped(inputs)
            with torch.autocast(inputs.device.type, self.precision):
                return _as_float32(self.wrapped(inputs))

    def train(self, mode: bool = True) -> "ProtocolBackbone":
        """Set the mode; layers that the protocol keeps frozen stay in eval mode."""
        self.wrapped.train(mode)
        self.training = mode
        if "applied" in self.__dict__:
            self.applied.restore_modes()
        return self

    def __getattr__(self, name: str) -> Any:
        """Look up in the shared tables first, then on the wrapped backbone (`out_indices`, `feat_dim` ...)."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if "wrapped" not in self.__dict__:
                raise
            return getattr(self.__dict__["wrapped"], name)


def _as_float32(output: Any) -> Any:
    return output.float() if isinstance(output, Tensor) else type(output)(_as_float32(part) for part in output)


def find_protocol_backbone(model: nn.Module) -> ProtocolBackbone:
    """The one `ProtocolBackbone` in a model.

    Raises:
        UserError: There is none, or more than one.
    """
    found = [module for module in model.modules() if isinstance(module, ProtocolBackbone)]
    if len(found) != 1:
        raise UserError(
            f"the model has {len(found)} backbones of type ProtocolBackbone, expected one; "
            "write backbone=dict(type='ProtocolBackbone', protocol=..., backbone=dict(...))"
        )
    return found[0]
