"""What a run cost: own work and shared work, whoever did it and in whatever order runs were asked for."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mmbnft.utils.disk_cache import DiskCache
from mmbnft.utils.memory import forget_peak_memory, peak_memory


class Stopwatch:
    """Wall time and peak memory of a run from its beginning.

    What the run takes from caches costs it what making that took, also where another run made it; what it spends on
    making entries or waiting for another process to is left out instead. So the cost of a run does not depend on which
    run came first.

    Args:
        device: Where the run computes.
        caches: The run's own objects of the caches it uses.
        seconds_before: Seconds spent in sessions that this one continues.
    """

    def __init__(self, device: torch.device, caches: Sequence[DiskCache] = (), seconds_before: float = 0.0) -> None:
        self.device, self.caches, self.seconds_before = device, tuple(caches), seconds_before
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self._is_own_peak = True
        else:
            self._is_own_peak = forget_peak_memory()
        self._started = time.perf_counter()

    @property
    def shared_seconds(self) -> float:
        """What making the cached entries took that this run used."""
        return sum(seconds for cache in self.caches for seconds in cache.making_seconds.values())

    @property
    def own_seconds(self) -> float:
        """Seconds since the beginning, without those spent on entries of the caches."""
        spent = sum(cache.spent_seconds for cache in self.caches)
        return self.seconds_before + time.perf_counter() - self._started - spent

    @property
    def seconds(self) -> float:
        """Own and shared seconds."""
        return self.own_seconds + self.shared_seconds

    def cost(self, images: int, multiply_adds: int | None = None) -> dict[str, Any]:
        """Cost of the run until now.

        Args:
            images: Images seen in training, or passed once for a score.
            multiply_adds: Multiplications with addition of that, where they were counted.

        Returns:
            `seconds`, of them `shared_seconds`, `images`, `multiply_adds`, `peak_memory_bytes` (on a CPU of the whole
            process, what it held before the run included), `peak_memory_is_bound` (whether it may be a peak from before
            the run, where the system keeps no record of its own for it), `device` and `threads`.
        """
        on_gpu = self.device.type == "cuda"
        return {
            "seconds": self.seconds,
            "shared_seconds": self.shared_seconds,
            "images": images,
            "multiply_adds": multiply_adds,
            "peak_memory_bytes": torch.cuda.max_memory_allocated(self.device) if on_gpu else peak_memory(),
            "peak_memory_is_bound": not self._is_own_peak,
            "device": torch.cuda.get_device_name(self.device) if on_gpu else "cpu",
            "threads": torch.get_num_threads(),
        }


def multiply_adds(compute: Callable[[], object]) -> int:
    """Multiply-adds in the matrix products and convolutions of a computation, backward ones included."""
    with FlopCounterMode(display=False) as counter:
        compute()
    return int(counter.get_total_flops()) // 2


def forward_multiply_adds(backbone: nn.Module, image: Tensor) -> int:
    """Multiply-adds of one image's way through a backbone.

    Args:
        backbone: The backbone; its modes are put back.
        image: (3, H, W), on its device.
    """
    modes = [(module, module.training) for module in backbone.modules()]
    backbone.eval()
    try:
        with torch.no_grad():
            return multiply_adds(lambda: backbone(image[None]))
    finally:
        for module, mode in modes:
            module.training = mode


def step_multiply_adds(model: Any, inputs: Tensor, label: Tensor) -> int:
    """Multiply-adds for each image of a training step of a host algorithm; gradients and statistics are changed.

    Args:
        model: The algorithm in train mode, not wrapped for data parallelism.
        inputs: One image (3, H, W), or its features, on the model's device.
        label: Its label.
    """
    count = 2  # batch statistics of one image may not exist

    def step() -> None:
        batch = {"img": torch.stack([inputs] * count), "label": torch.stack([label] * count)}
        model.train_step(batch, None)["loss"].backward()

    with torch.random.fork_rng(devices=[inputs.device] if inputs.device.type == "cuda" else []):
        counted = multiply_adds(step)
    model.zero_grad(set_to_none=True)
    return counted // count
