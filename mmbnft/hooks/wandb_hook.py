"""Weights & Biases: offline unless asked for online, never required, and never what a run dies of."""

import importlib
import netrc
import os
import sys
import urllib.parse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmbnft.host import HOOKS, LoggerHook, master_only
from mmbnft.utils.errors import UserError, choices

MODES = ("auto", "online", "offline", "off")
# W&B's own words for the modes, in its variable WANDB_MODE.
ASKED_FOR = {"online": "online", "shared": "online", "disabled": "off", "dryrun": "offline"}
_TAG = 64  # characters that W&B allows in a tag
START_SECONDS = 30  # how long the start of a run waits for the network


def resolve_mode(mode: str) -> str:
    """What a mode means here. `auto` is `offline`, unless the variable WANDB_MODE asks for something else.

    Being logged in does not mean that this run may be uploaded: that has to be asked for.

    Args:
        mode: `auto`, `online`, `offline` or `off`.

    Raises:
        UserError: The mode is unknown, or `online` is asked for without an account.
    """
    if mode not in MODES:
        raise UserError(f"unknown W&B mode {mode!r}; allowed: {choices(MODES)}")
    found = ASKED_FOR.get(os.environ.get("WANDB_MODE", ""), "offline") if mode == "auto" else mode
    if found == "online" and not _has_account():
        raise UserError(
            "W&B is to log online but no account is set up here; run `wandb login` or set WANDB_API_KEY, or use "
            "--wandb offline and `wandb sync` later"
        )
    return found


def tag(text: str) -> str:
    """A text as a tag of W&B, which allows so many characters."""
    return text[:_TAG]


def _has_account() -> bool:
    """Whether `wandb login` left a key: in the environment or in the netrc file. Asks nobody and no network."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
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
        mode: `auto` (see `resolve_mode`), `online`, `offline` (files under `folder`, `wandb sync` sends them later) or
            `off`. Where the network or W&B itself fails, the run goes on offline, or without it.
        folder: Where W&B writes; the runner's work dir if None.
        config: Stored with the run.
        interval: Steps between two log entries.
        finish: Whether the end of the runner's run ends the W&B run. A protocol of several phases keeps it open and
            calls `close()` itself.
        group: W&B's group of runs, e.g. the name of a grid.
        tags: W&B's tags, e.g. checkpoint and protocol.

    Raises:
        UserError: An argument is out of range, or `online` is asked for without an account.
    """

    PRIORITY = "VERY_LOW"

    def __init__(
        self,
        project: str = "mmbnft",
        name: str | None = None,
        mode: str = "auto",
        folder: str | None = None,
        config: dict[str, Any] | None = None,
        interval: int = 10,
        finish: bool = True,
        group: str | None = None,
        tags: Sequence[str] = (),
    ) -> None:
        if not isinstance(interval, int) or interval < 1:
            raise UserError(f"interval of BnftWandbHook must be a whole number from 1, got {interval!r}")
        super().__init__(interval=interval, ignore_last=False)
        self.project, self.name, self.mode = project, name, resolve_mode(mode)
        self.folder, self.config, self.finish = folder, config, finish
        self.group, self.tags = group, tuple(map(tag, tags))
        self._run: Any = None
        self._steps_before, self._trainings = 0, 0

    @master_only
    def before_run(self, runner: Any) -> None:
        """Open the W&B run, once."""
        super().before_run(runner)
        self._trainings += 1
        if self.mode == "off" or self._run is not None:
            return
        folder = Path(self.folder or runner.work_dir)
        if self.mode == "online" and not self._attempt("start online", lambda: self._open(folder, "online")):
            self.mode = "offline"
        if self._run is None and not self._attempt("start", lambda: self._open(folder, "offline")):
            self.mode = "off"

    def _open(self, folder: Path, mode: str) -> None:
        wandb = importlib.import_module("wandb")
        folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=self.project,
            name=self.name,
            mode=mode,
            dir=str(folder),
            config=self.config,
            group=self.group,
            job_type="run",
            tags=self.tags,
            settings=wandb.Settings(silent=True, init_timeout=START_SECONDS),
        )

    def _attempt(self, what: str, call: Callable[[], object]) -> bool:
        """Whether a call of W&B worked; one that did not is one warning, since a run must not die of its tracker."""
        try:
            call()
        except Exception as error:  # W&B raises its own kinds, those of its service, and those of the network
            after = {"start online": "; this run is kept offline, `wandb sync` sends it later", "close": ""}
            reason = (str(error) or type(error).__name__).splitlines()[0]
            sys.stderr.write(
                f"warning: W&B did not {what} ({reason}){after.get(what, '; this run continues without it')}\n"
            )
            return False
        return True

    @master_only
    def log(self, runner: Any) -> None:
        """Send what the log buffer holds."""
        tags = self.get_loggable_tags(runner) | {"training": self._trainings}
        run, step = self._run, self._steps_before + self.get_iter(runner)
        if run is not None and len(tags) > 1 and not self._attempt("log", lambda: run.log(tags, step=step)):
            self._run, self.mode = None, "off"

    @master_only
    def after_run(self, runner: Any) -> None:
        """Count the steps of the phase; end the W&B run if it ends with the runner's."""
        self._steps_before += runner.iter
        if self.finish:
            self.close()

    @master_only
    def close(self, summary: dict[str, Any] | None = None) -> None:
        """End the W&B run, with `summary` as its closing figures; harmless if there is none, and never an error."""
        run, self._run = self._run, None
        if run is not None and self._attempt("close", lambda: run.summary.update(summary or {})):
            self._attempt("close", run.finish)
