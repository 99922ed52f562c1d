"""A progress bar for one training phase."""

import sys
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from mmbnft.host import HOOKS, Hook, master_only
from mmbnft.utils.errors import UserError

_NARROW = 80  # columns of a terminal in which every part has its least width


class _Left(TimeRemainingColumn):
    """The remaining time; nothing where all is done, which is not the end of the run."""

    def render(self, task: Task) -> Text:
        return Text("") if task.finished else Text("left ") + super().render(task)


def progress_bar(disable: bool = False) -> Progress:
    """The one look of progress in this project: label, bar, count, note and remaining time, on standard error.

    A line is as wide as the terminal at most: label and note are cut, the bar never. Where standard error is no
    terminal nothing is drawn; what `report` prints is all there is.
    """
    console = Console(file=sys.stderr)
    third = max(0, console.width - _NARROW) // 3
    return Progress(
        TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", max_width=20 + third)),
        BarColumn(bar_width=10 + third),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis", max_width=18 + third)),
        TimeElapsedColumn(),
        _Left(),
        console=console,
        disable=disable or not console.is_terminal,
    )


def report(bar: Progress, line: str) -> None:
    """Print one line above the bar, or alone where standard error is no terminal."""
    bar.console.print(line, soft_wrap=True, highlight=False, markup=False)


@HOOKS.register_module()
class ProgressHook(Hook):
    """Shows steps done, images per second, remaining time and loss.

    Args:
        label: Text before the bar.
    """

    PRIORITY = "VERY_LOW"

    def __init__(self, label: str = "training") -> None:
        if not isinstance(label, str):
            raise UserError(f"label of ProgressHook must be text, got {label!r}")
        self.label = label
        self._bar: Progress | None = None

    @master_only
    def before_run(self, runner: Any) -> None:
        """Open the bar; the one of a phase that broke off, if any, ends."""
        self.close()
        self._bar = progress_bar()
        self._task = self._bar.add_task(self.label, total=runner.max_iters, completed=runner.iter, note="")
        self._images = 0
        self._bar.start()

    @master_only
    def after_train_iter(self, runner: Any) -> None:
        """Advance by one step."""
        assert self._bar is not None
        self._images += runner.outputs["num_samples"]
        elapsed = self._bar.tasks[self._task].elapsed or 1e-9
        note = f"{self._images / elapsed:,.0f} images/s, loss {runner.outputs['log_vars']['loss']:.3f}"
        self._bar.update(self._task, completed=runner.iter + 1, total=runner.max_iters, note=note)

    @master_only
    def after_run(self, runner: Any) -> None:
        """Close the bar."""
        self.close()

    def close(self) -> None:
        """Close the bar, also when the run broke off."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
