"""Finished runs in TensorBoard and MLflow, and what every tracker is told of one.

A result holds everything that a tracker shows, so runs are told of when they are over, those of a grid at its end.
"""

import importlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmbnft.results import Result

MLFLOW_URI = "MLFLOW_TRACKING_URI"
# What a run of MLflow is known by when a grid is told of again.
_KEY = "mmbnft.key"
_CURVE = {"loss": "train/loss", "lr": "learning_rate", "val": "val/metric"}


@dataclass(frozen=True)
class Record:
    """What a tracker is told of a finished run.

    Attributes:
        name: `checkpoint/task/protocol/s0`, with the split where it is not the first.
        settings: Coordinates of the run, and what was chosen on val.
        points: Step to values: first one point for each trial of the search, then one for each epoch.
        values: What came out: the value on test, the best on val, seconds.
    """

    name: str
    settings: dict[str, str | float]
    points: tuple[dict[str, float], ...]
    values: dict[str, float]


def record(result: Result) -> Record:
    """Put a result into the words of `Record`.

    Args:
        result: Of a run that ended well.
    """
    details = result.details
    split = f"split{result.split}/" if result.split else ""
    coordinates = ("checkpoint", "task", "protocol", "recipe", "split", "seed")
    settings = {name: getattr(result, name) for name in coordinates} | _plain(details.get("chosen") or {})
    search = [_plain(entry) for entry in details.get("search") or ()]
    trials = [{f"search/{name}": value for name, value in trial.items() if name != "trial"} for trial in search]
    epochs = [{title: entry[name] for name, title in _CURVE.items() if entry.get(name) is not None}
              for entry in details.get("curve") or ()]  # fmt: skip
    values = {f"{result.evaluated_on}/{result.metric}": float(result.value or 0.0)}
    known = [float(trial["val"]) for trial in search if "val" in trial]
    values |= {"val/best": max(known)} if known else {}
    values |= {"seconds": float(result.cost["seconds"])} if "seconds" in result.cost else {}
    name = f"{result.checkpoint}/{result.task}/{result.protocol}/{split}s{result.seed}"
    return Record(name, settings, (*trials, *epochs), values)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if isinstance(value, (int, float, str))}


def closing_figures(result: Result) -> dict[str, Any]:
    """What a tracker's summary of a finished run holds: the value on test, the choice on val, cost and certificate.

    Args:
        result: The run's result.
    """
    details = result.details
    certificate = details.get("certificate") or {}
    known = {name: certificate.get(name) for name in ("sha256", "format", "matched", "expected", "partial")}
    return {
        "value": result.value,
        "metric": result.metric,
        "scale": result.scale,
        f"{result.evaluated_on}/{result.metric}": result.value,
        "task": result.task,
        "chosen": details.get("chosen"),
        "search": details.get("search"),
        "cost": result.cost,
        "certificate": known if certificate else None,
    }


def attempt(tracker: str, call: Callable[[], str]) -> str:
    """What a call of a tracker says; one that fails is a warning, since nothing may be lost by its tracker.

    Args:
        tracker: Its name.
        call: Tells it of runs and says where they are.
    """
    try:
        return call()
    except Exception as error:  # trackers raise their own kinds, and those of the network
        reason = (str(error) or type(error).__name__).splitlines()[0]
        sys.stderr.write(f"warning: nothing was logged to {tracker} ({reason}); the results are complete\n")
        return ""


def to_tensorboard(results: Sequence[Result], folder: Path) -> str:
    """Write curves, final values and a row of the hparams table for each run, into a folder a run.

    Args:
        results: Of runs that ended well.
        folder: For all of them; what an earlier call wrote of a run there is replaced.

    Returns:
        The command that shows them.
    """
    writers = importlib.import_module("torch.utils.tensorboard")
    for one in map(record, results):
        shutil.rmtree(folder / one.name, ignore_errors=True)
        writer = writers.SummaryWriter(str(folder / one.name))
        for step, point in enumerate(one.points):
            for name, value in point.items():
                if not isinstance(value, str):
                    writer.add_scalar(name, value, step)
        writer.add_hparams(one.settings, one.values, run_name=".")
        writer.close()
    return f"TensorBoard: tensorboard --logdir {folder}"


def to_mlflow(results: Sequence[Result], experiment: str, files: Sequence[Path] = ()) -> str:
    """Tell MLflow of runs, if the variable MLFLOW_TRACKING_URI says where it is; a run is told of once.

    Args:
        results: Of runs that ended well.
        experiment: Name of the experiment, unless MLFLOW_EXPERIMENT_NAME says another.
        files: Artifacts of a run of the experiment's name, such as the report of a grid.

    Returns:
        A sentence on where they are; empty without the variable.

    Raises:
        ImportError: The variable is set and mlflow is not installed.
    """
    uri = os.environ.get(MLFLOW_URI, "")
    if not uri:
        return ""
    client = importlib.import_module("mlflow.tracking").MlflowClient(tracking_uri=uri)
    experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", experiment)
    found = client.get_experiment_by_name(experiment)
    number = found.experiment_id if found is not None else client.create_experiment(experiment)
    for result in results:
        if not client.search_runs([number], filter_string=f"tags.`{_KEY}` = '{result.key}'", max_results=1):
            _log_mlflow(client, number, result)
    if files:
        run = client.create_run(number, run_name=f"{experiment} report").info.run_id
        for path in files:
            client.log_artifact(run, str(path))
        client.set_terminated(run)
    return f"MLflow: experiment {experiment} at {uri}"


def _log_mlflow(client: Any, experiment: str, result: Result) -> None:
    entities = importlib.import_module("mlflow.entities")
    one, now = record(result), int(1000 * time.time())
    run = client.create_run(experiment, run_name=one.name, tags={_KEY: result.key}).info.run_id
    points = [(name, value, step) for step, point in enumerate(one.points) for name, value in point.items()]
    points += [(name, value, 0) for name, value in one.values.items()]
    metrics = [entities.Metric(name, value, now, step) for name, value, step in points if not isinstance(value, str)]
    parameters = [entities.Param(name, str(value)) for name, value in one.settings.items()]
    for first in range(0, len(metrics), 1000):  # what MLflow takes at a time
        client.log_batch(run, metrics=metrics[first : first + 1000])
    client.log_batch(run, params=parameters)
    client.set_terminated(run)
