"""A grid's own run in Weights & Biases: the table of its results, and its report."""

import importlib
from collections.abc import Sequence
from pathlib import Path

from mmbnft.hooks.wandb_hook import START_SECONDS, resolve_mode
from mmbnft.results import Result, results_table


def log_grid(name: str, results: Sequence[Result], out: Path, mode: str, project: str = "mmbnft") -> str:
    """Log a finished grid as one run of the group that has its name.

    Args:
        name: Of the grid.
        results: Its results, failed ones included.
        out: Its folder; a `report.html` there becomes an artifact.
        mode: `auto`, `online`, `offline` or `off`.
        project: W&B project.

    Returns:
        A sentence on where the run is, "" if there is none.

    Raises:
        UserError: The mode is unknown, or `online` is asked for without an account.
    """
    mode = resolve_mode(mode)
    if mode == "off":
        return ""
    wandb = importlib.import_module("wandb")
    settings = wandb.Settings(silent=True, init_timeout=START_SECONDS)
    run = wandb.init(
        project=project,
        name=f"{name} report",
        group=name,
        job_type="report",
        mode=mode,
        dir=str(out),
        settings=settings,
    )
    table = results_table(results)
    rows = table.astype(object).where(table.notna(), None).to_numpy().tolist()
    run.log({"results": wandb.Table(columns=list(table.columns), data=rows)})
    if (out / "report.html").exists():
        artifact = wandb.Artifact(f"{name}-report", type="report")
        artifact.add_file(str(out / "report.html"))
        run.log_artifact(artifact)
    run.summary.update({"runs": len(results), "failed": sum(result.status == "failed" for result in results)})
    folder = Path(run.dir).parent
    run.finish()
    return f"W&B: wandb sync {folder}" if mode == "offline" else f"W&B: group {name} of project {project}"
