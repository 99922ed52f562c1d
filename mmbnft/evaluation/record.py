"""The result of a run that came to its end, the same whether it trained or scored."""

import dataclasses
import resource
import time
from typing import Any

import torch

from mmbnft import compat
from mmbnft.evaluation.network import Network
from mmbnft.evaluation.spec import RunSpec
from mmbnft.results import RESULTS_VERSION, Result
from mmbnft.tasks import SplitLedger
from mmbnft.utils.processes import Processes


def record(
    spec: RunSpec, task: SplitLedger, key: str, network: Network, value: float, metric: str, cost: dict[str, Any],
    details: dict[str, Any],
) -> Result:  # fmt: skip
    """Everything about a run that is worth keeping.

    Args:
        spec: What was run.
        task: Its task, with what was read of it.
        key: Its content hash.
        network: The model, for the certificate.
        value: Test performance in percent, or a score on its own scale.
        metric: What `value` is.
        cost: See `measure_cost`.
        details: What this kind of run has to tell beyond what all have.
    """
    shared = {
        "config": dataclasses.asdict(spec),
        "versions": compat.versions(),
        "results_version": RESULTS_VERSION,
        "hashes": {"checkpoint": network.certificate.get("sha256"), "lists": task.hashes},
        "splits": task.record(spec.recipe.fit_on, details.get("chosen_on")),
        "fitted_on": spec.recipe.fit_on,
        "certificate": network.certificate,
        "leakage": task.leakage,
        "processes": Processes.current().count,
    }
    return Result(
        checkpoint=spec.checkpoint_name,
        task=task.name,
        protocol=spec.protocol,
        recipe=spec.recipe.name,
        split=spec.split,
        seed=spec.seed,
        key=key,
        status="ok",
        value=value,
        metric=metric,
        scale="score" if spec.is_score else "percent",
        evaluated_on=spec.recipe.fit_on if spec.is_score else "test",
        cost=cost,
        details=shared | details,
    )


def measure_cost(device: torch.device, seconds: float, images: int) -> dict[str, Any]:
    """Cost of a run until now.

    Args:
        device: Where it computed.
        seconds: Wall time, loading of the checkpoint included.
        images: Images seen in training, or passed once for a score.

    Returns:
        `seconds`, `images`, `peak_memory_bytes` (on a CPU the whole process's) and `device`.
    """
    on_gpu = device.type == "cuda"
    return {
        "seconds": seconds,
        "images": images,
        "peak_memory_bytes": torch.cuda.max_memory_allocated(device)
        if on_gpu
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu",
    }


class Stopwatch:
    """Wall time of a run from its beginning; resets the device's record of peak memory."""

    def __init__(self, device: torch.device) -> None:
        self._started = time.perf_counter()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._started
