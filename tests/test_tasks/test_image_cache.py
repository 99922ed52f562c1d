import json
import logging
import os
import pickle
import shutil
import threading

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from mmbnft.tasks import BnftShrink, ImageCache, TaskDataset, build_task, images
from mmbnft.tasks.evaluation import eval_loader
from mmbnft.utils.errors import UserError

TENSOR = [dict(type="ToTensor"), dict(type="Normalize", mean=[0.5, 0.4, 0.3], std=[0.25, 0.2, 0.3])]
EXACT = {
    "as it is": [],
    "evaluation": [dict(type="Resize", size=24), dict(type="CenterCrop", size=20)],
    "enlarged": [dict(type="Resize", size=60, interpolation=3), dict(type="Pad", padding=3, padding_mode="reflect")],
    "augmented": [dict(type="RandomResizedCrop", size=16), dict(type="RandomHorizontalFlip")],
    "both": [dict(type="Resize", size=24), dict(type="RandomCrop", size=16, padding=2)],
    "grey": [dict(type="CenterCrop", size=16), dict(type="Grayscale", num_output_channels=3)],
}
SIZES = {"train": 6, "val": 4, "test": 5}
LARGE = 10**9


@pytest.fixture
def folder(tmp_path):
    """A prepared task of photographs-like noise in several sizes and kinds of files."""
    random = np.random.default_rng(0)
    root = tmp_path / "task"
    (root / "images").mkdir(parents=True)
    (root / "lists" / "0").mkdir(parents=True)
    for part, count in SIZES.items():
        lines = []
        for number in range(count):
            name = f"{part} {number}.{'png' if number == 1 else 'jpg'}"
            coarse = random.integers(0, 256, (5, 7, 3), dtype=np.uint8)
            picture = Image.fromarray(coarse).resize((30 + 5 * number, 50 - 4 * number), Image.Resampling.BICUBIC)
            (picture.convert("L") if number == 3 else picture).save(root / "images" / name)
            lines.append(f"{name} {number % 2}\n")
        (root / "lists" / "0" / f"{part}.txt").write_text("".join(lines))
    facts = dict(name="noise", classes=["a", "b"], metric="top1")
    (root / "task.json").write_text(json.dumps(facts))
    return root


