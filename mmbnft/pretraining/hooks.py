"""Runner hooks of pre-training, one concern each."""

import math
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from mmbnft.host import HOOKS, EpochBasedRunner, Hook, SwAVHook
from mmbnft.utils import files
from mmbnft.utils.errors import UserError


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators, which the host draws from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


class EpochSeedHook(Hook):
    """Seeds every generator at the start of an epoch, so that a resumed run continues like an uninterrupted one.

    Args:
        seed: Seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def before_train_epoch(self, runner: EpochBasedRunner) -> None:
        """Seed by run and epoch, and tell the sampler the epoch."""
        seed_everything(int(np.random.SeedSequence((self.seed, runner.epoch)).generate_state(1)[0]))
        runner.data_loader.sampler.set_epoch(runner.epoch)


class LossCurveHook(Hook):
    """Keeps the mean loss, the wall time and the processor time of every epoch.

    Attributes:
        losses: Mean loss per finished epoch.
        wall_seconds: Wall time per finished epoch.
        cpu_seconds: Processor time of this process per finished epoch.
    """

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.wall_seconds: list[float] = []
        self.cpu_seconds: list[float] = []
        self._batch: list[float] = []
        self._started = (0.0, 0.0)

    def before_train_epoch(self, runner: EpochBasedRunner) -> None:
        """Start the clocks."""
        self._batch = []
        self._started = (time.perf_counter(), time.process_time())

    def after_train_iter(self, runner: EpochBasedRunner) -> None:
        """Collect the loss of one batch.

        Raises:
            UserError: The loss is not finite.
        """
        loss = float(runner.outputs["log_vars"]["loss"])
        if not math.isfinite(loss):
            raise UserError(
                f"the loss became {loss} in epoch {runner.epoch + 1}, iteration {runner.inner_iter + 1}; "
                "lower optimizer.lr in the configuration and start over"
            )
        self._batch.append(loss)

    def after_train_epoch(self, runner: EpochBasedRunner) -> None:
        """Close the epoch."""
        self.losses.append(sum(self._batch) / len(self._batch))
        self.wall_seconds.append(time.perf_counter() - self._started[0])
        self.cpu_seconds.append(time.process_time() - self._started[1])


@HOOKS.register_module()
class BnftEqualStartHook(Hook):
    """Lets MoCo's key network start as a copy of its query network, as in the paper.

    The host copies the weights when it builds the model, but its `init_weights` then draws both networks anew, so that
    the first keys would come from an unrelated network.
    """

    def before_run(self, runner: EpochBasedRunner) -> None:
        """Copy parameters and statistics."""
        algorithm = runner.model.module
        algorithm.encoder_k.load_state_dict(algorithm.encoder_q.state_dict(), strict=True)


class ProgressHook(Hook):
    """Reports progress.

    Args:
        report: Called with the number of finished iterations and their total.
    """

    def __init__(self, report: Callable[[int, int], None]) -> None:
        self.report = report

    def after_train_iter(self, runner: EpochBasedRunner) -> None:
        """Report one more iteration."""
        self.report(runner.iter + 1, runner.max_iters)


class StateHook(Hook):
    """Saves everything that determines the rest of the run after every epoch, and restores it.

    Besides weights and optimiser this is what the host keeps outside its state dictionaries: memory banks, queues,
    pseudo-labels and the order they impose. Register it with the lowest priority: the host's own hooks must have
    settled (clustering, queues) before it saves, and before it restores over them.

    Args:
        path: State file.
        key: Hash of everything that must be equal for the state to be continued.
        loader: The training loader.
        curve: Hook whose curve belongs to the state.
        resume: Whether to continue from the file if there is one.
    """

    def __init__(self, path: Path, key: str, loader: DataLoader, curve: LossCurveHook, resume: bool) -> None:
        self.path = path
        self.key = key
        self.dataset: Any = loader.dataset
        self.sampler: Any = loader.sampler
        self.curve = curve
        self.resume = resume

    def before_run(self, runner: EpochBasedRunner) -> None:
        """Restore the state, if that was asked for and there is one."""
        if self.resume and self.path.is_file():
            self._restore(runner, read_state(self.path, self.key))

    def after_train_epoch(self, runner: EpochBasedRunner) -> None:
        """Save the state atomically."""
        model = runner.model.module
        state = {
            "key": self.key,
            "epoch": runner.epoch + 1,
            "iter": runner.iter,
            "model": model.state_dict(),
            "optimizer": runner.optimizer.state_dict(),
            "memory": _plain_tensors(model),
            "labels": [int(label) for label in getattr(self.dataset, "clustering_labels", [])],
            "order": [int(i) for i in self.sampler.indices] if self.sampler.unif_sampling_flag else [],
            "curve": [self.curve.losses, self.curve.wall_seconds, self.curve.cpu_seconds],
        }
        files.write_with(self.path, lambda stream: torch.save(state, stream))

    def _restore(self, runner: EpochBasedRunner, state: dict[str, Any]) -> None:
        model = runner.model.module
        model.load_state_dict(state["model"], strict=True)
        runner.optimizer.load_state_dict(state["optimizer"])
        modules = dict(model.named_modules())
        for name, tensors in state["memory"].items():
            for attribute, tensor in tensors.items():
                setattr(modules[name], attribute, tensor)
        for hook in runner.hooks:
            if isinstance(hook, SwAVHook):  # it keeps the queue itself, and hands it to the head every epoch
                hook.queue = state["memory"].get("head", {}).get("queue")
        if state["labels"]:
            self.dataset.assign_labels(state["labels"])
        self.sampler.unif_sampling_flag = bool(state["order"])
        if state["order"]:
            self.sampler.indices = state["order"]
        self.curve.losses, self.curve.wall_seconds, self.curve.cpu_seconds = state["curve"]
        runner._epoch, runner._iter = state["epoch"], state["iter"]


def read_state(path: Path, key: str) -> dict[str, Any]:
    """Read a state file.

    Raises:
        UserError: The file is damaged or belongs to another configuration, other pictures or other settings.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen kinds for a damaged file
        raise UserError(f"{path} is damaged ({type(error).__name__}); delete it and start over") from error
    if not isinstance(state, dict) or state.get("key") != key:
        raise UserError(
            f"{path} belongs to another configuration, other pictures or other settings; "
            "run without --resume to start over"
        )
    return state


def _plain_tensors(model: torch.nn.Module) -> dict[str, dict[str, torch.Tensor]]:
    """Tensors the host keeps as plain attributes, outside the state dictionary, by module name and attribute."""
    found = {
        name: {attribute: value for attribute, value in vars(module).items() if isinstance(value, torch.Tensor)}
        for name, module in model.named_modules()
    }
    return {name: tensors for name, tensors in found.items() if tensors}
