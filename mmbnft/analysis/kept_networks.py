"""What a kept network makes of images, before and after the run that adapted it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmbnft.analysis.feature_geometry import (
    Array,
    effective_rank,
    fisher_ratio,
    linear_cka,
    norms,
    silhouette,
    sparsity,
)
from mmbnft.analysis.shift import dead_channels, movement, symmetric_kl
from mmbnft.evaluation.loaded_network import image_dataset
from mmbnft.evaluation.weights import Restored
from mmbnft.models import pooled_features
from mmbnft.protocols.norms import find_norm_layers
from mmbnft.protocols.stages import find_stages
from mmbnft.tasks import Task, TaskDataset, collect, compute_metric
from mmbnft.utils.errors import UserError

LAST = "pooled"
SEED = 0


class Sample:
    """Some images of a data set in an order of its own; what `collect` needs of one.

    Args:
        dataset: The images.
        order: (M,) their numbers.
    """

    def __init__(self, dataset: TaskDataset, order: np.ndarray) -> None:
        self.dataset, self.order = dataset, order
        self.labels = dataset.images.labels[order]

    def open(self) -> None:
        """Make ready what data-loading processes will share."""
        self.dataset.open()

    def __len__(self) -> int:
        """Number of images."""
        return len(self.order)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """As in the data set, but numbered by place."""
        return {**self.dataset[int(self.order[index])], "idx": int(index)}


@dataclass(frozen=True)
class Outputs:
    """What a network makes of a sample.

    Attributes:
        stages: Pooled features (N, D) by the name of the stage, the last under `LAST`.
        scores: (N, C) logits.
    """

    stages: dict[str, Array]
    scores: np.ndarray


def sample_test_images(network: Restored, task: Task, most: int) -> Sample:
    """Test images of a task as the network takes them: all of them, or `most` drawn at random, in random order.

    Args:
        network: Says how images are transformed.
        task: The task.
        most: Number of images.
    """
    dataset = image_dataset(task, "test", network.spec.recipe, network.certificate)
    order = np.random.default_rng(SEED).permutation(len(dataset))[:most]
    return Sample(dataset, order)


def layer_shifts(network: Restored) -> pd.DataFrame:
    """One row for each norm layer: how far its affine parameters and running statistics moved.

    Args:
        network: Restored with its state before the run.
    """
    after = {name: tensor.double().numpy() for name, tensor in network.model.backbone.state_dict().items()}
    before = {name: tensor.double().numpy() for name, tensor in network.before.items()}
    rows = []
    for layer in find_norm_layers(network.model.backbone):
        row: dict[str, Any] = {"layer": layer.name, "channels": 0}
        for part in ("weight", "bias"):
            name = f"{layer.name}.{part}"
            if name in before:
                row["channels"] = before[name].size
                row |= {f"{part}_{key}": value for key, value in movement(before[name], after[name]).items()}
        if f"{layer.name}.weight" in before:
            row |= dead_channels(before[f"{layer.name}.weight"], after[f"{layer.name}.weight"])
        if layer.has_stats:
            mean, var = f"{layer.name}.running_mean", f"{layer.name}.running_var"
            eps = float(getattr(layer.module, "eps", 0.0))
            row["kl"] = float(symmetric_kl(before[mean], before[var], after[mean], after[var], eps).mean())
        rows.append(row)
    return pd.DataFrame(rows)


def outputs(network: Restored, sample: Sample, batch: int, *, batch_statistics: bool = False) -> Outputs:
    """Pass a sample through a network in eval mode.

    Args:
        network: The network.
        sample: The images.
        batch: Images a forward pass, which matters with `batch_statistics` alone.
        batch_statistics: Whether batch norms normalise by the statistics of their batch; the running ones stay.
    """
    model = network.model
    stages = _stage_ends(model.backbone)
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        return lambda module, inputs, output: found.__setitem__(name, pooled_features(output))

    def compute(images: Tensor) -> Tensor:
        with _batch_statistics(model if batch_statistics else None):
            features = model.backbone(images)
            found[LAST] = pooled_features(features)
            found["scores"] = model.head(features)[0]
        return torch.cat([found[name] for name in (*stages, LAST, "scores")], dim=1)

    handles = [module.register_forward_hook(keep(name)) for name, module in stages.items()]
    try:
        values = collect(model, sample, compute, batch)  # type: ignore[arg-type]  # a sample is all it needs
    finally:
        for handle in handles:
            handle.remove()
    names = (*stages, LAST, "scores")
    cuts = np.cumsum([found[name].shape[1] for name in names])[:-1]
    parts = dict(zip(names, np.split(values, cuts, axis=1), strict=True))
    scores = parts.pop("scores")
    return Outputs({name: part.astype(float) for name, part in parts.items()}, scores)


@contextmanager
def as_before(network: Restored) -> Iterator[None]:
    """The network with its backbone as it was before the run, for as long as the block lasts."""
    after = {name: tensor.clone() for name, tensor in network.model.backbone.state_dict().items()}
    network.model.backbone.load_state_dict(network.before)
    try:
        yield
    finally:
        network.model.backbone.load_state_dict(after)


def feature_table(before: Outputs, after: Outputs, labels: np.ndarray) -> pd.DataFrame:
    """One row for each stage: geometry of its features before and after, and how alike they are (`cka`).

    Args:
        before: Of the network before the run.
        after: Of the same images, after it.
        labels: (N,) class numbers, or multi-hot rows, for which separation of classes is not defined.
    """
    rows = []
    for stage, features in before.stages.items():
        row: dict[str, Any] = {"stage": stage}
        for when, values in (("before", features), ("after", after.stages[stage])):
            figures = {"effective_rank": effective_rank(values), "sparsity": sparsity(values), **norms(values)}
            if labels.ndim == 1:
                figures |= {"fisher": fisher_ratio(values, labels), "silhouette": silhouette(values, labels)}
            row |= {f"{name}_{when}": figure for name, figure in figures.items()}
        rows.append(row | {"cka": linear_cka(features, after.stages[stage])})
    return pd.DataFrame(rows)


def statistics_check(running: Outputs, batch: Outputs, labels: np.ndarray, metric: str) -> dict[str, float]:
    """Whether batch statistics would give another value than the running ones do.

    Args:
        running: The network in eval mode.
        batch: The same images, normalised by the statistics of their batches.
        labels: Of the images.
        metric: The task's.

    Returns:
        `running` and `batch` (values in percent), and for one class an image `changed`: z of McNemar's test on the
        images that only one of the two gets right.
    """
    found = {"running": compute_metric(metric, running.scores, labels), "batch": compute_metric(metric, batch.scores,
             labels)}  # fmt: skip
    if labels.ndim == 1:
        first, second = (values.scores.argmax(axis=1) == labels for values in (running, batch))
        gained, lost = int((second & ~first).sum()), int((first & ~second).sum())
        found["changed"] = (gained - lost) / max(1.0, (gained + lost) ** 0.5)
    return found


def _stage_ends(backbone: nn.Module) -> dict[str, nn.Module]:
    """The last module of each stage whose output can be pooled, by `stage 1` and so on."""
    try:
        stages = find_stages(backbone)
    except UserError:
        return {}
    # Prefixes are listed from the last to the first.
    last: dict[int, str] = {}
    for prefix, stage in stages.prefixes.items():
        if stage:
            last.setdefault(stage, prefix)
    return {f"stage {stage}": backbone.get_submodule(last[stage]) for stage in sorted(last)}


@contextmanager
def _batch_statistics(model: nn.Module | None) -> Iterator[None]:
    layers: Sequence[_BatchNorm] = [m for m in model.modules() if isinstance(m, _BatchNorm)] if model else []
    kept = [(layer, layer.momentum, layer.training) for layer in layers]
    for layer in layers:
        layer.momentum, layer.training = 0.0, True
    try:
        yield
    finally:
        for layer, momentum, training in kept:
            layer.momentum, layer.training = momentum, training
