import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folder(tmp_path):
    """A prepared task of a person's own: two classes, six images a list."""
    root = tmp_path / "mine"
    (root / "images").mkdir(parents=True)
    (root / "lists" / "0").mkdir(parents=True)
    (root / "task.json").write_text(json.dumps(dict(name="mine", classes=["a", "b"], metric="top1")))
    random = np.random.default_rng(0)
    for part in ("train", "val", "test"):
        for number in range(6):
            pixels = random.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "images" / f"{part}{number}.png")
        lines = [f"{part}{number}.png {number % 2}\n" for number in range(6)]
        (root / "lists" / "0" / f"{part}.txt").write_text("".join(lines))
    return root
