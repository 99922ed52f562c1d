"""A benchmark from what the command line says, with a configuration file or without one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmbnft.evaluation.run_spec import load_config
from mmbnft.grid.plan import Benchmark, expand_groups
from mmbnft.host import Config
from mmbnft.models.configuration import CLASSIFICATION
from mmbnft.utils.errors import UserError

TARGET = "finetune"


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
    """A benchmark on prepared tasks, their networks found from the checkpoints.

    Args:
        task: Folders of prepared tasks, array files (FILE.npz), or registered types such as `digits`.
        checkpoints: Catalogue ids, weight files, `random` or `group:NAME`.
        protocols: Protocols and training-free scores.
        recipe: Name of a recipe.
        target: The protocol to be predicted; by default fine-tuning, and nothing if that is not among
            the protocols.
        overrides: Values by dotted name, as for a configuration file, e.g. `recipe.epochs`.
        stated: What is stated about the weight files, see `Statement`.

    Raises:
        UserError: Something is missing or unknown.
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
    model = dict(CLASSIFICATION)  # its backbone is that of each checkpoint
    config = Config({"model": model, "recipe": {"named": recipe}, "benchmark": grid})
    config.merge_from_dict(overrides or {})
    return Benchmark.from_config(config)
