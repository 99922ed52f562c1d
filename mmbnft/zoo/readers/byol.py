"""BYOL's haiku names, and its pickle read by an unpickler that builds inert stand-ins and nothing else.

The file is written by dill. Every name it may refer to is in a closed table; each maps to a stand-in of this module, so
neither haiku, dill, jax nor any function of NumPy is ever called from the file.
"""

import io
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmbnft.utils.errors import UserError
from mmbnft.zoo.rules import Sorted

_DTYPE = re.compile(r"[fiub][1248]")
_ORDERS = ("<", "|", "=")
_PREFIX = re.compile(r"res_net\d+/~/(.+)")
_STEM = {
    "initial_conv": "conv1",
    "initial_conv_1": "conv1",
    "initial_batchnorm": "bn1",
}
_BLOCK_PATH = re.compile(r"block_group_([0-3])/~/block_(\d+)/~/(\w+)")
_BLOCK = {
    "conv_0": "conv1",
    "conv_1": "conv2",
    "conv_2": "conv3",
    "batchnorm_0": "bn1",
    "batchnorm_1": "bn2",
    "batchnorm_2": "bn3",
    "shortcut_conv": "downsample.0",
    "shortcut_batchnorm": "downsample.1",
}
_HEADS = ("classifier", "projector/", "predictor/")
_EMA = {"/~/mean_ema": "running_mean", "/~/var_ema": "running_var"}
EXPERIMENT = ("online_params", "target_params", "online_state", "target_state", "opt_state")


@dataclass(frozen=True)
class HaikuRules:
    """Keys `KIND:MODULE:LEAF` as written by `flatten`; w is HWIO, everything else (1, 1, 1, C)."""

    prefix: str = "res_net50/~/"

    def sort(self, tensors: Mapping[str, Tensor]) -> Sorted:
        """Sort the arrays of `online_params` and `online_state`, by key."""
        result = Sorted()
        for key, value in tensors.items():
            kind, module, leaf = key.split(":")
            if module.startswith(_HEADS):
                result.dropped["classifier, projector/, predictor/"] += 1
            elif kind == "params":
                self._parameter(result, key, module, leaf, value)
            else:
                self._statistic(result, key, module, leaf, value)
        return result

    def _parameter(self, result: Sorted, key: str, module: str, leaf: str, value: Tensor) -> None:
        name = _module_name(module)
        convolution = name is not None and ("conv" in name or name.endswith("downsample.0"))
        if name and convolution and leaf == "w" and value.dim() == 4:
            result.keep(key, f"{name}.weight", value.permute(3, 2, 0, 1))
        elif name and not convolution and leaf in ("scale", "offset") and _is_channel_vector(value):
            result.keep(key, f"{name}.{'weight' if leaf == 'scale' else 'bias'}", value.flatten())
        else:
            result.unexpected.append(key)

    def _statistic(self, result: Sorted, key: str, module: str, leaf: str, value: Tensor) -> None:
        ending = next((e for e in _EMA if module.endswith(e)), None)
        name = _module_name(module.removesuffix(ending)) if ending else None
        if ending and name and leaf == "average" and _is_channel_vector(value):
            result.keep(key, f"{name}.{_EMA[ending]}", value.flatten())
        elif ending and name and leaf in ("counter", "hidden"):
            result.dropped[f"*_ema.{leaf}"] += 1
        else:
            result.unexpected.append(key)


def _is_channel_vector(value: Tensor) -> bool:
    return value.dim() == 4 and tuple(value.shape[:3]) == (1, 1, 1)


def _module_name(module: str) -> str | None:
    inner = _PREFIX.fullmatch(module)
    if inner is None:
        return None
    if inner[1] in _STEM:
        return _STEM[inner[1]]
    match = _BLOCK_PATH.fullmatch(inner[1])
    if match is None or match[3] not in _BLOCK:
        return None
    return f"layer{int(match[1]) + 1}.{match[2]}.{_BLOCK[match[3]]}"


def read_byol(path: Path) -> dict[str, Tensor]:
    """The online network of a BYOL pickle, as `KIND:MODULE:LEAF` to tensor.

    Raises:
        UserError: The file names anything outside the closed table, is damaged, or is no BYOL experiment.
    """
    try:
        with path.open("rb") as stream:
            content = InertUnpickler(stream, path.name).load()
        return _online(path.name, content)
    except UserError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way; none of them has run anything
        raise UserError(
            f"{path.name} is a damaged or foreign pickle ({type(error).__name__}); nothing in it was executed; "
            "download it again"
        ) from error


def _online(name: str, content: Any) -> dict[str, Tensor]:
    """The arrays of `online_params` and `online_state`; everything else is left unread."""
    state = content.get("experiment_state") if isinstance(content, dict) else None
    if not isinstance(state, Record) or state.names != EXPERIMENT or len(state.values) != len(EXPERIMENT):
        raise UserError(
            f"{name} is a pickle without BYOL's experiment_state (online_params, online_state); nothing in it was "
            "executed; only BYOL's own pickles are read"
        )
    values = dict(zip(state.names, state.values, strict=True))
    return {
        f"{kind}:{key}": value for kind in ("params", "state") for key, value in flatten(name, values[f"online_{kind}"])
    }


