"""What a worker does with one run: execute it and write its result, whatever happens."""

import dataclasses
import functools
import gc
import json
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mmbnft.evaluation.run import RunOptions, execute
from mmbnft.evaluation.training.distributed import local_device
from mmbnft.grid.plan import PlannedRun
from mmbnft.grid.store import ResultStore, storing
from mmbnft.results import Result
from mmbnft.tasks import Task, build_task
from mmbnft.utils.errors import UserError, failure_kind
from mmbnft.utils.files import is_full
from mmbnft.zoo import DEFAULT_ROOT

# A quarter of the batch at a time: enough to matter, and a batch of the usual sizes is divided evenly.
SMALLER_STEPS = 4


@dataclass(frozen=True)
class WorkSettings:
    """How runs are executed, wherever that is.

    Attributes:
        work_dir: For what hooks write, and for the cache of features.
        weights_root: Folder of the catalogue's weight files.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        retry_failed: Whether a failed result counts as none.
    """

    work_dir: Path
    weights_root: Path = DEFAULT_ROOT
    device: str = "cpu"
    retry_failed: bool = False

    def is_done(self, result: Result | None) -> bool:
        """Whether what the store has of a run makes executing it needless."""
        return result is not None and (result.status == "ok" or not self.retry_failed)


@dataclass(frozen=True)
class Done:
    """A run that is over.

    Attributes:
        result: Its result.
        executed: Whether it was executed just now; otherwise another benchmark had written it in the meantime.
    """

    result: Result
    executed: bool


@functools.lru_cache(maxsize=8)
def _warm_task(config: str, split: int) -> Task:
    return build_task(json.loads(config), split)


def warm_task(config: dict[str, Any], split: int) -> Task:
    """A task, kept between the runs of one process."""
    return _warm_task(json.dumps(config, sort_keys=True), split)


def work(run: PlannedRun, store: ResultStore, settings: WorkSettings) -> Done | None:
    """Execute a run and write its result, unless another process has done so or is at it.

    Args:
        run: The run.
        store: Where the result goes.
        settings: How.

    Returns:
        The outcome, or None while another process holds the claim on the run.

    Raises:
        StorageError: The disk is full.
    """
    with storing(store.folder), store.claims.claim(run.key) as granted:
        if not granted:
            return None
        written = store.find(run.key)
        if written is not None and settings.is_done(written):
            return Done(written, executed=False)
        result = attempt(run, settings)
        store.write(result)
        return Done(result, executed=True)


def attempt(run: PlannedRun, settings: WorkSettings) -> Result:
    """Execute a run; a failure becomes a failed result with its reason.

    A run that needs more memory than there is gets a second try that takes every batch in parts, which its result says.

    Args:
        run: The run.
        settings: How.

    Raises:
        OSError: The disk is full, which is no fault of the run.
    """
    outcome = _try(run, settings, accumulation=1)
    if isinstance(outcome, Result):
        return outcome
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    second = _try(run, settings, SMALLER_STEPS)
    if isinstance(second, Result):
        return second
    return failed_result(run, "memory", f"out of memory, also with every batch in {SMALLER_STEPS} parts: {second}")


def _try(run: PlannedRun, settings: WorkSettings, accumulation: int) -> Result | str:
    """The result, or what memory was lacking for."""
    try:
        device = local_device(settings.device)
        options = RunOptions(
            settings.work_dir,
            device,
            save_state=False,
            weights_root=settings.weights_root,
            accumulation=accumulation,
            save_memory=accumulation > 1,
            cache=settings.work_dir / "cache",
        )
        return execute(run.spec, options, warm_task(run.spec.task, run.spec.split))
    except UserError as error:
        return failed_result(run, error.kind, str(error))
    except Exception as error:  # a bug or an exhausted machine must not take the other runs along
        if is_full(error):
            raise
        kind = failure_kind(error)
        if kind == "memory":
            return _one_line(error)
        return failed_result(run, kind, f"{type(error).__name__}: {_one_line(error)}", traceback.format_exc())


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def failed_result(run: PlannedRun, kind: str, reason: str, trace: str = "") -> Result:
    """The record of a run that did not come to an end.

    Args:
        run: The run.
        kind: One of `FAILURE_KINDS`.
        reason: One sentence.
        trace: Traceback of an unexpected error.
    """
    spec = run.spec
    details = {"config": dataclasses.asdict(spec)} | ({"traceback": trace} if trace else {})
    return Result(
        checkpoint=spec.checkpoint_name,
        task=run.task,
        protocol=spec.protocol,
        recipe=spec.recipe.name,
        split=spec.split,
        seed=spec.seed,
        key=run.key,
        status="failed",
        value=None,
        metric=run.metric,
        scale="score" if spec.is_score else "percent",
        evaluated_on=spec.recipe.fit_on if spec.is_score else "test",
        reason=reason or "no reason given",
        kind=kind,
        details=details,
    )