@pytest.fixture
def task(folder):
    return build_task(dict(type="list_task", root=str(folder)))


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that were decoded, in any thread of this process."""
    names, lock, real = [], threading.Lock(), images.decode_rgb

    def spy(path, where=""):
        with lock:
            names.append(path.name)
        return real(path, where)

    monkeypatch.setattr(images, "decode_rgb", spy)
    return names


def everything(dataset):
    return [dataset[index]["img"] for index in range(len(dataset))]


@pytest.mark.parametrize("pipeline", EXACT.values(), ids=EXACT.keys())
@pytest.mark.parametrize("split", ["trainval", "test"])
def test_cached_images_are_bit_for_bit_the_decoded_ones(task, tmp_path, pipeline, split):
    steps = [*pipeline, *TENSOR]
    plain = TaskDataset(task, split, steps, seed=3)
    cached = TaskDataset(task, split, steps, seed=3, cache=ImageCache(tmp_path / "cache", LARGE))
    assert cached.is_static == plain.is_static
    for epoch in (0, 1):
        plain.epoch = cached.epoch = epoch
        assert all(torch.equal(a, b) for a, b in zip(everything(plain), everything(cached), strict=True))
    assert [cached.images.name(i) for i in range(len(cached))] == [plain.images.name(i) for i in range(len(plain))]
    assert (cached.images.labels == plain.images.labels).all()
    assert cached.images.identity == plain.images.identity
    assert list((tmp_path / "cache").glob("*.array"))


def test_every_image_is_decoded_once_for_all_runs_epochs_and_processes(task, tmp_path, decoded):
    def run():
        cache = ImageCache(tmp_path / "cache", LARGE)
        return [TaskDataset(task, split, TENSOR, seed=1, cache=cache) for split in ("train", "val", "trainval")]

    first = [everything(dataset) for dataset in run()]
    assert sorted(set(decoded)) == sorted(f.annotations.names[i] for f in (task.splits["train"], task.splits["val"])
                                          for i in range(len(f)))  # fmt: skip
    decoded.clear()
    train, _, both = run()
    for dataset in (train, both):
        dataset.epoch = 1
        everything(dataset)
    shutil.rmtree(task.splits["train"].folder)  # data-loading processes cannot decode anything now
    loaded = [batch["img"] for batch in DataLoader(both, batch_size=1, num_workers=2)]
    assert decoded == []
    assert all(torch.equal(a, b[0]) for a, b in zip(first[2], loaded, strict=True))


def test_loaders_open_the_cache_before_their_processes_start(task, tmp_path):
    dataset = TaskDataset(task, "test", [dict(type="CenterCrop", size=16), *TENSOR], cache=ImageCache(tmp_path, LARGE))
    from mmbnft.utils.processes import Processes

    loader = eval_loader(dataset, 2, Processes(), workers=2)
    assert dataset.images._values is not None
    plain = everything(TaskDataset(task, "test", [dict(type="CenterCrop", size=16), *TENSOR]))
    assert torch.equal(torch.cat([batch["img"] for batch in loader]), torch.stack(plain))


def test_a_changed_file_is_decoded_again_even_with_its_old_size_and_date(task, tmp_path):
    path = task.splits["test"].folder / "test 1.png"
    Image.fromarray(np.full((40, 40, 3), 7, np.uint8)).save(path, compress_level=0)
    before, size = path.stat(), path.stat().st_size

    def pixels():
        cached = TaskDataset(task, "test", TENSOR, cache=ImageCache(tmp_path / "cache", LARGE)).images
        return cached.pixels(1)

    assert (pixels() == 7).all()
    Image.fromarray(np.full((40, 40, 3), 9, np.uint8)).save(path, compress_level=0)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == size
    assert (pixels() == 9).all()


def test_other_transforms_are_other_entries(task, tmp_path):
    cache = ImageCache(tmp_path, LARGE)
    for size in (16, 20):
        dataset = TaskDataset(task, "test", [dict(type="CenterCrop", size=size), *TENSOR], cache=cache)
        assert dataset[0]["img"].shape == (3, size, size)
    assert len(list(tmp_path.glob("*.array"))) == 2
    pixels, index = 5 * 3 * (16 * 16 + 20 * 20), 2 * 5 * 2 * 8
    assert 0 < cache.disk.size_bytes - pixels - index < 2 * 300  # two descriptions


def test_images_that_do_not_fit_are_decoded_each_time_with_one_sentence(task, tmp_path, caplog, decoded):
    dataset = TaskDataset(task, "test", TENSOR, cache=ImageCache(tmp_path, 1000))
    with caplog.at_level(logging.WARNING, "mmbnft.cache"):
        cached = everything(dataset)
    assert all(torch.equal(a, b) for a, b in zip(cached, everything(TaskDataset(task, "test", TENSOR)), strict=True))
    assert len(caplog.messages) == 1
    assert "limit is 1,000; raise it or set the recipe's stored_side; the images of" in caplog.text
    assert list(tmp_path.glob("*.array")) == []


def test_a_damaged_image_is_named_and_leaves_no_entry(task, tmp_path):
    path = task.splits["test"].folder / "test 2.jpg"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"test 2\.jpg \(listed at .*test\.txt:3\) cannot be decoded"):
        TaskDataset(task, "test", TENSOR, cache=ImageCache(tmp_path / "cache", LARGE))[0]
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_entry_is_made_again(task, tmp_path):
    expected = everything(TaskDataset(task, "test", TENSOR, cache=ImageCache(tmp_path, LARGE)))
    entry = next(tmp_path.glob("*.array"))
    content = bytearray(entry.read_bytes())
    content[50] ^= 255
    entry.write_bytes(content)
    again = everything(TaskDataset(task, "test", TENSOR, cache=ImageCache(tmp_path, LARGE)))
    assert all(torch.equal(a, b) for a, b in zip(expected, again, strict=True))


def test_processes_are_sent_the_place_of_the_pixels_not_the_pixels(task, tmp_path):
    kept = TaskDataset(task, "test", TENSOR, cache=ImageCache(tmp_path, LARGE)).images
    kept.open()
    sent = pickle.loads(pickle.dumps(kept))
    assert sent._values is None
    np.testing.assert_array_equal(sent.pixels(2), kept.pixels(2))


def test_images_in_memory_are_converted_once_and_do_without_the_disk(shapes, tmp_path, task):
    dataset = TaskDataset(shapes, "trainval", TENSOR, cache=ImageCache(tmp_path / "cache", LARGE))
    assert dataset[0]["img"] is dataset[0]["img"]
    assert not (tmp_path / "cache").exists()
    files = TaskDataset(task, "test", TENSOR)
    assert files[0]["img"] is not files[0]["img"]


def test_a_larger_image_is_reduced_to_the_stored_side_and_a_smaller_one_left_alone():
    shrink = BnftShrink(20)
    assert shrink(Image.new("RGB", (60, 40))).size == (30, 20)
    assert shrink(Image.new("RGB", (40, 61))).size == (20, 30)
    for size in ((20, 90), (90, 20), (10, 10)):
        image = Image.new("RGB", size)
        assert shrink(image) is image
    for side in (0, -1, 2.0, True, "20"):
        with pytest.raises(UserError, match="whole number of pixels from 1"):
            BnftShrink(side)


@pytest.mark.parametrize("name", ["Resize", "RandomResizedCrop", "BnftShrink"])
def test_reducing_is_antialiased(name):
    # Stripes one pixel wide: without a low pass they turn into one flat colour or into coarse stripes.
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::2] = 255
    options = dict(
        Resize=dict(size=[30, 30]),
        RandomResizedCrop=dict(size=30, scale=(1, 1), ratio=(1, 1)),
        BnftShrink=dict(side=30),
    )
    from mmbnft.tasks.dataset import _build_transform

    reduced = np.asarray(_build_transform(dict(type=name, **options[name]))(Image.fromarray(stripes)))
    assert reduced.shape == (30, 30, 3)
    assert np.abs(reduced[1:-1, 1:-1].astype(int) - 127.5).max() < 12
