"""One run on several processes gives what one process gives with the same global batch."""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from mmcv.runner import init_dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm

from mmbnft.utils.errors import UserError, choices
from mmbnft.utils.processes import Processes

LAUNCHERS = ("none", "pytorch", "slurm", "mpi")


def open_group(launcher: str, device: str) -> Processes:
    """Open the process group a launcher prepared.

    Args:
        launcher: `none`, `pytorch` (torchrun), `slurm` or `mpi`.
        device: `cpu` or `cuda`; decides between gloo and nccl.

    Raises:
        UserError: The launcher is unknown, or its environment is missing.
    """
    if launcher not in LAUNCHERS:
        raise UserError(f"unknown launcher {launcher!r}; allowed: {choices(LAUNCHERS)}")
    if launcher == "none":
        return Processes()
    try:
        if device.startswith("cuda"):
            init_dist(launcher, backend="nccl")
        elif launcher == "pytorch":
            dist.init_process_group("gloo")
        else:
            init_dist(launcher, backend="gloo")
    except (KeyError, ValueError, RuntimeError) as error:
        raise UserError(
            f"launcher {launcher!r} did not prepare this process ({error}); start it with "
            f"{'torchrun --nproc-per-node N' if launcher == 'pytorch' else launcher} or use --launcher none"
        ) from error
    return Processes.current()


def local_device(device: str) -> torch.device:
    """The device of this process: `auto` is the process's own GPU where there is one, else the CPU.

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
        raise UserError(f"device {device!r} is not there: {torch.cuda.device_count()} CUDA devices; use --device cpu")
    return chosen


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
    count = inputs.numel() // inputs.shape[1] * dist.get_world_size()
    mean = all_reduce(inputs.sum(axes)) / count
    centred = inputs - mean.view(shape)
    variance = all_reduce(centred.square().sum(axes)) / count
    _follow(layer, mean.detach(), variance.detach() * count / max(count - 1, 1))
    normalised = centred * torch.rsqrt(variance + layer.eps).view(shape)
    if not layer.affine:
        return normalised
    return normalised * layer.weight.view(shape) + layer.bias.view(shape)


def _follow(layer: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Move the running statistics towards the batch's, as torch's own layer does."""
    if layer.running_mean is None or layer.running_var is None or layer.num_batches_tracked is None:
        return
    layer.num_batches_tracked.add_(1)
    rate = layer.momentum if layer.momentum is not None else 1.0 / float(layer.num_batches_tracked)
    layer.running_mean.lerp_(mean, rate)
    layer.running_var.lerp_(variance, rate)
