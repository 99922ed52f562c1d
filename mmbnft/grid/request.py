"""A benchmark from what the command line says, with a configuration file or without one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmbnft.evaluation.spec import RANDOM, load_config
from mmbnft.grid.plan import Benchmark, expand_groups
from mmbnft.host import Config
from mmbnft.utils.errors import UserError
from mmbnft.zoo import DEFAULT_ROOT, Architecture, read_checkpoint
from mmbnft.zoo.sources import resolve

TARGET = "finetune"
_WIDTHS = ("base_channels", "stem_channels")


def benchmark_from_file(path: Path, overrides: dict[str, Any]) -> Benchmark:
    """The benchmark of a configuration file.

    Args:
        path: The file.
        overrides: Values by dotted name.

    Raises:
        UserError: The file is missing or wrong.
    """
    return Benchmark.from_config(load_config(path, overrides))


def benchmark_of(
    task: Sequence[str] = (),
    checkpoints: Sequence[str] = (),
    protocols: Sequence[str] = (),
    recipe: str = "clean",
    target: str | None = None,
    overrides: dict[str, Any] | None = None,
    weights_root: Path = DEFAULT_ROOT,
) -> Benchmark:
    """A benchmark on prepared tasks, its network found from the checkpoints.

    Args:
        task: Folders of prepared tasks, array files (FILE.npz), or registered types such as `digits`.
        checkpoints: Catalogue ids, weight files, `random` or `group:NAME`.
        protocols: Protocols and training-free scores.
        recipe: Name of a recipe.
        target: The protocol to be predicted; by default fine-tuning, and nothing if that is not among the protocols.
        overrides: Values by dotted name, as for a configuration file, e.g. `recipe.epochs`.
        weights_root: Folder of the catalogue's weight files.

    Raises:
        UserError: Something is missing or unknown, or the checkpoints belong to different networks.
    """
    for name, values in (("--task", task), ("--checkpoints", checkpoints), ("--protocols", protocols)):
        if not values:
            raise UserError(
                f"{name} is missing; give a configuration file, or all of --task, --checkpoints, --protocols"
            )
    names = expand_groups(checkpoints)
    name = "-".join(Path(text).name.removesuffix(".npz") for text in task)
    grid = {"name": name, "checkpoints": list(names), "tasks": list(task),
            "protocols": list(protocols), "target": target or (TARGET if TARGET in protocols else None)}  # fmt: skip
    model = model_config(common_architecture(names, weights_root))
    config = Config({"model": model, "recipe": {"named": recipe}, "benchmark": grid})
    config.merge_from_dict(overrides or {})
    return Benchmark.from_config(config)


def common_architecture(checkpoints: Sequence[str], weights_root: Path) -> Architecture:
    """The one network that all checkpoints belong to; ResNet-50 if they are only `random`.

    Args:
        checkpoints: Catalogue ids, weight files or `random`.
        weights_root: Folder of the catalogue's weight files.

    Raises:
        UserError: They belong to different networks, or one to none that can be built without a configuration.
    """
    found: dict[Architecture, str] = {}
    for checkpoint in checkpoints:
        if checkpoint != RANDOM:
            found.setdefault(_architecture(checkpoint, weights_root), checkpoint)
    if len(found) > 1:
        listed = "; ".join(f"{checkpoint} is a {architecture}" for architecture, checkpoint in found.items())
        raise UserError(f"the checkpoints belong to different networks ({listed}); give one command for each network")
    return next(iter(found), Architecture())


def _architecture(checkpoint: str, weights_root: Path) -> Architecture:
    source = resolve(checkpoint, None, weights_root)
    if source.entry is not None and source.entry.architecture is not None:
        return source.entry.architecture
    found = read_checkpoint(checkpoint, root=weights_root).certificate.architecture
    try:
        return Architecture.from_config(found)
    except KeyError as error:
        raise UserError(f"{checkpoint} is no ResNet; write a configuration with its model for it") from error


def model_config(architecture: Architecture) -> dict[str, Any]:
    """The model of a ResNet, as configs/_base_/models has it."""
    backbone = architecture.to_dict() | {"in_channels": 3, "out_indices": [4], "norm_cfg": {"type": "BN"}}
    usual = Architecture().to_dict()
    backbone = {name: value for name, value in backbone.items() if name not in _WIDTHS or value != usual[name]}
    return {"type": "Classification", "backbone": backbone, "head": {"type": "BnftLinearHead"}}
