"""The arithmetic of batch norm per group, on batches in channels-last layout.

`TorchBackend` states it in torch's operators, for any device and precision. `CompiledBackend` does the same on a
processor in passes over data that stay in its caches; it is compiled once, on first use, if the machine has a C++
compiler.
"""

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

_SOURCE = Path(__file__).with_name("group_kernel.cpp")
_COMPILE = ("-std=c++17", "-O3", "-march=native", "-fopenmp", "-fPIC", "-c")
_NAMES = {torch.float32: "float32", torch.float64: "float64"}
# Below this many values threads cost more than they save.
_VALUES_FOR_THREADS = 1 << 15

Gradients = tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None]


class Backend(Protocol):
    """Batch norm of G groups, forth and back; images are channels-last (G * R, C, H, W)."""

    def forward(
        self,
        inputs: Tensor,
        affine: tuple[Tensor, Tensor],
        added: Tensor | None,
        rectifies: bool,
        moments: tuple[Tensor, Tensor] | None,
        eps: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Normalise, scale, shift, add, rectify.

        Args:
            inputs: Images.
            affine: Scales and offsets, (G, C) each.
            added: Images to add, or None.
            rectifies: Whether a ReLU follows.
            moments: Mean and variance, (G, C) each; None takes those of the groups' own values.
            eps: Added to the variance.

        Returns:
            Outputs, mean and (biased, if it is their own) variance.
        """

    def backward(
        self,
        gradient: Tensor,
        inputs: Tensor,
        outputs: Tensor | None,
        scale: Tensor,
        moments: tuple[Tensor, Tensor],
        eps: float,
        follows: bool,
        wanted: tuple[bool, bool],
    ) -> Gradients:
        """Gradients of inputs, scales, offsets and added images, given that of the outputs.

        Args:
            gradient: Gradient of the outputs.
            inputs: Images.
            outputs: Outputs if they were rectified, else None.
            scale: Scales (G, C).
            moments: Mean and variance that were used.
            eps: Added to the variance.
            follows: Whether the moments were those of the inputs.
            wanted: Whether the gradients of the inputs and of the added images are needed.
        """


class TorchBackend:
    """Torch's operators."""

    def forward(
        self,
        inputs: Tensor,
        affine: tuple[Tensor, Tensor],
        added: Tensor | None,
        rectifies: bool,
        moments: tuple[Tensor, Tensor] | None,
        eps: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `Backend`."""
        values = _by_group(inputs, len(affine[0]))
        mean, variance = torch.var_mean(values, dim=1, correction=0)[::-1] if moments is None else moments
        scale = affine[0] * torch.rsqrt(variance + eps)
        shift = affine[1] - mean * scale
        outputs = _as_images(torch.addcmul(shift[:, None], values, scale[:, None]), inputs)
        if added is not None:
            outputs += added
        return outputs.relu_() if rectifies else outputs, mean, variance

    def backward(
        self,
        gradient: Tensor,
        inputs: Tensor,
        outputs: Tensor | None,
        scale: Tensor,
        moments: tuple[Tensor, Tensor],
        eps: float,
        follows: bool,
        wanted: tuple[bool, bool],
    ) -> Gradients:
        """See `Backend`."""
        if outputs is not None:
            gradient = torch.ops.aten.threshold_backward(gradient, outputs, 0)
        slopes = _by_group(gradient, len(scale))
        deviation = torch.rsqrt(moments[1] + eps)
        normal = (_by_group(inputs, len(scale)) - moments[0][:, None]).mul_(deviation[:, None])
        for_scale, for_offset = (slopes * normal).sum(dim=1), slopes.sum(dim=1)
        for_inputs = None
        if wanted[0]:
            if follows:
                count = slopes.shape[1]
                slopes = torch.addcmul(slopes - for_offset[:, None] / count, normal, for_scale[:, None] / -count)
            for_inputs = _as_images(slopes * (scale * deviation)[:, None], inputs)
        return for_inputs, for_scale, for_offset, gradient if wanted[1] else None


class CompiledBackend:
    """The functions of group_kernel.cpp.

    Args:
        library: The loaded library.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def forward(
        self,
        inputs: Tensor,
        affine: tuple[Tensor, Tensor],
        added: Tensor | None,
        rectifies: bool,
        moments: tuple[Tensor, Tensor] | None,
        eps: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `Backend`."""
        weight, bias = (value.contiguous() for value in affine)
        mean, variance = moments or (torch.empty_like(weight), torch.empty_like(weight))
        outputs = torch.empty_like(inputs)
        self._call("forward", inputs, (inputs, weight, bias, added, outputs, mean, variance), len(weight),
                   eps, (moments is None, rectifies))  # fmt: skip
        return outputs, mean, variance

    def backward(
        self,
        gradient: Tensor,
        inputs: Tensor,
        outputs: Tensor | None,
        scale: Tensor,
        moments: tuple[Tensor, Tensor],
        eps: float,
        follows: bool,
        wanted: tuple[bool, bool],
    ) -> Gradients:
        """See `Backend`."""
        weight = scale.contiguous()
        for_inputs = torch.empty_like(inputs) if wanted[0] else None
        for_scale, for_offset = torch.empty_like(weight), torch.empty_like(weight)
        # Without a ReLU what is added has the gradient of the outputs.
        for_added = torch.empty_like(inputs) if wanted[1] and outputs is not None else None
        arrays = (gradient, inputs, outputs, weight, *moments, for_inputs, for_scale, for_offset, for_added)
        self._call("backward", inputs, arrays, len(weight), eps, (follows,))
        return for_inputs, for_scale, for_offset, gradient if outputs is None and wanted[1] else for_added

    def _call(
        self,
        name: str,
        inputs: Tensor,
        arrays: tuple[Tensor | None, ...],
        groups: int,
        eps: float,
        flags: tuple[bool, ...],
    ) -> None:
        count, channels, height, width = inputs.shape
        threads = torch.get_num_threads() if inputs.numel() >= _VALUES_FOR_THREADS else 1
        self._library[f"{name}_{_NAMES[inputs.dtype]}"](
            *(ctypes.c_void_p(array.data_ptr() if array is not None else None) for array in arrays),
            *(ctypes.c_int64(size) for size in (groups, count * height * width // groups, channels)),
            ctypes.c_double(eps),
            *(ctypes.c_int(flag) for flag in (*flags, threads)),
        )


def choose_backend(inputs: Tensor) -> Backend:
    """What computes on such inputs: the compiled functions where they exist and apply, else torch's."""
    if inputs.device.type == "cpu" and inputs.dtype in _NAMES:
        return compiled_backend() or _TORCH
    return _TORCH


@functools.cache
def compiled_backend() -> CompiledBackend | None:
    """The compiled functions, built unless a library of this source for this processor exists; None if impossible."""
    compiler = shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++")
    if compiler is None or not _SOURCE.exists():
        return None
    cpu = Path("/proc/cpuinfo")
    features = [line for line in cpu.read_text().splitlines() if line.startswith("flags")][:1] if cpu.exists() else []
    key = repr((_SOURCE.read_bytes(), _COMPILE, compiler, platform.machine(), features, torch.__version__))
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mmbnft"
    library = folder / f"group_kernel-{hashlib.sha256(key.encode()).hexdigest()[:16]}.so"
    try:
        if not library.exists():
            _build(compiler, library)
        return CompiledBackend(ctypes.CDLL(str(library)))
    except (OSError, subprocess.SubprocessError):
        return None


def _build(compiler: str, library: Path) -> None:
    """Compile and link beside the target and move into place, so that processes may do so at the same time."""
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        parts = Path(folder) / "kernel.o", Path(folder) / "kernel.so"
        subprocess.run([compiler, *_COMPILE, str(_SOURCE), "-o", str(parts[0])], check=True, capture_output=True)
        # Linked without an OpenMP library: the one that torch has loaded serves, and so its threads.
        subprocess.run([compiler, "-shared", str(parts[0]), "-o", str(parts[1])], check=True, capture_output=True)
        parts[1].replace(library)


def _by_group(images: Tensor, groups: int) -> Tensor:
    """View a channels-last batch (G * R, C, H, W) as (G, R * H * W, C)."""
    return images.permute(0, 2, 3, 1).reshape(groups, -1, images.shape[1])


def _as_images(values: Tensor, like: Tensor) -> Tensor:
    """View (G, R * H * W, C) as a channels-last batch of the shape of `like`."""
    count, channels, height, width = like.shape
    return values.reshape(count, height, width, channels).permute(0, 3, 1, 2)


_TORCH = TorchBackend()
