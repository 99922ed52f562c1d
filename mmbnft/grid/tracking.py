"""A finished grid in trackers: its runs, the table of its results, and its report."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmbnft.evaluation.finished_runs import attempt, closing_figures, record, to_mlflow, to_tensorboard
from mmbnft.hooks.wandb_hook import START_SECONDS, resolve_mode, tag
from mmbnft.results import Result, results_table


@dataclass(frozen=True)
class Trackers:
    """Which trackers are told of a grid; MLflow is where its own variable says where it is.

    Attributes:
        wandb: `auto`, `online`, `offline` or `off`.
        project: W&B project.
        tensorboard: Whether to write TensorBoard files.

    Raises:
        UserError: The mode is unknown, or `online` is asked for without an account.
    """

    wandb: str = "off"
    project: str = "mmbnft"
    tensorboard: bool = False

    def __post_init__(self) -> None:
        resolve_mode(self.wandb)  # before hours of runs, not after

    def tell(self, name: str, results: Sequence[Result], out: Path) -> list[str]:
        """Tell of a finished grid; a tracker that fails is a warning.

        Args:
            name: Of the grid.
            results: Its results, failed ones included.
            out: Its folder, with `report.html` if there is one.

        Returns:
            Where each tracker has it.
        """
        good = [result for result in results if result.status == "ok"]
        said = [attempt("W&B", lambda: log_grid(name, results, out, self.wandb, self.project))]
        if self.tensorboard:
            said.append(attempt("TensorBoard", lambda: to_tensorboard(good, out / "tensorboard")))
        files = [path for path in (out / "report.html", out / "results.csv") if path.exists()]
        said.append(attempt("MLflow", lambda: to_mlflow(good, name, files)))
        return [sentence for sentence in said if sentence]


def log_grid(name: str, results: Sequence[Result], out: Path, mode: str, project: str = "mmbnft") -> str:
    """Log a finished grid as a group of its name: a run for each result, and one with the table and the report.

    Args:
        name: Of the grid.
        results: Its results, failed ones included.
        out: Its folder; a `report.html` there becomes an artifact.
        mode: `auto`, `online`, `offline` or `off`.
        project: W&B project.

    Returns:
        A sentence on where the runs are, "" if there are none.
    """
    mode = resolve_mode(mode)
    if mode == "off":
        return ""
    wandb = importlib.import_module("wandb")

    def start(**what: Any) -> Any:
        settings = wandb.Settings(silent=True, init_timeout=START_SECONDS)  # W&B writes into it: each run needs its own
        return wandb.init(project=project, group=name, mode=mode, dir=str(out), settings=settings, **what)

    for result in results:
        if result.status == "ok":
            _log_run(start, result)
    run = start(name=f"{name} report", job_type="report")
    table = results_table(results)
    rows = table.astype(object).where(table.notna(), None).to_numpy().tolist()
    run.log({"results": wandb.Table(columns=list(table.columns), data=rows)})
    if (out / "report.html").exists():
        artifact = wandb.Artifact(f"{name}-report", type="report")
        artifact.add_file(str(out / "report.html"))
        run.log_artifact(artifact)
    for picture in sorted(out.glob("*.png")):
        run.log({picture.stem: wandb.Image(str(picture))})
    run.summary.update({"runs": len(results), "failed": sum(result.status == "failed" for result in results)})
    run.finish()
    return f"W&B: wandb sync {out}/wandb/offline-*" if mode == "offline" else f"W&B: group {name} of project {project}"


def _log_run(start: Callable[..., Any], result: Result) -> None:
    """One result as a run that a second call finds again by the result's key."""
    one = record(result)
    tags = [tag(text) for text in (result.checkpoint, result.task, result.protocol)]
    config = {**one.settings, "config": result.details.get("config")}
    run = start(name=one.name, id=result.key[:32], job_type="run", tags=tags, config=config)
    for step, point in enumerate(one.points):
        run.log(point, step=step)
    run.summary.update(closing_figures(result))
    run.finish()
