"""The settings published by vpulab/bn_finetuning, as the authors' files have them."""

from dataclasses import astuple

import numpy as np
import pytest
import torch

from mmbnft.recipes.vpulab_tables import VPULAB
from mmbnft.tasks import ArrayImages, Task, TaskDataset
from mmbnft.tasks.preparers import PREPARERS


def test_published_schedules():
    """Batch, rate, epochs and BatchNorm1d before the classifier, of every valid published configuration."""
    found = {name: (settings.linear, settings.bn) for name, settings in VPULAB.items()}
    assert {name: tuple(part and astuple(part)[:4] for part in parts) for name, parts in found.items()} == {
        "aircraft": ((128, 0.01, 23, True), (16, 0.01, 70, False)),
        "caltech101": (None, (8, 0.01, 70, False)),
        "cars": ((8, 0.01, 23, False), None),
        "cifar10": ((12, 0.1, 28, False), None),
        "cifar100": (None, (128, 0.1, 350, False)),
        "dtd": (None, (16, 0.01, 70, False)),
        "eurosat": (None, None),
        "flowers": (None, (16, 0.01, 70, False)),
        "mhist": (None, (16, 0.01, 70, False)),
        "pets": (None, (16, 0.01, 70, False)),
        "plant_disease": ((256, 0.01, 28, True), None),
    }
    assert {part.weight_decay for parts in found.values() for part in parts if part} == {1e-6}


@pytest.mark.parametrize("name", VPULAB)
def test_published_statistics(name):
    published = VPULAB[name]
    assert name in PREPARERS
    assert len(published.mean) == len(published.std) == 3
    assert all(0.05 < value < 0.95 for value in (*published.mean, *published.std))
    assert published.channel_order == ("rgb" if name.startswith("cifar") else "bgr")


@pytest.mark.parametrize("name", VPULAB)
def test_published_transforms_build(name):
    published = VPULAB[name]
    source, size = {"cifar100": (32, 32), "eurosat": (64, 64)}.get(name, (300, 224))
    images = ArrayImages(np.zeros((2, source, source, 3), np.uint8), np.array([0, 1]))
    task = Task("blank", ("a", "b"), "top1", {"train": images, "val": images, "test": images})
    for pipeline in (published.train, published.bn_train, published.test):
        if pipeline is not None:
            dataset = TaskDataset(task, "train", [*pipeline, {"type": "ToTensor"}])
            assert dataset[0]["img"].shape == torch.Size((3, size, size))
