"""Where a run's scalars go while it trains: Weights & Biases, TensorBoard."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmbnft.hooks import BnftTensorboardHook, BnftWandbHook
from mmbnft.host import Hook
from mmbnft.utils.errors import UserError, choices, meant


@dataclass(frozen=True)
class Tracking:
    """Settings of `tracking = dict(...)` in a configuration.

    Attributes:
        wandb: `auto` (offline, unless the variable WANDB_MODE asks for online), `online`, `offline` or `off`.
        project: W&B project.
        name: W&B run name; checkpoint, protocol and seed if None.
        group: W&B's group of runs, e.g. the name of a study.
        tensorboard: Whether to write TensorBoard files too, and at the end the run's row of the hparams table.
        interval: Steps between two entries.
    """

    wandb: str = "auto"
    project: str = "mmbnft"
    name: str | None = None
    group: str | None = None
    tensorboard: bool = False
    interval: int = 10

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Tracking":
        """Build from a configuration.

        Raises:
            UserError: A setting is unknown.
        """
        known = {entry.name for entry in dataclasses.fields(cls)}
        unknown = set(config) - known
        if unknown:
            raise UserError(
                f"unknown tracking settings {choices(unknown)}; allowed: {choices(known)}{meant(unknown, known)}"
            )
        return cls(**config)

    def hooks(self, work_dir: Path, config: dict[str, Any], tags: Sequence[str] = ()) -> tuple[Hook, ...]:
        """The hooks that do it.

        Args:
            work_dir: For the files.
            config: Stored with the W&B run.
            tags: What the run is called by where no name is set, and its W&B tags.

        Raises:
            UserError: A setting is out of range.
        """
        hooks: list[Hook] = [
            BnftWandbHook(
                self.project,
                self.name or "/".join(tags) or None,
                self.wandb,
                str(work_dir),
                config,
                self.interval,
                finish=False,
                group=self.group,
                tags=tags,
            )
        ]
        if self.tensorboard:
            hooks.append(BnftTensorboardHook(str(work_dir / "tensorboard"), self.interval))
        return tuple(hooks)
