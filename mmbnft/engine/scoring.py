"""Training-free proxies as runs: one pass over the training images, one number."""

import dataclasses
from pathlib import Path

import torch

from mmbnft.engine.features import FeatureDataset
from mmbnft.engine.network import build_network, image_dataset
from mmbnft.engine.record import Stopwatch, measure_cost, record
from mmbnft.engine.spec import RunSpec
from mmbnft.ranking.scores import SCORES
from mmbnft.results import Result
from mmbnft.tasks import Task


def score(spec: RunSpec, task: Task, key: str, device: torch.device, weights_root: Path, watch: Stopwatch) -> Result:
    """Score a checkpoint on a task without training.

    The score sees the images the recipe's `fit_on` names, transformed as for evaluation, and never val or test beyond
    that. Its value is on the score's own scale, larger is better; only ranks and correlations of it mean something.

    Args:
        spec: The run; its protocol is the name of a score.
        task: Its task.
        key: Content hash of the run.
        device: Where features are computed.
        weights_root: Folder of the catalogue's weight files.
        watch: Running since the beginning of the run.

    Raises:
        UserError: The checkpoint does not fill the backbone, or the score is not defined for the task.
    """
    network = build_network(dataclasses.replace(spec, protocol="linear"), task, device, weights_root)
    images = image_dataset(task, spec.recipe.fit_on, spec.recipe, network.certificate)
    features = FeatureDataset(network, images, spec.recipe.workers).features.numpy()
    value = float(SCORES[spec.protocol](features, images.images.labels))
    trainable = {"values": 0, "of": network.backbone.applied.counts().total_values, "percent": 0.0}
    cost = measure_cost(device, watch.seconds, len(images))
    return record(spec, task, key, network, value, spec.protocol, cost, {"trainable": [trainable]})
