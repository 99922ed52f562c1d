"""Training-free proxies as runs: one pass over the training images, one number."""

import dataclasses
import time
from pathlib import Path

import torch

from mmbnft import compat
from mmbnft.engine.network import build_network, image_dataset
from mmbnft.engine.spec import RunSpec
from mmbnft.models import pooled_features
from mmbnft.processes import Processes
from mmbnft.ranking.scores import SCORES
from mmbnft.results import Result
from mmbnft.tasks import Task, collect

FEATURE_BATCH = 128  # images a forward pass; features do not depend on it


def score(spec: RunSpec, task: Task, key: str, device: torch.device, weights_root: Path) -> Result:
    """Score a checkpoint on a task without training.

    The score sees the images the recipe's `fit_on` names, transformed as for evaluation, and never val or test beyond
    that. Its value is on the score's own scale, larger is better; only ranks and correlations of it mean something.

    Args:
        spec: The run; its protocol is the name of a score.
        task: Its task.
        key: Content hash of the run.
        device: Where features are computed.
        weights_root: Folder of the catalogue's weight files.

    Raises:
        UserError: The checkpoint does not fill the backbone, or the score is not defined for the task.
    """
    started = time.perf_counter()
    network = build_network(dataclasses.replace(spec, protocol="linear"), task, device, weights_root)
    backbone = network.backbone.wrapped
    images = image_dataset(task, spec.recipe.fit_on, spec.recipe.test_pipeline, network.certificate)
    features = collect(
        network.model, images, lambda batch: pooled_features(backbone(batch)), FEATURE_BATCH, spec.recipe.workers
    )
    value = SCORES[spec.protocol](features, images.images.labels)
    details = {
        "config": dataclasses.asdict(spec),
        "versions": compat.versions(),
        "hashes": {"checkpoint": network.certificate.get("sha256"), "lists": task.hashes},
        "fitted_on": spec.recipe.fit_on,
        "certificate": network.certificate,
        "trainable": [{"values": 0, "of": network.backbone.applied.counts().total_values, "percent": 0.0}],
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
        value=float(value),
        metric=spec.protocol,
        cost={"seconds": time.perf_counter() - started, "images": len(images), "device": device.type},
        details=details,
    )
