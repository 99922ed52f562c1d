"""TensorBoard while a run trains: every training of it, those of the search too, in a folder of its own."""

from pathlib import Path
from typing import Any

from mmbnft.host import HOOKS, TensorboardLoggerHook, master_only


@HOOKS.register_module()
class BnftTensorboardHook(TensorboardLoggerHook):
    """The host's hook, which would draw the curves of all training runs over each other.

    Args:
        folder: Gets `training-1`, `training-2` ..., in the order of search, refit and their phases.
        interval: Steps between two entries.
    """

    def __init__(self, folder: str, interval: int = 10) -> None:
        super().__init__(interval=interval, ignore_last=False)
        self.folder = Path(folder)

    @master_only
    def before_run(self, runner: Any) -> None:
        """Begin the next folder; a continued run leaves those of its earlier sessions."""
        self.log_dir = str(self.folder / f"training-{1 + len(list(self.folder.glob('training-*')))}")
        super().before_run(runner)
