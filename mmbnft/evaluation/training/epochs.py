"""What happens between epochs: new order, curve, val reading, state for a resume."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from mmbnft.hooks import bare_model
from mmbnft.host import Hook, master_only
from mmbnft.utils.processes import Processes

RANK_STRIDE = 2_305_843_009_213_693_951  # larger than any seed and epoch together


@dataclass
class Position:
    """How far one training has come; what a resumed one continues from.

    Attributes:
        phase: Number of the phase.
        epoch: Epochs finished in it.
        model: State of the model then; None at the very start.
        optimizer: State of the phase's optimiser; None at the start of a phase.
        curve: One entry for each epoch so far.
        images: Images seen so far, over all processes.
    """

    phase: int = 0
    epoch: int = 0
    model: dict[str, Any] | None = None
    optimizer: dict[str, Any] | None = None
    curve: list[dict[str, Any]] = field(default_factory=list)
    images: int = 0


class EpochHook(Hook):
    """Keeps a training reproducible and its position up to date.

    Every epoch starts from seeds that depend on (seed, phase, epoch) only, so a resumed training repeats an
    uninterrupted one.

    Args:
        position: Updated in place after every epoch.
        seed: The run's seed.
        val_interval: Epochs between two readings of val; 0 for none.
        score: Reads val in percent.
        save: Called with the position after every epoch but the last of the phase.
    """

    def __init__(
        self,
        position: Position,
        seed: int,
        val_interval: int,
        score: Callable[[], float] | None,
        save: Callable[[Position], None] | None,
    ) -> None:
        self.position, self.seed, self.val_interval, self.score, self.save = position, seed, val_interval, score, save

    def before_train_epoch(self, runner: Any) -> None:
        """Set length, order, augmentation and dropout for this epoch."""
        epoch = self.position.phase * 100_000 + runner.epoch
        runner.data_loader.batch_sampler.epoch = epoch
        runner.data_loader.batch_sampler.limit = runner.max_iters - runner.iter
        runner.data_loader.dataset.epoch = epoch
        # Dropout must not repeat itself over the shares of a batch; order and augmentation have seeds of their own.
        torch.manual_seed((self.seed * 1_000_003 + epoch + Processes.current().rank * RANK_STRIDE) % 2**63)
        self._started = time.perf_counter()
        self._loss, self._steps = 0.0, 0

    def after_train_iter(self, runner: Any) -> None:
        """Add up the loss, which the host has averaged over processes already."""
        self._loss += runner.outputs["log_vars"]["loss"]
        self._steps += 1

    def after_train_epoch(self, runner: Any) -> None:
        """Extend the curve; read val; hand the position on for saving."""
        entry = {
            "phase": self.position.phase,
            "epoch": runner.epoch + 1,
            "loss": self._loss / self._steps,
            "lr": runner.current_lr()[0],
            "seconds": time.perf_counter() - self._started,
        }
        if self.score is not None and self.val_interval and (runner.epoch + 1) % self.val_interval == 0:
            entry["val"] = self.score()
            runner.log_buffer.output["val"] = entry["val"]
        self.position.curve.append(entry)
        self.position.epoch = runner.epoch + 1
        self.position.images += self._steps * runner.data_loader.batch_sampler.batch_size
        if runner.epoch + 1 < runner.max_epochs:
            self._hand_on(runner)

    @master_only
    def _hand_on(self, runner: Any) -> None:
        if self.save is None:
            return
        self.position.model = bare_model(runner.model).state_dict()
        self.position.optimizer = runner.optimizer.state_dict()
        self.save(copy.copy(self.position))
        self.position.model = self.position.optimizer = None
