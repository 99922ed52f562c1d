"""A pre-training recipe: one configuration of configs/pretrain, read, checked and filled with the pictures."""

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmbnft.host import Config, ConfigDict
from mmbnft.utils import files
from mmbnft.utils.errors import UserError
from mmbnft.utils.shipped import find_shipped

REQUIRED = ("method", "model", "data", "optimizer", "optimizer_config", "lr_config", "runner", "normalisation", "seed")


@dataclass(frozen=True)
class Recipe:
    """How one checkpoint is made.

    Attributes:
        id: Catalogue id: the group and the configuration's file name, `tiny-simclr`.
        config: The whole configuration as plain data.
    """

    id: str
    config: dict[str, Any]

    @property
    def method(self) -> str:
        """Name of the method in words."""
        return str(self.config["method"])

    @property
    def epochs(self) -> int:
        """Number of passes over the pictures."""
        return int(self.config["runner"]["max_epochs"])

    @property
    def seed(self) -> int:
        """Seed of weights, order and augmentation."""
        return int(self.config["seed"])

    @property
    def picture_size(self) -> int:
        """Side of the pictures that are read from a folder, before augmentation, pixels."""
        return int(self.config.get("picture_size", 64))

    @property
    def input_size(self) -> int:
        """Side of the crops that the network sees, pixels."""
        return int(self.config.get("input_size", 32))

    @property
    def architecture(self) -> dict[str, Any]:
        """Configuration of the backbone for MMSelfSup's builder."""
        return copy.deepcopy(self.config["model"]["backbone"])

    @property
    def sha256(self) -> str:
        """Hash of the configuration."""
        return files.sha256_json(self.config)

    @property
    def text(self) -> str:
        """The configuration as JSON text."""
        return json.dumps(self.config, indent=1, sort_keys=True)


def read_recipe(path: Path | str, epochs: int | None = None, group: str = "tiny") -> Recipe:
    """Read a configuration file.

    Args:
        path: A Python configuration, as in configs/pretrain.
        epochs: Replaces the number of epochs of the file.
        group: Name of the folder that the checkpoint is for, which begins its id.

    Raises:
        UserError: The file is missing, does not load or lacks a field.
    """
    path = find_shipped(path)
    if not path.is_file():
        raise UserError(f"there is no configuration {path}; the shipped ones are configs/pretrain/*.py")
    try:
        config = Config.fromfile(str(path))._cfg_dict.to_dict()
    except Exception as error:  # a configuration is Python: anything can go wrong in it
        raise UserError(
            f"{path} does not load as a configuration ({error}); compare it with configs/pretrain"
        ) from error
    missing = [name for name in REQUIRED if name not in config]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}; build it on configs/pretrain/_base_")
    if epochs is not None:
        if epochs < 1:
            raise UserError(f"epochs must be at least 1, got {epochs}")
        config["runner"]["max_epochs"] = epochs
    # Through JSON, so that tuples and lists hash alike and the record can be compared with what is read later.
    return Recipe(f"{group}-{Path(path).stem}", json.loads(json.dumps(config)))


def filled(recipe: Recipe, images: np.ndarray) -> ConfigDict:
    """The configuration with the pictures in every `BnftArraySource` and the memory banks as long as the data.

    Args:
        recipe: The recipe.
        images: uint8 array of shape (N, H, W, 3).

    Raises:
        UserError: There are too few pictures for one batch or for the clusters.
    """
    config = ConfigDict(copy.deepcopy(recipe.config))
    batch = config.data.samples_per_gpu
    if len(images) < batch:
        raise UserError(f"{recipe.id} needs at least one batch of {batch} pictures, got {len(images)}")
    memory = config.model.get("memory_bank", {})
    if memory:
        memory.length = len(images)
    smallest = memory.get("min_cluster", 1)
    for hook in config.get("custom_hooks", []):
        clusters = hook.get("clustering", {}).get("k", 0)
        if clusters * smallest > len(images):
            raise UserError(
                f"{recipe.id} wants {clusters} clusters of at least {smallest} of {len(images)} pictures; "
                "lower `clusters` in the configuration or give more pictures"
            )
    _give_images(config, images)
    return config


def _give_images(node: Any, images: np.ndarray) -> None:
    """Put `images` into every data source below `node`; the array itself is shared, not copied."""
    if isinstance(node, dict):
        if node.get("type") == "BnftArraySource":
            node["images"] = images
            return
        for child in node.values():
            _give_images(child, images)
    elif isinstance(node, list):
        for child in node:
            _give_images(child, images)
