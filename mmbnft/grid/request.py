"""A benchmark from what the command line says, with a configuration file or without one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmbnft.evaluation.run_spec import load_config
from mmbnft.grid.plan import Benchmark, expand_groups
from mmbnft.host import Config
from mmbnft.utils.errors import UserError
from mmbnft.zoo import Architecture, resolve_checkpoints
from mmbnft.zoo.checkpoint import Statement

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
    stated: dict[str, Any] | None = None,
) -> Benchmark:
    """A benchmark on prepared tasks, its network found from the checkpoints.

    Args:
        task: Folders of prepared tasks, array files (FILE.npz), or registered types such as `digits`.
        checkpoints: Catalogue ids, weight files, `random` or `group:NAME`.
        protocols: Protocols and training-free scores.
        recipe: Name of a recipe.
        target: The protocol to be predicted; by default fine-tuning, and nothing if that is not among the protocols.
        overrides: Values by dotted name, as for a configuration file, e.g. `recipe.epochs`.
        stated: What is stated about the weight files, see `Statement`.

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
    grid = {"name": name, "checkpoints": list(names), "tasks": list(task), "protocols": list(protocols),
            "target": target or (TARGET if TARGET in protocols else None), "stated": stated or {}}  # fmt: skip
    model = model_config(common_architecture(names, Statement.from_config(stated or {})))
    config = Config({"model": model, "recipe": {"named": recipe}, "benchmark": grid})
    config.merge_from_dict(overrides or {})
    return Benchmark.from_config(config)


def common_architecture(checkpoints: Sequence[str], stated: Statement | None = None) -> Architecture:
    """The one network that all checkpoints belong to; ResNet-50 if they are only `random`.

    Args:
        checkpoints: Catalogue ids, weight files or `random`.
        stated: What is stated about the weight files.

    Raises:
        UserError: They belong to different networks, or one to none that can be built without a configuration.
    """
    found: dict[Architecture, str] = {}
    for checkpoint in resolve_checkpoints(checkpoints, stated=stated):
        if checkpoint.is_random:
            continue
        if checkpoint.architecture is None or not checkpoint.architecture.is_resnet:
            raise UserError(f"{checkpoint.name} is no ResNet; write a configuration with its model for it")
        found.setdefault(checkpoint.architecture, checkpoint.name)
    if len(found) > 1:
        listed = "; ".join(f"{name} is a {architecture}" for architecture, name in found.items())
        raise UserError(f"the checkpoints belong to different networks ({listed}); give one command for each network")
    return next(iter(found), Architecture())


def model_config(architecture: Architecture) -> dict[str, Any]:
    """The model of a ResNet, as configs/_base_/models has it."""
    # The two classes number their stages from 1 and from 0.
    last = 3 if architecture.small_stem else 4
    backbone = architecture.to_dict() | {"in_channels": 3, "out_indices": [last], "norm_cfg": {"type": "BN"}}
    usual = Architecture().to_dict()
    backbone = {name: value for name, value in backbone.items() if name not in _WIDTHS or value != usual[name]}
    return {"type": "Classification", "backbone": backbone, "head": {"type": "BnftLinearHead"}}
