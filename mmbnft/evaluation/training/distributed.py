"""One run on several processes gives what one process gives with the same global batch."""

import functools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm

from mmbnft.utils.errors import UserError, choices
from mmbnft.utils.processes import Processes

LAUNCHERS = ("none", "pytorch", "slurm")
START = {
    "pytorch": "torchrun --nproc-per-node N tools/train.py",
    "slurm": "srun --ntasks N python tools/train.py",
}
# In messages of torch's process groups when a connection to another process breaks.
LOST_PEER = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "remote process exited")
# What srun calls what torch's process group asks for.
SLURM_NAMES = {"RANK": "SLURM_PROCID", "WORLD_SIZE": "SLURM_NTASKS", "LOCAL_RANK": "SLURM_LOCALID"}


def open_group(launcher: str, device: str) -> tuple[Processes, torch.device]:
    """Open the process group a launcher prepared, for the device that this process computes on.

    The device is settled first: which GPU is this process's own decides between gloo and nccl, and is made torch's
    current one, where nccl and CUDA's own calls would otherwise all take the first.

    Args:
        launcher: `none`, `pytorch` (torchrun) or `slurm` (srun).
        device: `auto`, `cpu`, `cuda` or `cuda:N`.

    Returns:
        The group and this process's device.

    Raises:
        UserError: The launcher is unknown, its environment is missing, or the device is unknown or not there.
    """
    if launcher not in LAUNCHERS:
        raise UserError(f"unknown launcher {launcher!r}; allowed: {choices(LAUNCHERS)}")
    if launcher == "slurm":
        _adopt_slurm()
    chosen = local_device(device)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if launcher == "none":
        return Processes(), chosen
    try:
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    except (KeyError, ValueError, RuntimeError) as error:
        raise _unprepared(launcher, str(error)) from error
    return Processes.current(), chosen


def _unprepared(launcher: str, reason: str) -> UserError:
    return UserError(
        f"launcher {launcher!r} did not prepare this process ({reason}); start it with {START[launcher]} ... "
        f"--launcher {launcher}, or use --launcher none"
    )


def _adopt_slurm() -> None:
    """Give torch's process group the names it asks for, from those that srun sets.

    Raises:
        UserError: This process was not started by srun.
    """
    for name, slurm in SLURM_NAMES.items():
        if slurm not in os.environ:
            raise _unprepared("slurm", f"{slurm} is not set")
        os.environ[name] = os.environ[slurm]
    nodes = os.environ.get("SLURM_STEP_NODELIST") or os.environ.get("SLURM_JOB_NODELIST", "localhost")
    os.environ.setdefault("MASTER_ADDR", first_node(nodes))
    # One port for all processes of a step, and another one for another job on the same node.
    number = int(os.environ.get("SLURM_JOB_ID", "0")) * 16 + int(os.environ.get("SLURM_STEP_ID", "0"))
    os.environ.setdefault("MASTER_PORT", str(20_000 + number % 20_000))
    # Where each task is given its own GPU, that is the only one it sees.
    if torch.cuda.device_count() == 1:
        os.environ["LOCAL_RANK"] = "0"


def first_node(nodes: str) -> str:
    """The first host of a Slurm node list: `gpu[07-09,12],login` gives `gpu07`."""
    found = re.match(r"([^\[,]*)(?:\[(\w+)[^\]]*\]([^,]*))?", nodes)
    return "".join(part or "" for part in found.groups()) if found else nodes


def local_device(device: str) -> torch.device:
    """The device of this process: `auto` is the process's own GPU where there is one, else the CPU.

    Args:
        device: `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        UserError: The device is unknown or not there.
    """
    name = device
    if device in ("auto", "cuda"):
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() or device == "cuda" else "cpu"
    try:
        chosen = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"unknown device {device!r}; allowed: auto, cpu, cuda, cuda:N") from error
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"device {device!r} does not exist: there are {torch.cuda.device_count()} CUDA devices, and this process "
            f"asks for number {chosen.index or 0}; use --device cpu, or start at most one process per GPU"
        )
    return chosen


