"""Trains a model through the phases of its protocol, each on an mmcv EpochBasedRunner of its own."""

import copy
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from mmbnft.compat import no_epoch_pause
from mmbnft.evaluation.loaded_network import Network
from mmbnft.evaluation.requirements import refuse_statistics_of_one
from mmbnft.evaluation.training.accumulation import AccumulatedStepHook, MicroBatches
from mmbnft.evaluation.training.distributed import SharedBatches, global_batch_statistics
from mmbnft.evaluation.training.epochs import EpochHook, Position, SeedHook
from mmbnft.evaluation.training.loaders import EpochBatches, train_loader
from mmbnft.hooks import FiniteLossHook, ProtocolAuditHook, ProtocolHook
from mmbnft.host import (
    EpochBasedRunner,
    Hook,
    MMDataParallel,
    MMDistributedDataParallel,
    OptimizerHook,
    build_optimizer,
)
from mmbnft.recipes.recipe import Recipe
from mmbnft.tasks import TaskDataset
from mmbnft.utils.errors import UserError
from mmbnft.utils.processes import Processes

# One pass over each tensor instead of several: three times as fast on a CPU, and the same up to rounding.
FUSED_OPTIMIZERS = ("SGD", "Adam", "AdamW")


class PhaseRunner(EpochBasedRunner):
    """Runs one phase for a number of steps, the last epoch cut short where they do not fill it.

    Args:
        model: The model.
        optimizer: The phase's optimiser.
        work_dir: For what hooks write.
        logger: Takes the messages.
        steps: Steps of the phase.
        epoch_length: Steps of an epoch.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        work_dir: Path,
        logger: logging.Logger,
        steps: int,
        epoch_length: int,
    ) -> None:
        epochs = math.ceil(steps / epoch_length)
        super().__init__(model, optimizer=optimizer, work_dir=str(work_dir), logger=logger, max_epochs=epochs)
        self._steps = steps

    @property
    def max_iters(self) -> int:
        """Steps of the phase; the host would count whole epochs, and stretch every schedule over them."""
        return self._steps


@dataclass(frozen=True)
class Trainer:
    """Trains one network by one recipe.

    Attributes:
        network: The model; trained in place.
        recipe: The recipe.
        seed: Seed of order and augmentation.
        work_dir: For what hooks write.
        logger: Takes the runner's messages.
        hooks: Further hooks, the same objects in every phase.
        save: Called with the position after every epoch but a training's last.
        accumulation: Micro-batches in which a batch is computed; see `MicroBatches`.
        workers: Data-loading processes.
        val_interval: Epochs between two evaluations on val; 0 for none.
        multiply_adds: Of a training step for each image, by phase; empty where nobody counts them.
    """

    network: Network
    recipe: Recipe
    seed: int
    work_dir: Path
    logger: logging.Logger
    hooks: tuple[Hook, ...] = ()
    save: Callable[[Position], None] | None = None
    accumulation: int = 1
    workers: int = 0
    val_interval: int = 0
    multiply_adds: tuple[int, ...] = ()

    def train(
        self,
        dataset: TaskDataset,
        trial: dict[str, float],
        position: Position,
        score: Callable[[], float] | None = None,
    ) -> Position:
        """Train from `position` through the last phase.

        Args:
            dataset: Training images.
            trial: The searched values of this training.
            position: Where to begin; a fresh one starts from the network's initial state.
            score: Evaluates val in percent; called every `val_interval` epochs.

        Returns:
            The final position, without states.

        Raises:
            DivergedError: The loss is not finite.
            AuditError: The protocol was not kept.
            UserError: The optimiser cannot be built, or batch statistics would be those of one image.
        """
        self.network.reset()
        if position.model is not None:
            self.network.model.load_state_dict(position.model)
        position.model = None
        backbone = self.network.backbone
        for index in range(position.phase, len(backbone.protocol.phases)):
            backbone.enter_phase(index)
            position.phase = index
            self._run_phase(dataset, trial, position, score)
            position.epoch, position.optimizer = 0, None
        return position

    def _run_phase(
        self, dataset: TaskDataset, trial: dict[str, float], position: Position, score: Callable[[], float] | None
    ) -> None:
        processes = Processes.current()
        model, phase = self.network.model, self.network.backbone.phase
        loader = train_loader(dataset, self.recipe.batch_size or len(dataset), self.seed, processes, self.workers)
        batches = loader.batch_sampler
        assert isinstance(batches, EpochBatches)
        refuse_statistics_of_one(model, batches.batch_size)
        optimizer = self._optimizer(trial, phase.lr_scale)
        if position.optimizer is not None:
            optimizer.load_state_dict(position.optimizer)
        steps = self.recipe.phase_steps(len(loader), phase.epochs)
        runner = PhaseRunner(
            _parallel(model, processes), optimizer, self.work_dir, self.logger, steps, epoch_length=len(loader)
        )
        if self.accumulation > 1:
            runner.batch_processor = MicroBatches(optimizer, self.accumulation)
        elif not batches.is_even:
            runner.batch_processor = SharedBatches(optimizer, batches.batch_size, processes)
        # A resumed phase starts counting where it stopped, so that the schedule goes on.
        runner._epoch, runner._iter = position.epoch, position.epoch * len(loader)
        self._register(runner, loader, position, score)
        with no_epoch_pause(), global_batch_statistics(model, processes):
            runner.run([loader], [("train", 1)])

    def _optimizer(self, trial: dict[str, float], lr_scale: float) -> torch.optim.Optimizer:
        arguments = self.recipe.optimizer_arguments(trial, lr_scale)
        if arguments["type"] in FUSED_OPTIMIZERS and not {"fused", "foreach", "differentiable"} & set(arguments):
            arguments["fused"] = True
        try:
            return _with_few_groups(build_optimizer(self.network.model, arguments))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"the optimiser {arguments} cannot be built: {error}; see torch.optim") from error

    def _register(
        self, runner: EpochBasedRunner, loader: DataLoader, position: Position, score: Callable[[], float] | None
    ) -> None:
        step = OptimizerHook if self.accumulation == 1 else AccumulatedStepHook
        runner.register_training_hooks(
            copy.deepcopy(self.recipe.lr_config), step(grad_clip=copy.deepcopy(self.recipe.grad_clip))
        )
        multiply_adds = self.multiply_adds[position.phase] if self.multiply_adds else 0
        own = (
            SeedHook(position, self.seed),
            FiniteLossHook(),
            ProtocolHook(restore=False),
            ProtocolAuditHook(),
            EpochHook(position, multiply_adds, self.val_interval, score, self.save),
        )
        for hook in own:
            runner.register_hook(hook, priority=hook.PRIORITY)
        for hook in self.hooks:
            hook.__dict__.pop("priority", None)  # set by an earlier phase's runner, which a second one refuses
            runner.register_hook(hook, priority=getattr(hook, "PRIORITY", "VERY_LOW"))


def _with_few_groups(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """The optimiser with the parameters of equal settings in one group, which it updates at once.

    The host makes a group for each parameter. Every parameter is updated by itself either way.
    """
    merged: dict[str, dict[str, Any]] = {}
    for group in optimizer.param_groups:
        settings = repr(sorted((name, value) for name, value in group.items() if name != "params"))
        if settings in merged:
            merged[settings]["params"] += group["params"]
        else:
            merged[settings] = group
    optimizer.param_groups[:] = merged.values()
    return optimizer


def _parallel(model: nn.Module, processes: Processes) -> nn.Module:
    device = next(model.parameters()).device
    ids = [device.index or 0] if device.type == "cuda" else None
    if processes.count > 1:
        # Statistics are those of the global batch already, so there is nothing to broadcast.
        return MMDistributedDataParallel(model, device_ids=ids, broadcast_buffers=False)
    return MMDataParallel(model, device_ids=ids) if ids else model
