import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmbnft.grid.plan import Benchmark
from mmbnft.recipes.recipe import Recipe

TINY = dict(type="ResNet", depth=18, base_channels=4, stem_channels=4, out_indices=[4], norm_cfg=dict(type="BN"))
MODEL = dict(type="Classification", backbone=TINY, head=dict(type="BnftLinearHead"))
SIZES = dict(train_size=16, val_size=8, test_size=16)


@pytest.fixture
def weights(tmp_path):
    """Two files of random weights for the small network, and their paths."""
    import torch

    from mmbnft.models import ProtocolBackbone

    paths = []
    for number in (0, 1):
        torch.manual_seed(number)
        path = tmp_path / "weights" / f"model{number}.pth"
        path.parent.mkdir(exist_ok=True)
        state = ProtocolBackbone(dict(TINY), "bn").state_dict()
        torch.save({"state_dict": state, "meta": {"normalisation": {"mean": [0.5] * 3, "std": [0.25] * 3}}}, path)
        paths.append(str(path))
    return paths


@pytest.fixture
def make_benchmark(weights):
    def make(**changes):
        values = dict(
            name="test",
            model=MODEL,
            recipe=Recipe("test", epochs=1, batch_size=8, optimizer=dict(type="SGD", lr=0.01)),
            checkpoints=(*weights, "random"),
            tasks=(dict(type="drawn", family="shapes", **SIZES),),
            protocols=("linear", "finetune"),
        )
        return Benchmark(**(values | changes))

    return make


@pytest.fixture
def folder(tmp_path):
    """A prepared task of two classes in a folder: 8 images in train, 4 in val, 6 in test."""
    root, random = tmp_path / "task", np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    (root / "lists" / "0").mkdir(parents=True)
    for part, count in (("train", 8), ("val", 4), ("test", 6)):
        for number in range(count):
            pixels = random.integers(0, 256, (34, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "images" / f"{part}{number}.png")
        lines = "".join(f"{part}{number}.png {number % 2}\n" for number in range(count))
        (root / "lists" / "0" / f"{part}.txt").write_text(lines)
    (root / "task.json").write_text(json.dumps(dict(name="noise", classes=["a", "b"], metric="top1")))
    return root


@pytest.fixture
def write_config(tmp_path, weights):
    """Writes a benchmark configuration of 12 runs, two trials and a refit each, for commands in other processes."""

    def write():
        path = tmp_path / "bench.py"
        base = Path.cwd() / "configs" / "_base_"
        path.write_text(
            f"_base_ = ['{base}/models/tiny18.py', '{base}/recipes/quickstart.py']\n"
            "model = dict(backbone=dict(base_channels=4, stem_channels=4))\n"
            "recipe = dict(epochs=1, batch_size=8, search=dict(lr=[0.01, 0.1]))\n"
            "task = dict(type='drawn', family='shapes', train_size=16, val_size=8, test_size=16)\n"
            f"benchmark = dict(name='killed', checkpoints={weights!r} + ['random'], tasks=[task],\n"
            "    protocols=['linear', 'bn', 'bn_paper', 'finetune'])\n"
            "del task\n"
        )
        return path

    return write
