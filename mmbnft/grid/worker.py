"""What a worker does with one job: execute it and write its result, whatever happens."""

import dataclasses
import gc
import traceback
from dataclasses import dataclass
from pathlib import Path

import torch

from mmbnft.artifacts import Artifacts
from mmbnft.evaluation.training.distributed import local_device
from mmbnft.grid.job import Execution, Job
from mmbnft.grid.store import ResultStore, storing
from mmbnft.results import Result
from mmbnft.utils.errors import MachineError, UserError, failure_kind
from mmbnft.utils.files import is_full

# Of which runs weights are kept: the best of each task, by its value on test.
NONE, BEST, ALL = KEEP_WEIGHTS = ("none", "best", "all")
# A quarter of the batch at a time: enough to matter, and a batch of the usual sizes is divided evenly.
SMALLER_STEPS = 4
# Failures that say nothing about the run: the next command tries such a run again without being asked to.
TRIED_AGAIN = ("environment", "memory")


@dataclass(frozen=True)
class WorkSettings:
    """How jobs are executed, wherever that is.

    Attributes:
        work_dir: For what hooks write, and for the cache of images and features.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        retry_failed: Whether a failed result counts as none, whatever its kind.
        loaders: Data-loading processes of each job.
        keep_weights: Of which runs weights are kept, one of `KEEP_WEIGHTS`.
        val_interval: Epochs between two evaluations on val for curves; 0 for none.
    """

    work_dir: Path
    device: str = "cpu"
    retry_failed: bool = False
    loaders: int = 0
    keep_weights: str = BEST
    val_interval: int = 0

    def is_done(self, result: Result | None) -> bool:
        """Whether what the store has of a job makes executing it needless."""
        return result is not None and is_done(result, self.retry_failed)


def is_done(result: Result, retry_failed: bool) -> bool:
    """Whether a stored result makes executing its job needless; a failure of the machine's never does.

    Args:
        result: What a store has of the job.
        retry_failed: Whether other failures count as none either.
    """
    return result.status == "ok" or not (retry_failed or result.kind in TRIED_AGAIN)


@dataclass(frozen=True)
class Done:
    """A job that is over.

    Attributes:
        result: Its result.
        executed: Whether it was executed just now; otherwise another benchmark had written it in the meantime.
    """

    result: Result
    executed: bool


def work(job: Job, store: ResultStore, settings: WorkSettings) -> Done | None:
    """Execute a job and write its result, unless another process has done so or is at it.

    Args:
        job: The job.
        store: Where the result goes.
        settings: How.

    Returns:
        The outcome, or None while another process holds the claim on the job.

    Raises:
        MachineError: The machine lacks what every job needs, such as the device or room on the disk (`StorageError`).
    """
    with storing(store.folder), store.claims.claim(job.key) as granted:
        if not granted:
            return None
        written = store.find(job.key)
        if written is not None and settings.is_done(written):
            return Done(written, executed=False)
        result = attempt(job, settings)
        store.write(result, only_best_weights=settings.keep_weights == BEST)
        # What lies on disk now need not travel to the process that waits for the outcome.
        return Done(dataclasses.replace(result, artifacts=Artifacts()), executed=True)


def attempt(job: Job, settings: WorkSettings) -> Result:
    """Execute a job; a failure of its own becomes a failed result with its kind and reason.

    A job that needs more memory than there is gets a second try that takes every batch in micro-batches, which its
    result says.

    Args:
        job: The job.
        settings: How.

    Raises:
        MachineError: The machine lacks what every job needs, which must not be recorded as a failure of this one.
        OSError: The disk is full.
    """
    outcome = _try(job, settings, accumulation=1)
    if isinstance(outcome, Result):
        return outcome
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    second = _try(job, settings, SMALLER_STEPS)
    if isinstance(second, Result):
        return second
    return job.failed("memory", f"out of memory even with batches split into {SMALLER_STEPS} micro-batches: {second}")


def _try(job: Job, settings: WorkSettings, accumulation: int) -> Result | str:
    """The result, or what memory was lacking for."""
    try:
        device = local_device(settings.device)
        keep = settings.keep_weights != NONE
        how = Execution(settings.work_dir, device, accumulation, settings.loaders, keep, settings.val_interval)
        return job.execute(how)
    except MachineError:
        raise
    except UserError as error:
        return job.failed(error.kind, str(error))
    except Exception as error:  # a bug or an exhausted machine must not take the other jobs along
        if is_full(error):
            raise
        kind = failure_kind(error)
        if kind == "memory":
            return _one_line(error)
        return job.failed(kind, f"{type(error).__name__}: {_one_line(error)}", traceback.format_exc())


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
