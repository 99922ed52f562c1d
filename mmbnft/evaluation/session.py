"""The state of an unfinished run on disk, so that a killed one continues."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import torch

from mmbnft.evaluation.training.epochs import Position
from mmbnft.utils import files
from mmbnft.utils.errors import UserError

# Share of a training's time that writing its state may take; a small network's epoch takes less than the writing.
SAVING_SHARE = 0.05


def state_path(work_dir: Path, key: str) -> Path:
    """Where the state of the run with this content hash is; every run has a file of its own."""
    return work_dir / f"resume-{key[:16]}.pth"


class Session:
    """Trials finished so far and the position of the training under way.

    Attributes:
        search: One entry for each finished trial.
        seconds_before: Seconds spent before this session, in the sessions it continues.
    """

    def __init__(self, path: Path, keep: bool) -> None:
        self.path, self.keep = path, keep
        self.search: list[dict[str, Any]] = []
        self.seconds_before = 0.0
        self._label: str | None = None
        self._position: Position | None = None
        self._started = time.perf_counter()
        self._due = self._started

    @classmethod
    def open(cls, work_dir: Path, key: str, resume: bool, keep: bool) -> "Session":
        """Open a session.

        Args:
            work_dir: Holds the state file.
            key: Content hash of the run.
            resume: Whether to read the state, if there is one.
            keep: Whether to write states.

        Raises:
            UserError: The state is damaged, or the folder cannot be written.
        """
        session = cls(state_path(work_dir, key), keep)
        if keep:
            files.check_writable(work_dir)
        if resume and session.path.exists():
            session._read()
        return session

    def _read(self) -> None:
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged file
            raise UserError(
                f"{self.path} cannot be read ({error}); delete it, or use --restart, to start over"
            ) from error
        self.search = state["search"]
        self.seconds_before = state["seconds"]
        self._label = state["label"]
        self._position = Position(**state["position"]) if state["position"] is not None else None

    def position(self, label: str) -> Position:
        """Where the training called `label` stands: the saved position, or the beginning."""
        if self._label == label and self._position is not None:
            position, self._position = self._position, None
            return position
        return Position()

    def save(self, label: str, position: Position) -> None:
        """Write the state of the training called `label`, unless the last one is too recent for `SAVING_SHARE`."""
        if time.perf_counter() < self._due:
            return
        self._write(label, {f.name: getattr(position, f.name) for f in dataclasses.fields(position)})

    def finish_trial(self, entry: dict[str, Any]) -> None:
        """Record a finished trial of the search."""
        self.search.append(entry)
        if self.keep:
            self._write(None, None)

    def _write(self, label: str | None, position: dict[str, Any] | None) -> None:
        state = {
            "search": self.search,
            "seconds": self.seconds_before + time.perf_counter() - self._started,
            "label": label,
            "position": position,
        }
        begun = time.perf_counter()
        files.write_with(self.path, lambda stream: torch.save(state, stream))
        ended = time.perf_counter()
        self._due = ended + (ended - begun) / SAVING_SHARE


def discard_state(work_dir: Path, key: str) -> None:
    """Remove the state of a run, whose result has been written.

    Args:
        work_dir: Holds the state.
        key: Content hash of the run.
    """
    state_path(work_dir, key).unlink(missing_ok=True)
