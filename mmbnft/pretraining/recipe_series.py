"""What the command pretrain does: several recipes one after the other, with progress; or one evaluation."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mmbnft.pretraining import checkpoint_folder
from mmbnft.pretraining.photographs import read_images
from mmbnft.pretraining.quality import read_labelled
from mmbnft.pretraining.recipes import read_recipe
from mmbnft.pretraining.training import pretrain as train
from mmbnft.utils.errors import UserError


def pretrain(
    configs: Sequence[Path],
    data: Path,
    out: Path,
    work_dir: Path,
    epochs: int | None = None,
    workers: int = 0,
    resume: bool = False,
) -> None:
    """Pre-train every configuration and store its checkpoint.

    Args:
        configs: Configuration files.
        data: Array file or Caltech-101 folder.
        out: Folder of checkpoints, records and catalogue; its name begins the ids.
        work_dir: Folder in which every recipe keeps its state while it is unfinished.
        epochs: Replaces the epochs of the configurations.
        workers: Processes that load pictures.
        resume: Skip what is finished and continue what is not.

    Raises:
        UserError: No configuration, a bad one, bad pictures, or a run that cannot go on.
    """
    if not configs:
        raise UserError("no configuration given; name files of configs/pretrain or use --all")
    if workers < 0:
        raise UserError(f"--workers must be 0 or more, got {workers}")
    recipes = [read_recipe(path, epochs, out.resolve().name) for path in configs]
    sets = {size: read_images(data, size) for size in {recipe.picture_size for recipe in recipes}}
    console = Console(stderr=True)
    for recipe in recipes:
        images = sets[recipe.picture_size]
        if resume and checkpoint_folder.is_finished(out, recipe, images):
            console.print(f"{recipe.id}: already done")
            continue
        with _progress(console, recipe.id) as report:
            trained = train(recipe, images, work_dir / recipe.id, workers, resume, report)
        path = checkpoint_folder.store(out, recipe, images, trained, workers)
        console.print(f"{recipe.id}: loss {trained.losses[-1]:.3f}, {trained.wall_seconds:.0f} s, {path.name}")


def evaluate(folder: Path, tasks: Sequence[Path], splits: int, inits: int) -> str:
    """Measure every checkpoint of `folder` on held-out tasks and return the table as Markdown.

    Args:
        folder: Folder of small checkpoints.
        tasks: Array files.
        splits: Divisions of each task.
        inits: Random networks to compare with.

    Raises:
        UserError: No task, a bad one, or no checkpoints.
    """
    if not tasks:
        raise UserError("--evaluate needs --task FILE.npz with the arrays `images` and `labels`")
    if splits < 1 or inits < 1:
        raise UserError(f"--splits and --inits must be at least 1, got {splits} and {inits}")
    checkpoint_folder.records(folder)  # refuse an empty folder before the progress bar starts
    read = [read_labelled(path) for path in tasks]
    with _progress(Console(stderr=True), "networks") as report:
        return checkpoint_folder.markdown(checkpoint_folder.evaluate(folder, read, splits, inits, report))


@contextmanager
def _progress(console: Console, name: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar with the remaining time."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(name, total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)
