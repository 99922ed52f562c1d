"""One run from a configuration to a result file: what the command train calls."""

import dataclasses
import logging
import sys
from pathlib import Path

from mmbnft.evaluation.choosing import Entry
from mmbnft.evaluation.finished_runs import attempt, closing_figures, to_mlflow, to_tensorboard
from mmbnft.evaluation.run import RunOptions, execute
from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.evaluation.session import discard_state
from mmbnft.evaluation.tracking import Tracking
from mmbnft.evaluation.training.distributed import leaving_together, open_group
from mmbnft.hooks import BnftWandbHook, ProgressHook
from mmbnft.results import Result, write_result
from mmbnft.utils import files


def run_single(
    spec: RunSpec, options: RunOptions, tracking: Tracking, launcher: str = "none", device: str = "auto"
) -> tuple[Result, Path]:
    """Execute a run with progress and tracking, and write its result to `results` in the work dir.

    Args:
        spec: What to run.
        options: How, but for the device; progress and tracking are added to its hooks.
        tracking: W&B and TensorBoard settings; MLflow is told too where its variable is set.
        launcher: `none`, `pytorch` (torchrun) or `slurm` (srun).
        device: `auto`, `cpu`, `cuda` or `cuda:N`.

    Returns:
        The result and the path of its file, on every process.

    Raises:
        UserError: Something handed over is wrong.
    """
    processes, place = open_group(launcher, device)
    work_dir = options.work_dir
    with processes.together():
        if processes.is_main:
            files.check_writable(work_dir)
            _log_to(work_dir / "train.log")
    hooks = tracking.hooks(work_dir, dataclasses.asdict(spec), (spec.checkpoint_name, spec.protocol, f"s{spec.seed}"))
    progress = ProgressHook(f"{spec.checkpoint_name} {spec.protocol}")
    tell = _tell_trial if processes.is_main else None
    options = dataclasses.replace(options, device=place, hooks=(*options.hooks, *hooks, progress), tell_trial=tell)
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
        if tracking.tensorboard:
            attempt("TensorBoard", lambda: to_tensorboard([result], work_dir / "tensorboard"))
        attempt("MLflow", lambda: to_mlflow([result], tracking.project))
    return result, path


def _tell_trial(entry: Entry) -> None:
    """One line on standard error for each trial, so that minutes of searching are no silence."""
    hidden = ("trial", "val", "val_loss", "images", "multiply_adds", "reason")
    plain = {name: value for name, value in entry.items() if name not in hidden and type(value) in (int, float)}
    settings = ", ".join(f"{name} {value:g}" for name, value in plain.items())
    came = f"failed ({entry['reason']})" if "reason" in entry else f"{entry['val']:.2f} on val"
    sys.stderr.write(f"trial {entry['trial'] + 1} ({settings}): {came}\n")


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
