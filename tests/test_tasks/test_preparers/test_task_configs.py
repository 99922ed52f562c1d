from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv import Config

from mmbnft.tasks import METRICS, TASKS, ArrayImages, Task, TaskDataset
from mmbnft.tasks.preparers import PREPARERS, VPULAB, published_settings
from mmbnft.utils.errors import UserError

FOLDER = Path(__file__).parents[3] / "configs" / "_base_" / "tasks"
CONFIGS = {path.stem: Config.fromfile(path) for path in sorted(FOLDER.glob("*.py"))}
# Other files of that folder configure tasks that need no preparation.
PREPARED = {name: config for name, config in CONFIGS.items() if config.task.type == "list_task"}


def test_every_preparer_has_its_config():
    assert PREPARED.keys() == PREPARERS.keys()


@pytest.mark.parametrize("name", PREPARED)
def test_config_names_the_folder_of_its_preparer_and_repeats_no_fact(name):
    config, facts = PREPARED[name], PREPARERS[name].facts
    assert set(config) == {"task"}  # the engine refuses other settings
    assert config.task == {"type": "list_task", "root": f"data/{facts.name}"}
    assert config.task.type in TASKS
    assert facts.metric in METRICS
    assert (facts.metric == "map11") == facts.multi_label


@pytest.mark.parametrize("name", PREPARERS)
def test_the_documentation_agrees_with_the_facts(name):
    """Rows of docs/tasks.md: name, title, classes, metric, splits, archives."""
    lines = (FOLDER.parents[2] / "docs" / "tasks.md").read_text().splitlines()
    [row] = [line.split("|") for line in lines if line.startswith(f"| `{name}` |")]
    facts = PREPARERS[name].facts
    assert (row[3].strip(), row[4].strip()) == (str(facts.classes), facts.metric)
    first = next(iter(facts.counts.values()))
    assert None in first or " / ".join(f"{count:,}" for count in first) in row[5]


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


def test_task_without_published_settings():
    with pytest.raises(UserError, match="publishes no settings for 'sun397'; it has: aircraft, caltech101"):
        published_settings("sun397")
