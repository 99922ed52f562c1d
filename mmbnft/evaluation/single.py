"""One run from a configuration to a result file: what the command train calls."""

import dataclasses
import logging
from pathlib import Path

from mmbnft.evaluation.run import CACHE_LIMIT, RunOptions, execute
from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.evaluation.session import discard_state
from mmbnft.evaluation.tracking import Tracking, closing_figures
from mmbnft.evaluation.training.distributed import leaving_together, open_group
from mmbnft.hooks import BnftWandbHook, ProgressHook
from mmbnft.results import Result, write_result
from mmbnft.utils import files


def run_single(
    spec: RunSpec,
    work_dir: Path,
    *,
    tracking: Tracking,
    restart: bool = False,
    launcher: str = "none",
    device: str = "auto",
    cache: Path | None = None,
    workers: int | None = None,
    cache_limit: int = CACHE_LIMIT,
    save_memory: bool = False,
    val_interval: int = 0,
    keep_weights: bool = True,
) -> tuple[Result, Path]:
    """Execute a run with progress and tracking, and write its result to `work_dir/results`.

    Args:
        spec: What to run.
        work_dir: For results, state and logs.
        tracking: W&B and TensorBoard settings.
        restart: Whether to start anew where `work_dir` has the state of this very run, unfinished.
        launcher: `none`, `pytorch` (torchrun) or `slurm` (srun).
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        cache: See `RunOptions`.
        workers: Data-loading processes; None for as many as the data are worth.
        cache_limit: See `RunOptions`.
        save_memory: See `RunOptions`.
        val_interval: See `RunOptions`.
        keep_weights: Whether to write the weights of the network to `work_dir/weights`.

    Returns:
        The result and the path of its file, on every process.

    Raises:
        UserError: Something handed over is wrong.
    """
    processes, place = open_group(launcher, device)
    with processes.together():
        if processes.is_main:
            files.check_writable(work_dir)
            _log_to(work_dir / "train.log")
    protocol = spec.protocol if isinstance(spec.protocol, str) else spec.protocol.name
    hooks = tracking.hooks(work_dir, dataclasses.asdict(spec), (spec.checkpoint_name, protocol, f"s{spec.seed}"))
    progress = ProgressHook(f"{spec.checkpoint_name} {spec.protocol}")
    options = RunOptions(
        work_dir,
        place,
        not restart,
        True,
        (*hooks, progress),
        cache=cache,
        workers=workers,
        cache_limit=cache_limit,
        save_memory=save_memory,
        val_interval=val_interval,
        keep_weights=keep_weights,
    )
    try:
        with leaving_together(processes):
            result = execute(spec, options)
        path = work_dir / "results" / result.file_name
        with processes.together():
            if processes.is_main:
                write_result(path.parent, result)
        _close_wandb(hooks, closing_figures(result))
    finally:
        progress.close()
        _close_wandb(hooks, {})
    if processes.is_main:
        discard_state(work_dir, result.key)
    return result, path


def _close_wandb(hooks: tuple[object, ...], summary: dict[str, object]) -> None:
    for hook in hooks:
        if isinstance(hook, BnftWandbHook):
            hook.close(summary)


def _log_to(path: Path) -> None:
    """Send the runner's messages to a file; the screen shows progress instead."""
    logger = logging.getLogger("mmbnft.run")
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
