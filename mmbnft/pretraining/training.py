"""Runs one recipe on an mmcv runner."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from mmbnft import compat
from mmbnft.host import (
    HOOKS,
    ConfigDict,
    EpochBasedRunner,
    MMDataParallel,
    build_algorithm,
    build_dataloader,
    build_dataset,
    build_from_cfg,
    build_optimizer,
)
from mmbnft.pretraining.hooks import EpochSeedHook, LossCurveHook, ProgressHook, StateHook, seed_everything
from mmbnft.pretraining.photographs import ImageSet
from mmbnft.pretraining.recipes import Recipe, filled
from mmbnft.utils import files
from mmbnft.utils.errors import UserError
from mmbnft.utils.memory_format import memory_format

STATE_FILE = "state.pth"


@dataclass(frozen=True)
class Trained:
    """What came of a run.

    Attributes:
        state_dict: float32 weights of the backbone, torchvision names.
        losses: Mean loss per epoch.
        wall_seconds: Wall time over all epochs.
        cpu_seconds: Processor time over all epochs.
    """

    state_dict: dict[str, torch.Tensor]
    losses: list[float]
    wall_seconds: float
    cpu_seconds: float


def run_key(recipe: Recipe, data: ImageSet, workers: int) -> str:
    """Hash of everything that determines the weights of a run on one machine.

    Args:
        recipe: The recipe.
        data: The pictures.
        workers: Data-loading processes, each with a generator of its own.
    """
    return files.sha256_json([recipe.config, data.sha256, workers, compat.versions()])


def pretrain(
    recipe: Recipe,
    data: ImageSet,
    work_dir: Path,
    workers: int = 0,
    resume: bool = False,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Trained:
    """Pre-train one backbone; the state is saved after every epoch.

    Args:
        recipe: What to do.
        data: Pictures; labels are never seen.
        work_dir: Folder for the state and for what the host's hooks write.
        workers: Processes that load pictures; 0 loads in this process. Part of what determines the weights.
        resume: Continue from the state in `work_dir`, if there is one.
        report: Called with finished and total iterations.

    Raises:
        UserError: The recipe does not fit the data, the loss became non-finite, or the folder cannot be written.
    """
    config = filled(recipe, data.images)
    _prepare_folder(work_dir, resume)
    with compat.pretraining_without_cuda():
        seed_everything(recipe.seed)
        loader = _build_loader(config, workers, recipe.seed)
        model = build_algorithm(config.model)
        model.init_weights()
        # The layout in which small convolutions run fastest on a CPU; it changes nothing else.
        model = model.to(memory_format=memory_format(model, torch.device("cpu")))
        curve = LossCurveHook()
        runner = _build_runner(config, model, loader, work_dir)
        runner.register_hook(EpochSeedHook(recipe.seed), priority="HIGHEST")
        runner.register_hook(curve)
        runner.register_hook(ProgressHook(report))
        state = StateHook(work_dir / STATE_FILE, run_key(recipe, data, workers), loader, curve, resume)
        runner.register_hook(state, priority="LOWEST")
        runner.run([loader], [("train", 1)])
    weights = {name: tensor.detach().contiguous().clone() for name, tensor in model.backbone.state_dict().items()}
    return Trained(weights, curve.losses, sum(curve.wall_seconds), sum(curve.cpu_seconds))


def _prepare_folder(work_dir: Path, resume: bool) -> None:
    """Make the folder and, for a fresh start, remove what an earlier run left in it."""
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        if not resume:
            for pattern in (STATE_FILE, "queue*.pth", "cluster_epoch_*.npy"):
                for path in work_dir.glob(pattern):
                    path.unlink()
    except OSError as error:
        raise UserError(
            f"cannot write the work folder {work_dir} ({error.strerror}); choose another --work-dir"
        ) from error


def _build_loader(config: ConfigDict, workers: int, seed: int) -> DataLoader:
    """The host's loader with its distributed sampler, whose order depends on seed and epoch only."""
    settings: dict[str, Any] = {name: value for name, value in config.data.items() if name != "train"}
    # Without `seed`: the host would give a worker the same augmentations in every epoch.
    loader = build_dataloader(
        build_dataset(config.data.train),
        workers_per_gpu=workers,
        dist=True,
        persistent_workers=False,
        pin_memory=False,
        **settings,
    )
    loader.sampler.seed = seed
    return loader


def _build_runner(config: ConfigDict, model: torch.nn.Module, loader: DataLoader, work_dir: Path) -> EpochBasedRunner:
    """An mmcv runner with the host's hooks that the recipe names."""
    wrapped = MMDataParallel(model, device_ids=[0] if torch.cuda.is_available() else [-1])
    logger = logging.getLogger("mmbnft.pretraining")
    logger.setLevel(logging.WARNING)
    runner = EpochBasedRunner(
        wrapped,
        optimizer=build_optimizer(wrapped, config.optimizer),
        work_dir=str(work_dir),
        logger=logger,
        max_epochs=config.runner.max_epochs,
    )
    runner.register_training_hooks(config.lr_config, config.optimizer_config)
    for hook in config.get("custom_hooks", []):
        # As the host's own training entry does: clustering assigns its labels through the loader.
        extra = {"dist_mode": False, "data_loaders": [loader]} if hook["type"] == "DeepClusterHook" else {}
        runner.register_hook(build_from_cfg(hook, HOOKS, extra))
    return runner