def flatten(name: str, modules: Any) -> Iterator[tuple[str, Tensor]]:
    """`MODULE:LEAF` and tensor of a haiku mapping {module: {leaf: array}}.

    Raises:
        UserError: `modules` has another structure.
    """
    for module, leaves in modules.items() if isinstance(modules, dict) else [("", None)]:
        for leaf, value in leaves.items() if isinstance(leaves, dict) else [("", None)]:
            if isinstance(value, _Array):
                value = value.array()
            plain = isinstance(module, str) and isinstance(leaf, str) and ":" not in module + leaf
            if not plain or not isinstance(value, np.ndarray | np.generic):
                raise UserError(f"{name} holds no haiku mapping of arrays at {module!r}, {leaf!r}; download it again")
            yield f"{module}:{leaf}", torch.from_numpy(np.array(value))


class Record:
    """Inert stand-in of a named tuple: names and values, no behaviour."""

    names: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()

    def __new__(cls, *values: Any) -> "Record":
        """Keep `values`; pickles of named tuples call nothing else."""
        made = super().__new__(cls)
        made.values = values
        return made


class Mapped(dict[Any, Any]):
    """Inert stand-in of haiku's mappings, built from one dict."""


class _Dtype:
    """Inert stand-in of numpy.dtype; only plain numbers are let through."""

    def __init__(self, code: Any, *flags: Any) -> None:
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            raise ValueError(f"dtype {code!r}")
        self.code = code
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        if state[1] not in _ORDERS or any(item is not None for item in state[2:5]):
            raise ValueError("dtype state")
        self.order = state[1]

    def real(self) -> np.dtype[Any]:
        """The NumPy type it stands for."""
        return np.dtype(self.code)


class _Array:
    """Inert stand-in of numpy.ndarray; checked and built only when asked for."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self) -> np.ndarray[Any, Any]:
        """The values, checked against the declared shape."""
        _, shape, dtype, fortran, data = self.state
        if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
            raise ValueError("array state")
        return np.frombuffer(data, dtype.real()).reshape(shape, order="F" if fortran else "C")


def _reconstruct(kind: Any, shape: Any, code: Any) -> _Array:
    if kind is not _Array or shape != (0,) or code not in (b"b", "b"):
        raise ValueError("array constructor")
    return _Array()


def _scalar(dtype: Any, data: Any) -> np.ndarray[Any, Any]:
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
        raise ValueError("scalar state")
    return np.frombuffer(data, dtype.real()).reshape(())


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError("encoding")
    return text.encode("latin-1")


def _empty_bytes(*content: Any) -> bytes:
    if content:
        raise ValueError("bytes")
    return b""


def _record_type(name: Any, fields: Any, module: Any, *defaults: Any) -> type[Record]:
    """Dill's _create_namedtuple; `module` is never imported."""
    names = tuple(fields)
    if not all(isinstance(field, str) and field.isidentifier() for field in names):
        raise ValueError("record fields")
    return type("Record", (Record,), {"names": names})


@dataclass(frozen=True)
class _Module:
    """Inert stand-in of an imported module: nothing but its name."""

    name: str


def _import_module(name: Any, safe: Any = False) -> _Module:
    return _Module(name)


def _get_attr(module: Any, name: Any) -> Callable[..., Any]:
    allowed: dict[tuple[str, str], Callable[..., Any]] = {
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("_codecs", "encode"): _encode,
    }
    if not isinstance(module, _Module) or (module.name, name) not in allowed:
        raise UserError(
            f"the pickle asks for {getattr(module, 'name', module)!s}.{name!s}, which no BYOL checkpoint needs; "
            "nothing in it was executed; do not trust this file"
        )
    return allowed[module.name, name]


def _create_array(maker: Any, arguments: Any, state: Any, extra: Any = None) -> _Array:
    if maker is not _reconstruct or extra:
        raise ValueError("array constructor")
    made = _reconstruct(*arguments)
    made.__setstate__(state)
    return made


_ALLOWED: dict[tuple[str, str], Any] = {
    ("haiku._src.data_structures", "FlatMapping"): Mapped,
    ("haiku._src.data_structures", "frozendict"): Mapped,
    ("dill._dill", "_create_namedtuple"): _record_type,
    ("dill._dill", "_import_module"): _import_module,
    ("dill._dill", "_get_attr"): _get_attr,
    ("dill._dill", "_create_array"): _create_array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _empty_bytes,
    ("builtins", "bytes"): _empty_bytes,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("byol.byol_experiment", "_ByolExperimentState"): type("Record", (Record,), {"names": EXPERIMENT}),
    ("byol.utils.optimizers", "AddWeightDecayState"): Record,
    ("byol.utils.optimizers", "ScaleByLarsState"): Record,
    ("optax._src.transform", "ScaleByScheduleState"): Record,
    ("optax._src.transform", "ScaleState"): Record,
}


class InertUnpickler(pickle.Unpickler):
    """Unpickler that resolves the names of the closed table to stand-ins and refuses every other one."""

    def __init__(self, stream: io.BufferedIOBase | io.BytesIO, name: str) -> None:
        super().__init__(stream)
        self.file_name = name

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in of `module.name`.

        Raises:
            UserError: The name is outside the table.
        """
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        raise UserError(
            f"{self.file_name} asks for {module}.{name}, which no BYOL checkpoint needs; nothing in it was executed; "
            "do not trust this file"
        )

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references to things outside the file.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{self.file_name} refers to an object outside itself; nothing in it was executed")
