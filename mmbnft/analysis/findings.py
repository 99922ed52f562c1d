"""Everything an analysis of some results finds, before it is written anywhere."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mmbnft.analysis.dynamics import FEWEST, epochs_to, rank_correlation
from mmbnft.analysis.feature_geometry import Array, neighbour_map, principal_map
from mmbnft.analysis.kept_networks import (
    LAST,
    as_before,
    feature_table,
    layer_shifts,
    outputs,
    sample_test_images,
    statistics_check,
)
from mmbnft.analysis.predictions import calibration_error, known_metrics, log_loss, resampled_interval
from mmbnft.analysis.protocol_gains import BASELINE
from mmbnft.artifacts import kept
from mmbnft.evaluation.training.movement import EDGES
from mmbnft.evaluation.weights import restore
from mmbnft.results import Result
from mmbnft.tasks import Task, build_task, compute_metric
from mmbnft.utils.errors import UserError

# What moved, as columns of the table of runs, and how it is summed up over the layers of one.
MOVED = {
    "weight_relative": "relative change of norm weights, mean over layers",
    "bias_absolute": "change of norm biases, mean over layers",
    "kl": "symmetric KL of running statistics, mean over layers",
}
# Batch and running statistics disagree if the value changes by this many points and McNemar's test is sure of it.
POINTS, SURE = 1.0, 1.96
EVAL_BATCH = 64
LEAST_CHANGE = 1e-8  # relative, for the logarithm of a part that stood still
MOST_MAPS = 4  # runs whose features are mapped; t-SNE takes longer than all else
# Of an accuracy; other metrics take a hundred times as long to compute.
RESAMPLES, RESAMPLES_OF_OTHERS = 1000, 200


@dataclass(frozen=True)
class Run:
    """One result under analysis.

    Attributes:
        name: What tables and figures call it.
        result: The result.
        layers: Norm layers, see `layer_shifts`; None where no weights were kept.
        features: Stages, see `feature_table`; None where images or weights are missing.
        maps: By the name of the map (N, 2) coordinates of the images' features; of the first `MOST_MAPS` runs.
        labels: Of the images of the maps.
        check: See `statistics_check`; empty where it was not made.
        note: Why something is missing; empty if nothing is.
    """

    name: str
    result: Result
    layers: pd.DataFrame | None = None
    features: pd.DataFrame | None = None
    maps: dict[str, Array] = field(default_factory=dict)
    labels: np.ndarray | None = None
    check: dict[str, float] = field(default_factory=dict)
    note: str = ""


def analyse(
    results: Sequence[Result],
    *,
    images: bool = True,
    task: dict[str, object] | None = None,
    most: int = 1000,
    checkpoint: str | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> list[Run]:
    """Analyse results one by one.

    Args:
        results: Successful results, read from their files.
        images: Whether to pass images through the networks.
        task: Configuration of the task whose test images to use; each result's own if None.
        most: Test images to use, drawn at random.
        checkpoint: Where the checkpoint is now, if it has been moved since.
        progress: Called with the name of a run whose weights are read, which takes a while.

    Raises:
        UserError: There is no result of a run, or a file is damaged.
    """
    names, runs = _names(results), []
    for name, result in zip(names, results, strict=True):
        if "weights" not in kept(result.folder, result.key):
            runs.append(Run(name, result, note="no weights were kept (--keep-weights all)"))
            continue
        progress(name)
        drawn = sum(bool(run.maps) for run in runs)
        runs.append(_run(name, result, images, task, most, checkpoint, drawn < MOST_MAPS))
    return runs


def _names(results: Sequence[Result]) -> list[str]:
    """Short names that tell results apart: coordinates in which they differ, and always checkpoint and protocol."""
    if not results:
        raise UserError("there is no successful result to analyse; name result files, or the folder of a grid")
    always = ("checkpoint", "protocol")
    differ = [n for n in ("task", "recipe", "split", "seed") if len({getattr(r, n) for r in results}) > 1]
    shown = {"split": "split {}", "seed": "seed {}"}
    return [" ".join(shown.get(n, "{}").format(getattr(r, n)) for n in (*always, *differ)) for r in results]


def _run(
    name: str, result: Result, images: bool, task: dict[str, Any] | None, most: int, checkpoint: str | None, maps: bool
) -> Run:
    try:
        network = restore(result, checkpoint, with_before=True)
    except UserError as error:
        return Run(name, result, note=str(error))
    layers = layer_shifts(network)
    if not images:
        return Run(name, result, layers)
    try:
        built: Task = build_task(dict(task or network.spec.task), 0 if task else network.spec.split)
        sample = sample_test_images(network, built, most)
        after = outputs(network, sample, EVAL_BATCH)
        with as_before(network):
            before = outputs(network, sample, EVAL_BATCH)
    except UserError as error:
        return Run(name, result, layers, note=str(error))
    check = {}
    if "kl" in layers and task is None:
        batch = outputs(network, sample, network.spec.recipe.batch_size or len(sample.labels), batch_statistics=True)
        check = statistics_check(after, batch, sample.labels, result.metric)
    drawn = {
        f"{kind}, {when}": draw(values.stages[LAST])
        for kind, draw in (("PCA", principal_map), ("t-SNE", neighbour_map))
        for when, values in (("before", before), ("after", after))
        if maps
    }
    return Run(name, result, layers, feature_table(before, after, sample.labels), drawn, sample.labels, check)


def prediction_table(runs: Sequence[Run]) -> pd.DataFrame:
    """One row for each result with predictions: its value with an interval over test images, and what else they say."""
    rows = []
    for run in runs:
        predictions, metric = run.result.predictions, run.result.metric
        if predictions is None:
            continue
        draws = RESAMPLES if metric == "top1" else RESAMPLES_OF_OTHERS
        low, high = resampled_interval(functools.partial(compute_metric, metric), predictions, draws)
        row = {"run": run.name, "metric": metric, "value": run.result.value, "low": low, "high": high,
               "images": len(predictions.labels), **known_metrics(predictions),
               "log_loss": log_loss(predictions)}  # fmt: skip
        if predictions.labels.ndim == 1:
            row["calibration_error"] = calibration_error(predictions)
        rows.append(row)
    return pd.DataFrame(rows)


def layer_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Every norm layer of every run."""
    return _stacked(runs, "layers")


