"""What determines the episodes of a few-shot problem."""

from dataclasses import dataclass, fields
from typing import Any

from mmbnft.utils.errors import UserError, choices

POOLS = ("all", "train", "val", "test", "trainval")
SMALL_CLASSES = ("refuse", "exclude")


@dataclass(frozen=True)
class EpisodeSettings:
    """What determines the episodes drawn from a task.

    Attributes:
        n_way: Classes of an episode.
        k_shot: Support images of each class.
        queries: Query images of each class.
        episodes: Number of test episodes.
        validation: Number of episodes to choose on, drawn from other classes or other images than the test episodes.
        seed: Seed of the draw.
        pool: Which images of the task: one of its splits, `trainval`, or `all`.
        small_classes: What to do about classes with too few images: `refuse` the task, or `exclude` them.
        disjoint: Whether no image may occur in two episodes. Otherwise images repeat between episodes, never within
            one, as in the published protocols; intervals over such episodes are too narrow for statements about other
            images (Agarwal et al., arXiv 2409.02850).

    Raises:
        UserError: A value is out of range.
    """

    n_way: int = 5
    k_shot: int = 5
    queries: int = 15
    episodes: int = 600
    validation: int = 0
    seed: int = 0
    pool: str = "all"
    small_classes: str = "refuse"
    disjoint: bool = False

    def __post_init__(self) -> None:
        """Refuse what no manifest could hold."""
        least = {"n_way": 2, "k_shot": 1, "queries": 1, "episodes": 2, "validation": 0, "seed": 0}
        for name, smallest in least.items():
            value = getattr(self, name)
            if type(value) is not int or value < smallest:
                raise UserError(f"{name} of episodes must be a whole number from {smallest}, got {value!r}")
        for name, allowed in (("pool", POOLS), ("small_classes", SMALL_CLASSES)):
            if getattr(self, name) not in allowed:
                raise UserError(f"{name} of episodes must be one of {choices(allowed)}, got {getattr(self, name)!r}")
        if not isinstance(self.disjoint, bool):
            raise UserError(f"disjoint of episodes must be true or false, got {self.disjoint!r}")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "EpisodeSettings":
        """Build from a configuration.

        Raises:
            UserError: A setting is unknown or out of range.
        """
        known = {entry.name for entry in fields(cls)}
        if set(config) - known:
            raise UserError(f"unknown settings of episodes {choices(set(config) - known)}; allowed: {choices(known)}")
        return cls(**config)

    @property
    def name(self) -> str:
        """Way and shot, as in the names of results: `5way-1shot`."""
        return f"{self.n_way}way-{self.k_shot}shot"

    @property
    def per_class(self) -> int:
        """Images that an episode takes of each of its classes."""
        return self.k_shot + self.queries
