"""The folder of small checkpoints: files, records and the catalogue the zoo reads."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmbnft import compat
from mmbnft.pretraining import quality
from mmbnft.pretraining.photographs import ImageSet
from mmbnft.pretraining.recipes import Recipe
from mmbnft.pretraining.small_files import backbone_of, write_checkpoint
from mmbnft.pretraining.training import Trained
from mmbnft.utils import files
from mmbnft.utils.errors import UserError

CATALOGUE = "catalogue.json"
RANDOM_RECORD = "random.json"


def store(folder: Path, recipe: Recipe, data: ImageSet, trained: Trained, workers: int) -> Path:
    """Write checkpoint and record and renew the catalogue; returns the checkpoint's path.

    Args:
        folder: Folder of small checkpoints.
        recipe: What made it.
        data: The pictures it was made from.
        trained: Weights, losses and CPU seconds.
        workers: Data-loading processes it was made with.
    """
    path = folder / f"{recipe.id}.pth"
    meta = {
        "method": recipe.method,
        "architecture": recipe.architecture,
        "normalisation": recipe.config["normalisation"],
        "input_size": recipe.input_size,
        "data_sha256": data.sha256,
        "config": recipe.text,
    }
    digest = write_checkpoint(path, meta, trained.state_dict)
    record = {
        "id": recipe.id,
        "method": recipe.method,
        "file": path.name,
        "sha256": digest,
        "bytes": path.stat().st_size,
        "precision": "float16 on disk, trained in float32",
        "architecture": recipe.architecture,
        "normalisation": recipe.config["normalisation"],
        "input_size": recipe.input_size,
        "config": recipe.config,
        "config_sha256": recipe.sha256,
        "data": data.describe(),
        "seed": recipe.seed,
        "epochs": recipe.epochs,
        "workers": workers,
        "losses": trained.losses,
        "wall_seconds": trained.wall_seconds,
        "cpu_seconds": trained.cpu_seconds,
        "versions": compat.versions(),
    }
    files.write_json(folder / f"{recipe.id}.json", record)
    renew_catalogue(folder)
    return path


def is_finished(folder: Path, recipe: Recipe, data: ImageSet) -> bool:
    """Whether the folder already holds this recipe's checkpoint, made from these pictures and undamaged.

    Args:
        folder: Folder of small checkpoints.
        recipe: What would make it.
        data: The pictures it would be made from.
    """
    path = folder / f"{recipe.id}.json"
    if not path.is_file():
        return False
    record = files.read_json(path)
    checkpoint = folder / str(record.get("file"))
    return (
        record.get("config_sha256") == recipe.sha256
        and record.get("data", {}).get("pixels_sha256") == data.sha256
        and checkpoint.is_file()
        and files.sha256_file(checkpoint) == record.get("sha256")
    )


def records(folder: Path) -> list[dict[str, Any]]:
    """Every record in the folder, by id.

    Raises:
        UserError: There is none, or one is not readable.
    """
    paths = [path for path in sorted(folder.glob("*.json")) if path.name not in (CATALOGUE, RANDOM_RECORD)]
    if not paths:
        raise UserError(f"{folder} has no checkpoints; make them with mmbnft pretrain --all")
    return [files.read_json(path) for path in paths]


def renew_catalogue(folder: Path) -> None:
    """Write the catalogue from the records."""
    names = ("id", "method", "file", "sha256", "architecture", "normalisation", "input_size", "epochs")
    entries = [
        {name: record[name] for name in names} | {"record": f"{record['id']}.json"} for record in records(folder)
    ]
    files.write_json(folder / CATALOGUE, entries)


def evaluate(
    folder: Path,
    tasks: Sequence[quality.LabelledSet],
    splits: int,
    inits: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict[str, Any]]:
    """Measure every checkpoint of the folder and random weights, and write the figures into the records.

    Args:
        folder: Folder of checkpoints and records.
        tasks: Held-out tasks.
        splits: Number of stratified random splits per task; the same for all.
        inits: Number of random networks.
        report: Called with finished and total networks.

    Returns:
        The table's rows, random weights first: `method`, `epochs`, `cpu_seconds`, per task and classifier the mean
        accuracy in percent, and how many of these lie above those of every random network.

    Raises:
        UserError: The folder has no checkpoints, or one cannot be read.
    """
    found = records(folder)
    total = len(found) + inits
    control: list[dict[str, Any]] = []
    for seed in range(inits):
        backbone = quality.random_backbone(found[0]["architecture"], seed)
        control.append({"seed": seed, "quality": _measure(backbone, found[0], tasks, splits)})
        report(seed + 1, total)
    files.write_json(folder / RANDOM_RECORD, {"architecture": found[0]["architecture"], "networks": control})
    networks = [_means(network["quality"]) for network in control]
    best = {name: max(network[name] for network in networks) for name in networks[0]}
    average = {name: statistics.fmean(network[name] for network in networks) for name in best}
    rows = [{"method": f"random weights ({inits})", "epochs": 0, "cpu_seconds": 0.0, **average, "above random": ""}]
    for number, record in enumerate(found, start=1):
        _, backbone = backbone_of(folder / record["file"])
        record["quality"] = _measure(backbone, record, tasks, splits)
        files.write_json(folder / f"{record['id']}.json", record)
        means = _means(record["quality"])
        above = sum(means[name] > best[name] for name in best)
        head = {name: record[name] for name in ("method", "epochs", "cpu_seconds")}
        rows.append({**head, **means, "above random": f"{above} of {len(best)}"})
        report(inits + number, total)
    return rows


def _measure(
    backbone: Any, record: dict[str, Any], tasks: Sequence[quality.LabelledSet], splits: int
) -> dict[str, dict[str, Any]]:
    measured: dict[str, dict[str, Any]] = {}
    for task in tasks:
        rows = quality.features(backbone, task.images, record["normalisation"], record["input_size"])
        measured[task.name] = {
            "pixels_sha256": task.sha256,
            **quality.accuracies(rows, task.labels, range(splits)),
        }
    return measured


def _means(measured: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Mean over the splits, by `TASK CLASSIFIER`, in percent."""
    return {
        f"{task} {name}": statistics.fmean(values[name])
        for task, values in measured.items()
        for name in ("knn", "linear")
    }


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a Markdown table, accuracies in percent with one decimal."""
    columns = list(rows[0])
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    for row in rows:
        cells = [f"{value:.1f}" if isinstance(value, float) else str(value) for value in row.values()]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
