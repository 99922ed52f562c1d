"""The folder of small checkpoints: files, records and the catalogue the zoo reads."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmbnft import compat, files
from mmbnft.errors import UserError
from mmbnft.pretraining import quality
from mmbnft.pretraining.images import ImageSet
from mmbnft.pretraining.recipes import Recipe
from mmbnft.pretraining.trainer import Trained
from mmbnft.pretraining.weights import backbone_of, write_checkpoint

INPUT_SIZE = 32
CATALOGUE = "catalogue.json"
RANDOM_RECORD = "random.json"


def store(folder: Path, recipe: Recipe, data: ImageSet, trained: Trained, workers: int) -> Path:
    """Write checkpoint and record and renew the catalogue; returns the checkpoint's path."""
    path = folder / f"{recipe.id}.pth"
    meta = {
        "method": recipe.method,
        "architecture": recipe.architecture,
        "normalisation": recipe.config["normalisation"],
        "input_size": INPUT_SIZE,
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
        "input_size": INPUT_SIZE,
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
    """Whether the folder already holds this recipe's checkpoint, made from these pictures and undamaged."""
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
        UserError: A record is not readable.
    """
    paths = [path for path in sorted(folder.glob("*.json")) if path.name not in (CATALOGUE, RANDOM_RECORD)]
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
        The table's rows: `method`, `epochs`, `cpu_seconds` and, per task and classifier, the mean accuracy in percent.

    Raises:
        UserError: The folder has no checkpoints.
    """
    found = records(folder)
    if not found:
        raise UserError(f"{folder} has no checkpoints; make them with tools/pretrain.py --all")
    total = len(found) + inits
    example = found[0]
    control: list[dict[str, Any]] = []
    for seed in range(inits):
        backbone = quality.random_backbone(example["architecture"], seed)
        control.append({"seed": seed, "quality": _measure(backbone, example, tasks, splits)})
        report(seed + 1, total)
    files.write_json(folder / RANDOM_RECORD, {"architecture": example["architecture"], "networks": control})
    rows = []
    for number, record in enumerate(found, start=1):
        _, backbone = backbone_of(folder / record["file"])
        record["quality"] = _measure(backbone, record, tasks, splits)
        files.write_json(folder / f"{record['id']}.json", record)
        rows.append(_row(record["method"], record["epochs"], record["cpu_seconds"], [record["quality"]]))
        report(inits + number, total)
    return [_row("random weights", 0, 0.0, [network["quality"] for network in control]), *rows]


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


def _row(method: str, epochs: int, seconds: float, measured: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One line of the table; over several networks the mean of all their values."""
    row: dict[str, Any] = {"method": method, "epochs": epochs, "cpu_seconds": seconds}
    for task in measured[0]:
        for name in ("knn", "linear"):
            row[f"{task} {name}"] = statistics.fmean(value for entry in measured for value in entry[task][name])
    return row


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a Markdown table, accuracies in percent with one decimal."""
    columns = list(rows[0])
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    for row in rows:
        cells = [f"{value:.1f}" if isinstance(value, float) else str(value) for value in row.values()]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