def stage_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Every stage of every run."""
    return _stacked(runs, "features")


def _stacked(runs: Sequence[Run], part: str) -> pd.DataFrame:
    tables = [getattr(run, part).assign(run=run.name) for run in runs if getattr(run, part) is not None]
    found = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return found[["run", *found.columns.drop("run")]] if len(found) else found


def run_table(runs: Sequence[Run]) -> pd.DataFrame:
    """One row for each run: value, gain over the probe, how far it moved, the check of its statistics."""
    probes = {
        (r.checkpoint, r.task, r.split, r.seed): r.value for r in (run.result for run in runs) if r.protocol == BASELINE
    }
    rows = []
    for run in runs:
        result = run.result
        probe = probes.get((result.checkpoint, result.task, result.split, result.seed))
        row = {"run": run.name, "value": result.value, "metric": result.metric}
        row["gain"] = None if probe is None or result.protocol == BASELINE else (result.value or 0.0) - probe
        if run.layers is not None:
            row |= {name: run.layers[name].mean() for name in MOVED if name in run.layers}
            row |= {name: int(run.layers[name].sum()) for name in ("weight_flipped", "died", "revived")
                    if name in run.layers}  # fmt: skip
        row |= {"batch_statistics": run.check.get("batch"), "note": run.note or _disagreement(run)}
        rows.append(row)
    return pd.DataFrame(rows)


def _disagreement(run: Run) -> str:
    """The finding of the check of statistics; empty where they agree."""
    if not run.check or abs(run.check["batch"] - run.check["running"]) < POINTS:
        return ""
    if abs(run.check.get("changed", SURE)) < SURE:
        return ""
    return (
        f"batch and running statistics disagree: {run.check['batch']:.2f} % with batch statistics, "
        f"{run.check['running']:.2f} % with running statistics"
    )


def gain_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Spearman's correlation of what moved with the gain over the linear probe, over runs; empty with too few."""
    gains = pd.to_numeric(runs["gain"]).to_numpy(float)
    rows = [
        {"quantity": MOVED[name], **rank_correlation(pd.to_numeric(runs[name]).to_numpy(float), gains)}
        for name in MOVED
        if name in runs
    ]
    found = pd.DataFrame(rows)
    return found if len(found) and (found["n"] >= FEWEST).any() else pd.DataFrame()


