from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv import Config

from mmbnft.tasks import METRICS, TASKS, ArrayImages, Task, TaskDataset
from mmbnft.tasks.preparers import PREPARERS

FOLDER = Path(__file__).parents[3] / "configs" / "_base_" / "tasks"
# Other files of that folder configure tasks that need no preparation.
CONFIGS = {
    path.stem: config
    for path in sorted(FOLDER.glob("*.py"))
    if (config := Config.fromfile(path)).task.type == "list_task"
}
PUBLISHED = {name: config.vpulab for name, config in CONFIGS.items() if "vpulab" in config}


def test_every_preparer_has_its_config():
    assert CONFIGS.keys() == PREPARERS.keys()


@pytest.mark.parametrize("name", CONFIGS)
def test_config_names_the_folder_of_its_preparer_and_repeats_no_fact(name):
    config, facts = CONFIGS[name], PREPARERS[name].facts
    assert config.task == {"type": "list_task", "root": f"data/{facts.name}"}
    assert config.task.type in TASKS
    assert config.image_size == 224
    assert facts.metric in METRICS
    assert (facts.metric == "map11") == facts.multi_label


def test_published_settings():
    """The tasks with published statistics, and which (batch, rate, epochs) were published for which protocol."""
    protocols = {
        name: {
            protocol: (settings[protocol].batch_size, settings[protocol].lr, settings[protocol].epochs)
            for protocol in ("linear", "bn")
            if protocol in settings
        }
        for name, settings in PUBLISHED.items()
    }
    assert protocols == {
        "aircraft": {"linear": (128, 0.01, 23), "bn": (16, 0.01, 70)},
        "caltech101": {"bn": (8, 0.01, 70)},
        "cars": {"linear": (8, 0.01, 23)},
        "cifar10": {"linear": (12, 0.1, 28)},
        "cifar100": {"bn": (128, 0.1, 350)},
        "dtd": {"bn": (16, 0.01, 70)},
        "eurosat": {},
        "flowers": {"bn": (16, 0.01, 70)},
        "mhist": {"bn": (16, 0.01, 70)},
        "pets": {"bn": (16, 0.01, 70)},
        "plant_disease": {"linear": (256, 0.01, 28)},
    }


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_statistics(name):
    published = PUBLISHED[name]
    assert len(published.mean) == len(published.std) == 3
    assert all(0.05 < value < 0.95 for value in (*published.mean, *published.std))
    assert published.channel_order == ("rgb" if name.startswith("cifar") else "bgr")


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_transforms_build(name):
    source, size = {"cifar100": (32, 32), "eurosat": (64, 64)}.get(name, (300, 224))
    images = ArrayImages(np.zeros((2, source, source, 3), np.uint8), np.array([0, 1]))
    task = Task("blank", ("a", "b"), "top1", {"train": images, "val": images, "test": images})
    for kind in ("train", "train_bn", "test"):
        if kind in PUBLISHED[name]:
            dataset = TaskDataset(task, "train", [*PUBLISHED[name][kind], {"type": "ToTensor"}])
            assert dataset[0]["img"].shape == torch.Size((3, size, size))
