"""Where a run's scalars go besides its result: Weights & Biases, TensorBoard."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmbnft.hooks import BnftWandbHook
from mmbnft.host import Hook, TensorboardLoggerHook
from mmbnft.utils.errors import UserError, choices, meant


@dataclass(frozen=True)
class Tracking:
    """Settings of `tracking = dict(...)` in a configuration.

    Attributes:
        wandb: `auto` (offline, unless the variable WANDB_MODE asks for online), `online`, `offline` or `off`.
        project: W&B project.
        name: W&B run name; W&B invents one if None.
        tensorboard: Whether to write TensorBoard files too.
        interval: Steps between two entries.
    """

    wandb: str = "auto"
    project: str = "mmbnft"
    name: str | None = None
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

    def hooks(self, work_dir: Path, config: dict[str, Any]) -> tuple[Hook, ...]:
        """The hooks that do it.

        Args:
            work_dir: For the files.
            config: Stored with the W&B run.

        Raises:
            UserError: A setting is out of range.
        """
        hooks: list[Hook] = [
            BnftWandbHook(self.project, self.name, self.wandb, str(work_dir), config, self.interval, finish=False)
        ]
        if self.tensorboard:
            hooks.append(TensorboardLoggerHook(log_dir=str(work_dir / "tensorboard"), interval=self.interval))
        return tuple(hooks)
