"""Weights & Biases, offline unless the person is logged in or asks, and never required."""

import netrc
import os
import urllib.parse
from pathlib import Path
from typing import Any

import wandb
from mmcv.runner import HOOKS, master_only
from mmcv.runner.hooks import LoggerHook

from mmbnft.utils.errors import UserError, choices

MODES = ("auto", "online", "offline", "off")


def resolve_mode(mode: str) -> str:
    """What `auto` means here: `online` where an account is configured (`wandb login`), else `offline`.

    Raises:
        UserError: The mode is unknown.
    """
    if mode not in MODES:
        raise UserError(f"unknown W&B mode {mode!r}; allowed: {choices(MODES)}")
    if mode != "auto":
        return mode
    return "online" if _has_account() else "offline"


def _has_account() -> bool:
    """Whether `wandb login` left a key: in the environment or in the netrc file. Asks nobody and no network."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urllib.parse.urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname
    try:
        return host in netrc.netrc(os.environ.get("NETRC")).hosts
    except (OSError, netrc.NetrcParseError):
        return False


@HOOKS.register_module()
class BnftWandbHook(LoggerHook):
    """Logs training scalars to Weights & Biases.

    Args:
        project: Project name.
        name: Run name; W&B invents one if None.
        mode: `auto`, `online`, `offline` (files under `folder`, `wandb sync` sends them later) or `off`.
        folder: Where W&B writes; the runner's work dir if None.
        config: Stored with the run.
        interval: Steps between two log entries.
        finish: Whether the end of the runner's run ends the W&B run. A protocol of several phases keeps it open and
            calls `close()` itself.

    Raises:
        UserError: An argument is out of range.
    """

    def __init__(
        self,
        project: str = "mmbnft",
        name: str | None = None,
        mode: str = "auto",
        folder: str | None = None,
        config: dict[str, Any] | None = None,
        interval: int = 10,
        finish: bool = True,
    ) -> None:
        if not isinstance(interval, int) or interval < 1:
            raise UserError(f"interval of BnftWandbHook must be a whole number from 1, got {interval!r}")
        super().__init__(interval=interval, ignore_last=False)
        self.project, self.name, self.mode = project, name, resolve_mode(mode)
        self.folder, self.config, self.finish = folder, config, finish
        self._run: Any = None
        self._steps_before = 0

    @master_only
    def before_run(self, runner: Any) -> None:
        """Open the W&B run, once."""
        super().before_run(runner)
        if self.mode == "off" or self._run is not None:
            return
        folder = Path(self.folder or runner.work_dir)
        folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=self.project,
            name=self.name,
            mode="online" if self.mode == "online" else "offline",
            dir=str(folder),
            config=self.config,
            settings=wandb.Settings(silent=True),
        )

    @master_only
    def log(self, runner: Any) -> None:
        """Send what the log buffer holds."""
        tags = self.get_loggable_tags(runner)
        if self._run is not None and tags:
            self._run.log(tags, step=self._steps_before + self.get_iter(runner))

    @master_only
    def after_run(self, runner: Any) -> None:
        """Count the steps of the phase; end the W&B run if it ends with the runner's."""
        self._steps_before += runner.iter
        if self.finish:
            self.close()

    @master_only
    def close(self, summary: dict[str, Any] | None = None) -> None:
        """End the W&B run, with `summary` as its closing figures."""
        if self._run is not None:
            self._run.summary.update(summary or {})
            self._run.finish()
            self._run = None
