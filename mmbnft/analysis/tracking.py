"""An analysis in trackers: its tables, figures and page."""

import importlib
from pathlib import Path
from typing import Any

import pandas as pd

from mmbnft.analysis.figures import as_svg
from mmbnft.analysis.report import Analysis
from mmbnft.hooks.wandb_hook import START_SECONDS


def to_wandb(analysis: Analysis, page: Path, mode: str, project: str) -> str:
    """Log tables, figures and the page as one run of job type `analysis`.

    Args:
        analysis: What to log.
        page: Its page, as written.
        mode: `online` or `offline`.
        project: W&B project.

    Returns:
        A sentence on where the run is.
    """
    wandb = importlib.import_module("wandb")
    settings = wandb.Settings(silent=True, init_timeout=START_SECONDS)
    run = wandb.init(
        project=project, name=page.parent.name, job_type="analysis", mode=mode, dir=str(page.parent), settings=settings
    )
    logged: dict[str, Any] = {
        part.name: wandb.Table(columns=list(part.table.columns), data=_rows(part.table), allow_mixed_types=True)
        for part in analysis.parts
        if len(part.table)
    }
    logged |= {f"figure/{name}": wandb.Html(as_svg(figure)) for name, figure in analysis.figures.items()}
    run.log(logged)
    artifact = wandb.Artifact("analysis", type="analysis")
    artifact.add_file(str(page))
    run.log_artifact(artifact)
    run.finish()
    where = f"wandb sync {page.parent}/wandb/offline-*" if mode == "offline" else f"project {project}"
    return f"W&B: {where}"


def _rows(table: pd.DataFrame) -> list[list[Any]]:
    plain: list[list[Any]] = table.astype(object).where(table.notna(), None).to_numpy().tolist()
    return plain


def to_tensorboard(analysis: Analysis, folder: Path) -> str:
    """Write tables as text and figures as images.

    Args:
        analysis: What to write.
        folder: Of the event files.

    Returns:
        The command that shows them.
    """
    writer = importlib.import_module("torch.utils.tensorboard").SummaryWriter(str(folder))
    for part in analysis.parts:
        if len(part.table):
            head = "|" + "|".join(part.head) + "|\n|" + "---|" * len(part.head)
            rows = "\n".join("|" + "|".join(row) + "|" for row in part.rows)
            writer.add_text(part.name, f"{part.text}\n\n{head}\n{rows}")
    for name, figure in analysis.figures.items():
        writer.add_figure(f"analysis/{name}", figure)
    writer.close()
    return f"TensorBoard: tensorboard --logdir {folder}"
