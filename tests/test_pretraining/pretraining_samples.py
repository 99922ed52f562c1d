"""Drawn pictures and cut-down recipes for the tests of pre-training."""

import numpy as np

from mmbnft.pretraining.recipes import Recipe, read_recipe

CONFIGS = "configs/pretrain"


def draw(count: int, seed: int = 0, side: int = 64) -> np.ndarray:
    """Pictures with something to learn from: coloured bars on a gradient, different in each picture."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 120, side)[:, None, None]
    images = np.empty((count, side, side, 3), dtype=np.uint8)
    for image in images:
        left, width = rng.integers(0, side - 16), rng.integers(4, 16)
        canvas = ramp + rng.uniform(0, 100, 3)
        canvas = np.broadcast_to(canvas, (side, side, 3)).copy()
        canvas[:, left : left + width] = rng.uniform(0, 255, 3)
        image[:] = canvas.clip(0, 255)
    return images


def small(name: str, epochs: int = 1) -> Recipe:
    """A shipped recipe cut down to 64 pictures: small batches, few clusters, short queues."""
    recipe = read_recipe(f"{CONFIGS}/{name}.py", epochs)
    config = recipe.config
    config["data"]["samples_per_gpu"] = 16
    if name in ("deepcluster", "odc"):
        config["model"]["head"]["num_classes"] = 4
        for hook in config["custom_hooks"]:
            hook.get("clustering", {})["k"] = 4
    if "num_classes" in config["model"].get("memory_bank", {}):
        config["model"]["memory_bank"] |= {"num_classes": 4, "min_cluster": 2}
    if name == "swav":
        config["custom_hooks"][0] |= {"batch_size": 16, "epoch_queue_starts": 1, "queue_length": 32}
        config["optimizer_config"]["frozen_layers_cfg"]["prototypes"] = 2
    if "queue_len" in config["model"]:
        config["model"]["queue_len"] = 64
    return recipe
