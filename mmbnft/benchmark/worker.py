"""What a worker does with one run: execute it and write its result, whatever happens."""

import dataclasses
import functools
import json
import traceback
from pathlib import Path
from typing import Any

from mmbnft.benchmark.plan import PlannedRun
from mmbnft.benchmark.store import ResultStore
from mmbnft.engine import RunOptions, execute
from mmbnft.errors import UserError
from mmbnft.results import Result
from mmbnft.tasks import Task, build_task


@functools.lru_cache(maxsize=8)
def _warm_task(config: str, split: int) -> Task:
    return build_task(json.loads(config), split)


def warm_task(config: dict[str, Any], split: int) -> Task:
    """A task, kept between the runs of one process."""
    return _warm_task(json.dumps(config, sort_keys=True), split)


def work(run: PlannedRun, store: ResultStore, weights_root: Path) -> Result:
    """Execute a run and write its result; a failure becomes a failed result with its reason.

    Args:
        run: The run.
        store: Where the result goes.
        weights_root: Folder of the catalogue's weight files.
    """
    options = RunOptions(
        store.folder.parent, save_state=False, weights_root=weights_root, cache=store.folder.parent / "cache"
    )
    try:
        result = execute(run.spec, options, warm_task(run.spec.task, run.spec.split))
    except UserError as error:
        result = failed_result(run, str(error))
    except Exception as error:  # a bug or an exhausted machine must not take the other runs along
        result = failed_result(run, f"{type(error).__name__}: {error}", traceback.format_exc())
    store.write(result)
    return result


def failed_result(run: PlannedRun, reason: str, trace: str = "") -> Result:
    """The record of a run that did not come to an end.

    Args:
        run: The run.
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
        reason=reason or "no reason given",
        details=details,
    )