@contextmanager
def leaving_together(processes: Processes) -> Iterator[None]:
    """Around a shared run: an error on one process ends the others too, instead of leaving them waiting.

    Raises:
        UserError: The block raised it, or another process has ended.
    """
    try:
        yield
    except BaseException as error:
        if processes.count == 1:
            raise
        if dist.get_backend() == "gloo":
            # Closes the connections, which the others notice at once. With nccl, torchrun and srun see to the others.
            dist.destroy_process_group()
        if isinstance(error, RuntimeError) and any(sign in str(error) for sign in LOST_PEER):
            sentence = "another process of this run ended, so this one does too; its own message says why"
            raise UserError(sentence) from error
        raise


class SharedBatches:
    """A runner's `batch_processor` for batches that processes share unevenly.

    The distributed wrapper averages gradients over processes, which is the gradient of the global batch only where
    all shares are equal. Here each share's mean loss counts by its number of images, and so does the logged loss.

    Args:
        optimizer: The phase's optimiser.
        batch_size: Images of a global batch.
        processes: Who shares it.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, batch_size: int, processes: Processes) -> None:
        self.optimizer, self.batch_size, self.processes = optimizer, batch_size, processes

    def __call__(self, model: Any, batch: dict[str, Tensor], train_mode: bool) -> dict[str, Any]:
        """Outputs of the step, its loss weighted for the average over processes that follows."""
        assert train_mode
        outputs: dict[str, Any] = model.train_step(batch, self.optimizer)
        weight = len(batch["img"]) * self.processes.count / self.batch_size
        outputs["loss"] = outputs["loss"] * weight
        mean = all_reduce(outputs["loss"].detach().clone()) / self.processes.count
        outputs["log_vars"] = outputs["log_vars"] | {"loss": float(mean)}
        return outputs


@contextmanager
def global_batch_statistics(model: nn.Module, processes: Processes) -> Iterator[None]:
    """Let batch normalisation in train mode see the global batch instead of this process's share.

    torch's SyncBatchNorm does the same, but on accelerators only. Types, names and state stay untouched: only the
    forward of each layer is replaced, and put back at the end.
    """
    layers = [module for module in model.modules() if isinstance(module, _BatchNorm)] if processes.count > 1 else []
    for layer in layers:
        layer.__dict__["forward"] = functools.partial(_global_batch_norm, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.__dict__["forward"]


def _global_batch_norm(layer: _BatchNorm, inputs: Tensor) -> Tensor:
    """Batch normalisation of (N, C, ...) over all processes, in train mode; the plain one otherwise."""
    if not layer.training:
        return type(layer).forward(layer, inputs)
    axes = [axis for axis in range(inputs.dim()) if axis != 1]
    shape = [1, -1] + [1] * (inputs.dim() - 2)
    # Sums over a batch of half-precision values need more than their own digits.
    values = inputs if inputs.dtype == torch.float64 else inputs.float()
    # Shares may differ by one image, so the number of values travels with the sums.
    local = values.new_tensor([inputs.numel() // inputs.shape[1]])
    sums = all_reduce(torch.cat([values.sum(axes), local]))
    count = sums[-1].detach()
    mean = sums[:-1] / count
    centred = values - mean.view(shape)
    variance = all_reduce(centred.square().sum(axes)) / count
    _follow(layer, mean.detach(), variance.detach() * count / (count - 1).clamp(min=1))
    normalised = centred * torch.rsqrt(variance + layer.eps).view(shape)
    if layer.affine:
        normalised = normalised * layer.weight.view(shape) + layer.bias.view(shape)
    return normalised.to(inputs.dtype)


def _follow(layer: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Move the running statistics towards the batch's, as torch's own layer does."""
    if layer.running_mean is None or layer.running_var is None or layer.num_batches_tracked is None:
        return
    layer.num_batches_tracked.add_(1)
    rate = layer.momentum if layer.momentum is not None else 1.0 / float(layer.num_batches_tracked)
    layer.running_mean.lerp_(mean, rate)
    layer.running_var.lerp_(variance, rate)
