"""What happens between epochs: new order, curve, val, state for a resume."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from mmbnft.evaluation.training.movement import Movement
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
        multiply_adds: What that took, see `Work`.
    """

    phase: int = 0
    epoch: int = 0
    model: dict[str, Any] | None = None
    optimizer: dict[str, Any] | None = None
    curve: list[dict[str, Any]] = field(default_factory=list)
    images: int = 0
    multiply_adds: int = 0


class SeedHook(Hook):
    """Starts every epoch from seeds that depend on (seed, phase, epoch) only.

    So a resumed training repeats an uninterrupted one, and a trial does not depend on the trials before it. It comes
    before whatever else happens at the start of an epoch, such as a pass that re-estimates statistics.

    Args:
        position: Says the phase.
        seed: The run's seed.
    """

    PRIORITY = "VERY_HIGH"

    def __init__(self, position: Position, seed: int) -> None:
        self.position, self.seed = position, seed

    def before_train_epoch(self, runner: Any) -> None:
        """Set order, augmentation and dropout for this epoch."""
        epoch = self.position.phase * 100_000 + runner.epoch
        runner.data_loader.batch_sampler.epoch = epoch
        runner.data_loader.batch_sampler.limit = None
        runner.data_loader.dataset.epoch = epoch
        # Dropout must not repeat itself over the shares of a batch; order and augmentation have seeds of their own.
        torch.manual_seed((self.seed * 1_000_003 + epoch + Processes.current().rank * RANK_STRIDE) % 2**63)


class EpochHook(Hook):
    """Keeps the position of a training up to date.

    Args:
        position: Updated in place.
        multiply_adds: Of a training step for each image, see `step_multiply_adds`.
        val_interval: Epochs between two readings of val; 0 for none.
        score: Reads val in percent.
        save: Called with the position after every epoch but the last of the phase.
    """

    PRIORITY = "LOW"

    def __init__(
        self,
        position: Position,
        multiply_adds: int,
        val_interval: int,
        score: Callable[[], float] | None,
        save: Callable[[Position], None] | None,
    ) -> None:
        self.position, self.multiply_adds = position, multiply_adds
        self.val_interval, self.score, self.save = val_interval, score, save

    def before_run(self, runner: Any) -> None:
        """Find the parts of the network."""
        self._movement = Movement(bare_model(runner.model))

    def before_train_epoch(self, runner: Any) -> None:
        """Set the epoch's length; begin its record."""
        runner.data_loader.batch_sampler.limit = runner.max_iters - runner.iter
        self._movement.begin()
        self._started = time.perf_counter()
        self._loss, self._steps = 0.0, 0

    def before_train_iter(self, runner: Any) -> None:
        """Count the images of the step, which cost what they cost also where it diverges."""
        images = runner.data_loader.batch_sampler.batch_size
        self.position.images += images
        self.position.multiply_adds += images * self.multiply_adds

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
            "moved": self._movement.changes(),
            "sizes": self._movement.sizes(),
        }
        if self.score is not None and self.val_interval and (runner.epoch + 1) % self.val_interval == 0:
            entry["val"] = self.score()
            runner.log_buffer.output["val"] = entry["val"]
        self.position.curve.append(entry)
        self.position.epoch = runner.epoch + 1
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
