"""What a run leaves beside its result, in files named by its key, so that a result may be renamed without them."""

import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmbnft.utils import files
from mmbnft.utils.errors import UserError

RESULTS, WEIGHTS = "results", "weights"
# The largest number of float16; logits beyond it, as of a class that training never saw, are cut off there.
LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Predictions:
    """Class scores of every test image, in the order of the test list.

    Attributes:
        scores: float16 (N, C) logits. Where an image has one class the highest of each row is 0: what softmax makes of
            them is the same, and float16 tells values apart best near 0.
        labels: (N,) class numbers, or multi-hot (N, C).
    """

    scores: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, labels: np.ndarray) -> "Predictions":
        """Compact predictions from float (N, C) logits and labels."""
        values = scores.astype(np.float64)
        if labels.ndim == 1:
            values -= values.max(axis=1, keepdims=True)
        kind = np.min_scalar_type(int(labels.max(initial=0)))
        return cls(np.clip(values, -LARGEST, LARGEST).astype(np.float16), labels.astype(kind))

    @property
    def logits(self) -> np.ndarray:
        """The scores as float32 (N, C)."""
        return self.scores.astype(np.float32)


@dataclass(frozen=True)
class Artifacts:
    """What a run hands over with its result.

    Attributes:
        predictions: On test; None for a training-free score.
        weights: Content of the weight file; None if it is not kept.
    """

    predictions: Predictions | None = None
    weights: Mapping[str, Any] | None = None


def predictions_path(folder: Path | str, key: str) -> Path:
    """Where the predictions of the result with this content hash are, `folder` being that of the results."""
    return Path(folder) / f"{key[:16]}.npz"


def weights_path(folder: Path | str, key: str) -> Path:
    """Where the weights are: in `weights` beside the folder `results`, or else within the folder."""
    folder = Path(folder)
    return (folder.parent if folder.name == RESULTS else folder) / WEIGHTS / f"{key[:16]}.pth"


def write_artifacts(folder: Path | str, key: str, artifacts: Artifacts) -> None:
    """Write each file atomically.

    Args:
        folder: Of the results.
        key: Content hash of the run.
        artifacts: What there is.
    """
    predictions, weights = artifacts.predictions, artifacts.weights
    if predictions is not None:
        scores, labels = predictions.scores, predictions.labels
        files.write_with(
            predictions_path(folder, key), lambda stream: np.savez_compressed(stream, scores=scores, labels=labels)
        )
    if weights is not None:
        import torch  # results are read by much that needs no torch

        files.write_with(weights_path(folder, key), lambda stream: torch.save(dict(weights), stream))


def read_predictions(folder: Path | str, key: str) -> Predictions | None:
    """The predictions kept with a result; None where there are none, as from runs of earlier versions.

    Raises:
        UserError: The file is damaged.
    """
    path = predictions_path(folder, key)
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as content:
            return Predictions(content["scores"], content["labels"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is not a predictions file ({error}); remove it or restore it") from error


def kept(folder: Path | None, key: str) -> str:
    """What a result has beside it, for tables: `predictions`, `weights`, both or nothing."""
    places = {"predictions": predictions_path, "weights": weights_path}
    return ", ".join(name for name, where in places.items() if folder is not None and where(folder, key).exists())


def copy_artifacts(source: Path, target: Path, key: str) -> None:
    """Copy what a result of the folder `source` has beside it to the folder `target`, atomically.

    Args:
        source: Folder of results to copy from.
        target: Folder of results to copy to.
        key: The result's content hash.
    """
    for where in (predictions_path, weights_path):
        path = where(source, key)
        if path.exists() and path.resolve() != where(target, key).resolve():
            with path.open("rb") as old, files.atomic_file(where(target, key)) as new:
                shutil.copyfileobj(old, new)


def remove_artifacts(folder: Path, key: str) -> None:
    """Remove what the result with this content hash has beside it."""
    for where in (predictions_path, weights_path):
        where(folder, key).unlink(missing_ok=True)
