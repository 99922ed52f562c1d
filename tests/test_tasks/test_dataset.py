import numpy as np
import pytest
import torch
from mmselfsup.datasets import build_dataset

from mmbnft.tasks import TaskDataset
from mmbnft.utils.errors import UserError

PLAIN = [dict(type="ToTensor"), dict(type="Normalize", mean=[0.5, 0.5, 0.5], std=[0.25, 0.25, 0.25])]
RANDOM = [dict(type="RandomResizedCrop", size=32), dict(type="RandomHorizontalFlip"), *PLAIN]


def test_item_is_the_normalised_rgb_image(shapes):
    dataset = TaskDataset(shapes, "train", PLAIN)
    item = dataset[3]
    expected = (shapes.images("train").pixels(3).transpose(2, 0, 1) / 255 - 0.5) / 0.25
    assert np.allclose(item["img"].numpy(), expected, atol=1e-5)
    assert item["label"] == shapes.images("train").labels[3]
    assert item["idx"] == 3


def test_host_builds_it_from_a_configuration():
    task = dict(type="drawn", family="shapes", train_size=16, val_size=8, test_size=8)
    dataset = build_dataset(dict(type="TaskDataset", task=task, split="val", pipeline=PLAIN))
    assert len(dataset) == 8
    assert dataset.CLASSES[0] == "disk"


def test_static_pipelines_are_run_once(shapes):
    dataset = TaskDataset(shapes, "val", PLAIN)
    assert dataset.is_static
    assert dataset[0]["img"] is dataset[0]["img"]
    assert not TaskDataset(shapes, "val", RANDOM).is_static


def test_augmentation_depends_on_seed_epoch_and_image_only(shapes):
    dataset = TaskDataset(shapes, "train", RANDOM, seed=5)
    first = dataset[7]["img"]
    torch.manual_seed(99)
    _ = dataset[8]
    assert torch.equal(dataset[7]["img"], first)
    dataset.epoch = 1
    assert not torch.equal(dataset[7]["img"], first)
    other = TaskDataset(shapes, "train", RANDOM, seed=6)
    assert not torch.equal(other[7]["img"], first)


def test_augmentation_does_not_disturb_the_global_generators(shapes):
    dataset = TaskDataset(shapes, "train", RANDOM, seed=5)
    torch.manual_seed(1)
    np.random.seed(1)
    expected = torch.rand(1), np.random.rand()
    torch.manual_seed(1)
    np.random.seed(1)
    _ = dataset[0]
    assert (torch.rand(1), np.random.rand()) == expected


def test_evaluate_reports_the_tasks_metric(shapes):
    dataset = TaskDataset(shapes, "test", PLAIN)
    perfect = np.eye(8)[shapes.images("test").labels]
    assert dataset.evaluate({"head4": perfect}) == {"head4_top1": 100.0}


def test_unknown_transform_is_refused(shapes):
    with pytest.raises(UserError, match="RandomCropp.* cannot be built"):
        TaskDataset(shapes, "train", [dict(type="RandomCropp", size=3)])


def test_error_from_a_worker_process_stays_one_sentence(shapes, tmp_path):
    from torch.utils.data import DataLoader

    class Broken(TaskDataset):
        def _image(self, index):
            raise UserError("image x cannot be decoded; replace the file")

    loader = DataLoader(Broken(shapes, "train", PLAIN), num_workers=1)
    with pytest.raises(UserError) as caught:
        next(iter(loader))
    assert str(caught.value) == "image x cannot be decoded; replace the file"
