"""Training-free proxies as runs: one pass over the training images, one number."""

import torch

from mmbnft.evaluation.features import FeatureStore
from mmbnft.evaluation.proxies import SCORES
from mmbnft.evaluation.record import Stopwatch, measure_cost, record
from mmbnft.evaluation.spec import RunSpec
from mmbnft.results import Result
from mmbnft.tasks import SplitLedger


def score(
    spec: RunSpec, task: SplitLedger, key: str, store: FeatureStore, device: torch.device, watch: Stopwatch
) -> Result:
    """Score a checkpoint on a task without training.

    The score sees the images the recipe's `fit_on` names, transformed as for evaluation, and never val or test beyond
    that. Its value is on the score's own scale, larger is better; only ranks and correlations of it mean something.

    Args:
        spec: The run; its protocol is the name of a score.
        task: Its task.
        key: Content hash of the run.
        store: The checkpoint's features.
        device: Where features are computed.
        watch: Running since the beginning of the run.

    Raises:
        UserError: The score is not defined for the task.
    """
    dataset = store.dataset(spec.recipe.fit_on)
    value = float(SCORES[spec.protocol](dataset.features.numpy(), dataset.images.labels))
    trainable = {"values": 0, "of": store.network.backbone.applied.counts().total_values, "percent": 0.0}
    cost = measure_cost(device, watch.seconds, len(dataset))
    return record(spec, task, key, store.network, value, spec.protocol, cost, {"trainable": [trainable]})