def curve_table(runs: Sequence[Run]) -> pd.DataFrame:
    """One row for each epoch of each run: loss, learning rate, seconds, and val where it was evaluated."""
    return _epochs(runs, lambda entry: [{key: value for key, value in entry.items() if key != "moved"}])


def movement_table(runs: Sequence[Run]) -> pd.DataFrame:
    """One row for each epoch and part of the network: its relative change within that epoch."""
    return _epochs(
        runs,
        lambda entry: [
            {"phase": entry["phase"], "part": part, "change": change} for part, change in entry.get("moved", {}).items()
        ],
    )


def size_table(runs: Sequence[Run]) -> pd.DataFrame:
    """One row for each epoch and part: the share of its parameters in each bin of changes, see `Movement.sizes`."""
    edges = [f"{edge:g}" for edge in EDGES]
    columns = [f"below {edges[0]}", *map("{} to {}".format, edges, edges[1:]), f"from {edges[-1]}"]
    return _epochs(
        runs,
        lambda entry: [
            {"phase": entry["phase"], "part": part}
            | dict(zip(columns, np.divide(counts, max(sum(counts), 1)).tolist(), strict=True))
            for part, counts in entry.get("sizes", {}).items()
        ],
    )


def steadiness_table(runs: Sequence[Run]) -> pd.DataFrame:
    """One row for each part that trains of each (checkpoint, task, protocol): how steadily it moves.

    `over_epochs` is the standard deviation over epochs of the logarithm (base 10) of its relative change in an epoch,
    `over_seeds` that over runs that differ in their seed alone, mean over epochs; empty for a single one.
    """
    changes: dict[tuple[str, ...], list[list[float]]] = {}
    for run in runs:
        result = run.result
        moved = [entry["moved"] for entry in result.details.get("curve") or [] if "moved" in entry]
        for part in dict.fromkeys(part for entry in moved for part in entry):
            series = [entry.get(part, np.nan) for entry in moved]
            key = (result.checkpoint, result.task, result.protocol, str(result.split), part)
            changes.setdefault(key, []).append(np.log10(np.maximum(series, LEAST_CHANGE)).tolist())
    rows = []
    for (checkpoint, task, protocol, _, part), series in changes.items():
        values = np.array([one[: min(map(len, series))] for one in series])
        rows.append({
            "checkpoint": checkpoint, "task": task, "protocol": protocol, "part": part, "runs": len(values),
            "median_change": float(10 ** np.nanmedian(values)),
            "over_epochs": _spread(values, axis=1), "over_seeds": _spread(values, axis=0),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _spread(values: Array, axis: int) -> float | None:
    """Mean of the standard deviations along an axis, of those that have two values or more."""
    known = np.moveaxis(values, axis, 0)
    known = known[:, np.isfinite(known).sum(axis=0) > 1]
    return float(np.nanstd(known, axis=0, ddof=1).mean()) if known.size else None


def _epochs(runs: Sequence[Run], rows: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> pd.DataFrame:
    """The rows that each epoch of each run gives, epochs counted over all phases."""
    return pd.DataFrame(
        {"run": run.name, "total_epoch": number, **row}
        for run in runs
        for number, entry in enumerate(run.result.details.get("curve") or [], 1)
        for row in rows(entry)
    )


def speed_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Epochs of each run to shares of the best val accuracy that any run of its task reached; empty without val.

    A run that never reaches a level has no number there.
    """
    best: dict[str, float] = {}
    curves = {run.name: run.result.details.get("curve") or [] for run in runs}
    for run in runs:
        values = [entry["val"] for entry in curves[run.name] if entry.get("val") is not None]
        if values:
            best[run.result.task] = max(best.get(run.result.task, 0.0), *values)
    rows = []
    for run in runs:
        if any(entry.get("val") is not None for entry in curves[run.name]):
            top = best[run.result.task]
            levels = {f"{share:.0%}": epochs_to(curves[run.name], share * top) for share in (0.8, 0.9, 0.95, 1.0)}
            rows.append({"run": run.name, "best_val": top, **levels})
    return pd.DataFrame(rows)
