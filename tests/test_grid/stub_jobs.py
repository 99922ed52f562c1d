"""Jobs that worker processes execute in no time, for what an executor does with them; started alone, a grid of some.

python tests/test_grid/stub_jobs.py FOLDER ACTION ...
"""

import multiprocessing
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from mmbnft.grid.executors import LocalExecutor
from mmbnft.grid.store import ResultStore
from mmbnft.grid.worker import WorkSettings
from mmbnft.results import Result
from mmbnft.utils.errors import MachineError
from mmbnft.utils.files import sha256_json


@dataclass(frozen=True)
class StubJob:
    checkpoint: str
    action: str = ""
    task: str = "t"
    protocol: str = "linear"
    group: str = "g"
    precision: str = "float32"

    @property
    def key(self):
        return sha256_json([self.checkpoint, self.task])

    @property
    def label(self):
        return f"{self.checkpoint} {self.task}"

    @property
    def names(self):
        return {"checkpoint": self.checkpoint, "task": self.task, "protocol": self.protocol, "recipe": "r"}

    @property
    def config(self):
        return {"checkpoint": self.checkpoint}

    def execute(self, how):
        details = getattr(self, f"_{self.action}", dict)() or {}
        return self._result(status="ok", value=50.0, details=details | {"pid": os.getpid()})

    def failed(self, kind, reason, trace=""):
        return self._result(status="failed", value=None, kind=kind, reason=reason)

    def _result(self, **changes):
        return Result(self.checkpoint, self.task, self.protocol, "r", 0, 0, self.key, metric="top1", **changes)

    def _threads(self):
        return {"threads": torch.get_num_threads()}

    def _start_a_process(self):
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(0,))
        child.start()
        child.join()

    def _lack(self):
        raise MachineError("the device has gone")

    def _break(self):
        raise RuntimeError("CUDA error: device-side assert triggered")

    def _die(self):
        os._exit(3)

    def _sleep(self):
        Path(f"{self.checkpoint}.pid").write_text(str(os.getpid()))
        time.sleep(600)

    def _compute(self):
        Path(f"{self.checkpoint}.pid").write_text(str(os.getpid()))
        end = time.monotonic() + 60
        while time.monotonic() < end:
            pass


if __name__ == "__main__":
    folder, actions = Path(sys.argv[1]), sys.argv[2:]
    os.chdir(folder)
    sys.modules["stub_jobs"] = sys.modules["__main__"]
    StubJob.__module__ = "stub_jobs"
    jobs = [StubJob(f"c{number}", action) for number, action in enumerate(actions)]
    LocalExecutor(len(jobs)).execute(jobs, ResultStore(folder), WorkSettings(folder), lambda job, done: None)
