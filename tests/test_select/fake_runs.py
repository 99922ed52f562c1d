"""Runs of a selection whose results are known beforehand, and an executor that gives them without training."""

from dataclasses import dataclass, field

import numpy as np

from mmbnft.grid.worker import work
from mmbnft.results import Result
from mmbnft.utils.files import sha256_json


@dataclass(frozen=True)
class FakeRun:
    """A job that takes as long as it is long and shows its value."""

    checkpoint: str
    protocol: str
    value: float | None
    share: float = 1.0
    seed: int = 0
    evaluated_on: str = "val"
    search: tuple = ()
    task: str = "fake"
    group: str = "g"
    precision: str = "float32"

    @property
    def key(self):
        return sha256_json([self.checkpoint, self.protocol, self.share, self.seed, self.evaluated_on])

    @property
    def label(self):
        return f"{self.checkpoint} {self.protocol} {self.share:.2f} {self.evaluated_on}"

    @property
    def names(self):
        return {"checkpoint": self.checkpoint, "task": self.task, "protocol": self.protocol, "recipe": "r"}

    @property
    def config(self):
        return {"checkpoint": self.checkpoint}

    def execute(self, how):
        if self.value is None:
            return self.failed("bug", "it broke")
        cost = {"seconds": 100 * self.share if self.protocol == "finetune" else 1.0}
        return self._result(
            status="ok", value=self.value, cost=cost, details={"search": [{"trial": 0, "val": self.value}]}
        )

    def failed(self, kind, reason, trace=""):
        return self._result(status="failed", value=None, kind=kind, reason=reason)

    def _result(self, **changes):
        return Result(self.checkpoint, self.task, self.protocol, "r", 0, self.seed, self.key, metric="top1",
                      evaluated_on=self.evaluated_on, **changes)  # fmt: skip


@dataclass
class FakeRuns:
    """As `RaceRuns`: checkpoint n truly reaches truth[n]; those of `broken` cannot be trained."""

    truth: np.ndarray
    broken: tuple[int, ...] = ()
    noise: float = 0.3
    shares: tuple[float, ...] = (1 / 27, 1 / 9, 1 / 3, 1.0)
    task: str = "fake"
    target: str = "finetune"
    val_images: int = 100_000
    rungs: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)

    @property
    def checkpoints(self):
        return tuple(f"c{n}" for n in range(len(self.truth)))

    @property
    def proxies(self):
        rng = np.random.default_rng(0)
        values = self.truth + rng.standard_normal(len(self.truth))
        return {"linear": tuple(FakeRun(f"c{n}", "linear", float(v)) for n, v in enumerate(values))}

    def training(self, checkpoint, share, seed):
        rng = np.random.default_rng([checkpoint, round(1000 * share), seed])
        value = self.truth[checkpoint] - 4 * (1 - share) + self.noise * rng.standard_normal()
        return FakeRun(f"c{checkpoint}", self.target, None if checkpoint in self.broken else float(value), share, seed)

    def final(self, checkpoint, whole):
        self.asked.append((checkpoint, whole))
        return FakeRun(f"c{checkpoint}", self.target, float(self.truth[checkpoint]), evaluated_on="test")


class HereExecutor:
    """Executes jobs in this process; after `until` of them it is interrupted."""

    def __init__(self, until=None):
        self.until, self.executed = until, []

    def check_device(self, device, jobs=()):
        pass

    def execute(self, jobs, store, settings, finished):
        for job in jobs:
            if self.until is not None and len(self.executed) >= self.until:
                raise KeyboardInterrupt
            finished(job, work(job, store, settings))
            self.executed.append(job)
