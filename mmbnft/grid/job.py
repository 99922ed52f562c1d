"""What the grid knows of the work it plans: a job, and how it is to be executed."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch

from mmbnft.recipes.recipe import Recipe
from mmbnft.results import Coordinates, Result


@dataclass(frozen=True)
class Execution:
    """How a job is executed; results do not depend on it (but see `accumulation`).

    Attributes:
        work_dir: Folder of the grid: for what hooks write.
        device: Where to compute.
        accumulation: Micro-batches in which a batch is computed, above 1 where memory has not held a whole one; the
            result says so.
        loaders: Data-loading processes.
        keep_weights: Whether the result is to bring the weights of its network, where it has one.
        val_interval: Epochs between two evaluations on val for the curve, see `RunOptions`.
    """

    work_dir: Path
    device: torch.device
    accumulation: int = 1
    loaders: int = 0
    keep_weights: bool = False
    val_interval: int = 0

    @property
    def cache(self) -> Path:
        """Folder for decoded images and features, which jobs share."""
        return self.work_dir / "cache"


class Located(Protocol):
    """A job or a result."""

    @property
    def checkpoint(self) -> str:
        """The checkpoint as results name it."""

    @property
    def task(self) -> str:
        """Name of its task."""

    @property
    def protocol(self) -> str:
        """Name of its protocol, as results have it."""


class Job(Located, Protocol):
    """One planned run, or one planned set of episodes; pickled on its way to a worker.

    It holds all that is needed to execute it, and nothing that was read to plan it: a worker reads tasks and weights
    for itself, and keeps them between the jobs of one `group`.
    """

    @property
    def key(self) -> str:
        """Hex content hash of everything that determines its result."""

    @property
    def names(self) -> dict[str, str]:
        """What its result is called: `checkpoint`, `task`, `protocol` and `recipe`."""

    @property
    def label(self) -> str:
        """Short text for progress and tables; unique within a plan."""

    @property
    def group(self) -> str:
        """Jobs of one group share work that a process does once; a worker takes them one after the other."""

    @property
    def precision(self) -> str:
        """`float32`, or `bfloat16` where it needs a GPU."""

    @property
    def config(self) -> dict[str, Any]:
        """Everything it is made of, as results hold it; jobs that differ in nothing but `SAME_COST` cost the same."""

    def execute(self, how: Execution) -> Result:
        """Compute the result.

        Raises:
            UserError: Something asked for is wrong, or the machine lacks something (`MachineError`).
        """

    def failed(self, kind: str, reason: str, trace: str = "") -> Result:
        """The record of a job that did not come to an end.

        Args:
            kind: One of `FAILURE_KINDS`.
            reason: One sentence.
            trace: Traceback of an unexpected error.
        """


class Spec(Protocol):
    """What a planned job runs."""

    @property
    def checkpoint_name(self) -> str:
        """The checkpoint as results name it."""

    @property
    def recipe(self) -> Recipe:
        """Its settings."""


S = TypeVar("S", bound=Spec)


@dataclass(frozen=True)
class PlannedJob(ABC, Generic[S]):
    """What every `Job` of a plan has.

    Attributes:
        spec: What to run.
        key: Hex content hash of everything that determines its result.
        task: Name of its task.
    """

    spec: S
    key: str
    task: str

    @property
    @abstractmethod
    def protocol(self) -> str:
        """Name of its protocol."""

    @property
    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Everything it is made of."""

    @property
    @abstractmethod
    def coordinates(self) -> Coordinates:
        """What its result is a result of."""

    @property
    def checkpoint(self) -> str:
        """The checkpoint as results name it."""
        return self.spec.checkpoint_name

    @property
    def names(self) -> dict[str, str]:
        """What its result is called."""
        recipe = self.spec.recipe.name
        return {"checkpoint": self.checkpoint, "task": self.task, "protocol": self.protocol, "recipe": recipe}

    def failed(self, kind: str, reason: str, trace: str = "") -> Result:
        """The record of a job that did not come to an end."""
        return self.coordinates.failed(kind, reason, {"config": self.config} | ({"traceback": trace} if trace else {}))


# Settings in which jobs may differ that cost the same.
SAME_COST = ("checkpoint", "split", "seed", "allow_partial")
