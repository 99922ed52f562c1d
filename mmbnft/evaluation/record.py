"""What a result says about the run it is of, the same whichever arm made it, and whether the run came to its end."""

import dataclasses
from typing import Any

from mmbnft import compat
from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.results import RESULTS_VERSION, Coordinates
from mmbnft.tasks import SplitLedger
from mmbnft.utils.processes import Processes
from mmbnft.zoo.certificate import AnyCertificate


def coordinates(spec: RunSpec, task: str, metric: str, key: str, on_val: bool = False) -> Coordinates:
    """What a run's result is a result of.

    Args:
        spec: The run.
        task: Name of its task.
        metric: The task's metric.
        key: The run's content hash.
        on_val: Whether the run ends with its search on val.
    """
    return Coordinates(
        checkpoint=spec.checkpoint_name,
        task=task,
        protocol=spec.protocol,
        recipe=spec.recipe.name,
        split=spec.split,
        seed=spec.seed,
        key=key,
        metric=spec.protocol if spec.is_score else metric,
        scale="score" if spec.is_score else "percent",
        evaluated_on=spec.recipe.fit_on if spec.is_score else "val" if on_val else "test",
    )


def shared_details(
    spec: RunSpec,
    task: SplitLedger,
    certificate: AnyCertificate,
    network: dict[str, Any],
    chosen_on: str | None,
    on_val: bool = False,
) -> dict[str, Any]:
    """What is worth keeping about every run.

    Args:
        spec: The run.
        task: Its task, with what was seen of it.
        certificate: The load certificate.
        network: What its network is, see `network_facts`.
        chosen_on: Split that settings were chosen on; None if there was nothing to choose.
        on_val: Whether the run ends with its search on val, so that nothing was fitted on val.
    """
    fitted_on = "train" if on_val else spec.recipe.fit_on
    return {
        "config": dataclasses.asdict(spec),
        "versions": compat.versions(),
        "results_version": RESULTS_VERSION,
        "hashes": {"checkpoint": certificate.sha256, "lists": task.hashes},
        "splits": task.record(fitted_on, chosen_on),
        "fitted_on": fitted_on,
        "certificate": certificate.to_dict(),
        "network": network,
        "normalisation": _normalisation(spec),
        "leakage": task.leakage,
        "processes": Processes.current().count,
    }


def _normalisation(spec: RunSpec) -> dict[str, Any] | None:
    """What inputs were normalised with and how it was known; None for none."""
    own = spec.recipe.normalisation
    if isinstance(own, str):
        return spec.checkpoint.described_normalisation
    return dict(own) | {"known_from": "recipe"} if own else None
