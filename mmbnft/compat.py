"""Every workaround for the host stack (mmcv 1.7, mmcls 0.25, mmselfsup 0.11) on today's torch, each with its reason.

`prepare()` runs once, when `mmbnft.host` is imported, before anything imports the host packages. Each workaround is
applied only where it is needed.
"""

import contextlib
import functools
import importlib
import importlib.metadata
import importlib.util
import io
import logging
import os
import socket
import sys
import time
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import torch
from packaging.version import Version
from torch.utils import flop_counter

from mmbnft.utils.errors import MachineError

TORCH_MINIMUM = "2.6"
# What torchvision, mmcls and mmselfsup import at once, for compiling, drawing, clustering and networks of timm: three
# times the start of torch together, for what most runs never use.
LATER = (
    "torch._dynamo.utils",
    "timm",
    "timm.data",
    "matplotlib.pyplot",
    "matplotlib.backend_bases",
    "sklearn.cluster",
)
INSTALL_HINT = "install the tested set: `mmbnft install-host` for mmcv, mmcls and mmselfsup, README's Install for all"

# Kept alive for the life of the process: torch forgets the schemas when the library object goes.
_TORCHVISION_SCHEMAS: list[torch.library.Library] = []


class StackError(MachineError, ImportError):
    """The installed packages cannot work together; the message is one sentence with what to install."""


def prepare() -> None:
    """Check the stack and make the host packages importable.

    Raises:
        StackError: A package is missing, too old or of the wrong generation.
    """
    check_torch(torch.__version__)
    with warnings.catch_warnings(), _loaded_when_used(LATER):
        warnings.simplefilter("ignore")  # what the host and its neighbours have to say at import concerns nobody here
        check_mmcv(_imported("mmcv").__version__)
        declare_torchvision_operators()
        for name in ("torchvision", "mmcls.models", "mmselfsup.models", "mmselfsup.datasets", "mmselfsup.core"):
            _imported(name)
    leave_out_compiler()


def leave_out_compiler() -> None:
    """Let optimisers and the counter of multiply-adds run without importing torch's compiler.

    They import it when they are first used, only to keep themselves out of compiled graphs, of which there are none
    here; the import takes almost as long as that of torch.
    """
    if "torch._dynamo" in sys.modules:
        return
    homes = (torch.optim, flop_counter)
    classes = [found for home in homes for found in vars(home).values() if isinstance(found, type)]
    for owner in classes:
        for name, method in list(vars(owner).items()):
            code = getattr(method, "__code__", None)
            if code is None or not hasattr(method, "__wrapped__"):
                continue
            if code.co_name == "_use_grad":
                setattr(owner, name, _with_stated_gradients(method.__wrapped__))
            elif code.co_name == "inner" and code.co_filename == torch._compile.__file__:
                method.__wrapped__.__dynamo_disable = method.__wrapped__


def _with_stated_gradients(step: Callable[..., Any]) -> Callable[..., Any]:
    """What `torch.optim.optimizer._use_grad_for_differentiable` makes of a step, without the compiler."""

    @functools.wraps(step)
    def wrapped(self: torch.optim.Optimizer, *arguments: Any, **options: Any) -> Any:
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return step(self, *arguments, **options)

    return wrapped


class _Later(types.ModuleType):
    """Stands for a module while the host is imported; every name in it is a `_LaterName`."""

    def __getattr__(self, name: str) -> "_LaterName":
        if name.startswith("__"):  # what the import system asks for
            raise AttributeError(name)
        return _LaterName(self.__name__, name)


class _LaterName:
    """Stands for a name of a module that is imported when the name is first called, tested against or looked into."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def _found(self) -> Any:
        return getattr(importlib.import_module(self._module), self._name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._found()(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._found(), name)

    def __instancecheck__(self, value: object) -> bool:
        return isinstance(value, self._found())


@contextmanager
def _loaded_when_used(names: tuple[str, ...]) -> Iterator[None]:
    """Let what is imported inside the block load these modules only when it uses them; ones loaded before stay."""
    placed = {name: _Later(name) for name in names if name not in sys.modules}
    sys.modules.update(placed)
    try:
        yield
    finally:
        for name, module in placed.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
            # An import binds a module in its package, too.
            parent, _, last = name.rpartition(".")
            if vars(sys.modules.get(parent, types.ModuleType(""))).get(last) is module:
                delattr(sys.modules[parent], last)


def check_torch(version: str) -> None:
    """Refuse a torch older than `TORCH_MINIMUM`, the first whose `torch.load` is safe by default."""
    if Version(version) < Version(TORCH_MINIMUM):
        raise StackError(f"mmbnft needs torch {TORCH_MINIMUM} or newer, found {version}; {INSTALL_HINT}")


def check_mmcv(version: str) -> None:
    """Refuse mmcv 2.x, which has neither runner nor hooks, and anything before 1.7."""
    if not Version("1.7") <= Version(version) < Version("1.9"):
        raise StackError(
            f"mmbnft is a plugin of the mmcv 1.x stack and needs mmcv (or mmcv-full) 1.7.2, found {version}; "
            f"{INSTALL_HINT}"
        )


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise StackError(f"mmbnft needs {name}, which cannot be imported ({error}); {INSTALL_HINT}") from error
    except (RuntimeError, AssertionError, AttributeError) as error:  # what mismatched versions raise at import
        raise StackError(f"{name} does not fit the packages installed beside it ({error}); {INSTALL_HINT}") from error


def declare_torchvision_operators() -> bool:
    """Declare the schemas torchvision registers fakes for, where its compiled library does not load.

    torchvision has no CPU wheel that matches torch's CPU build: its library is linked against another torch and cannot
    load, and `import torchvision` then fails on the missing operator `torchvision::nms`. Transforms and data sets need
    no compiled operator, so the schemas are enough.

    Returns:
        Whether the schemas had to be declared.
    """
    if _TORCHVISION_SCHEMAS or _torchvision_library_loads():
        return False
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in (
        "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    ):
        library.define(schema)
    _TORCHVISION_SCHEMAS.append(library)
    return True


def _torchvision_library_loads() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return False
    for library in sorted(Path(spec.submodule_search_locations[0]).glob("_C*")):
        try:
            torch.ops.load_library(str(library))
        except (OSError, RuntimeError):
            continue
        return hasattr(torch.ops.torchvision, "nms")
    return False


@contextmanager
def pretraining_without_cuda() -> Iterator[None]:
    """Let MMSelfSup's algorithms pre-train on a machine without CUDA, on today's NumPy.

    Several of them call `.cuda()` on tensors, modules and index lists, and gather over a process group that they expect
    to exist. Inside this context `.cuda()` stays on the CPU (only where there is no CUDA) and a group of one process is
    opened where there is none. Clustering runs on the CPU, and the host's pauses and progress dots are left out.
    """
    with (
        _cuda_calls_stay_on_cpu(),
        _group_of_one(),
        _clustering_without_faiss(),
        _numpy_has_int(),
        _views_come_without_index(),
        quiet_host(),
    ):
        yield


@contextmanager
def _clustering_without_faiss() -> Iterator[None]:
    """Replace the whitening and the k-means of DeepCluster and ODC, which insist on faiss, by scikit-learn's.

    Kept as in the host: whitened principal components and rows of length 1 (`pca_dim=-1` leaves out the whitening),
    random initial centroids, twenty iterations, a seed drawn from NumPy's global generator.
    """
    if torch.cuda.is_available() and importlib.util.find_spec("faiss"):
        yield
        return

    def run_kmeans(x: np.ndarray, nmb_clusters: int, verbose: bool = False) -> tuple[list[int], float]:
        seed = int(np.random.randint(1234))
        kmeans = importlib.import_module("sklearn.cluster").KMeans
        fitted = kmeans(nmb_clusters, init="random", n_init=1, max_iter=20, random_state=seed).fit(x)
        return fitted.labels_.tolist(), float(fitted.inertia_)

    def preprocess_features(npdata: np.ndarray, pca: int) -> np.ndarray:
        if pca != -1:
            whitening = importlib.import_module("sklearn.decomposition").PCA(pca, whiten=True, svd_solver="full")
            npdata = whitening.fit_transform(npdata).astype(np.float32)
        return npdata / (np.linalg.norm(npdata, axis=1, keepdims=True) + 1e-10)

    with (
        mock.patch("mmselfsup.utils.clustering.preprocess_features", preprocess_features),
        mock.patch("mmselfsup.utils.clustering.run_kmeans", run_kmeans),
    ):
        yield


@contextmanager
def _numpy_has_int() -> Iterator[None]:
    """Bring back `np.int`, removed in NumPy 1.24, which the host's uniform sampler (DeepCluster) still uses."""
    if hasattr(np, "int"):
        yield
        return
    with mock.patch.object(np, "int", int, create=True):
        yield


@contextmanager
def _views_come_without_index() -> Iterator[None]:
    """Drop the index that MultiViewDataset adds to its views.

    In MMSelfSup 0.11.0 the algorithms get every entry of a batch as an argument, and those of SimSiam and Barlow Twins
    accept none but the views. No algorithm on two views uses the index here.
    """
    dataset = importlib.import_module("mmselfsup.datasets").MultiViewDataset
    whole = dataset.__getitem__

    def views_only(self: Any, idx: int) -> dict[str, Any]:
        return {"img": whole(self, idx)["img"]}

    with mock.patch.object(dataset, "__getitem__", views_only):
        yield


@contextmanager
def quiet_host() -> Iterator[None]:
    """Leave out what the host logs and prints over our progress bar, and its pauses.

    It logs every tensor it initialises, prints dots while it extracts features, and sleeps two seconds before every
    epoch against a deadlock of persistent workers, which pre-training does not use.
    """
    mmcv = importlib.import_module("mmcv")
    dots = functools.partial(mmcv.ProgressBar, file=io.StringIO())
    with (
        _loggers_at(logging.WARNING, ("mmcv", "root", "mmselfsup")),
        mock.patch("mmcv.runner.epoch_based_runner.time"),  # that module only sleeps with it
        mock.patch.object(mmcv, "ProgressBar", dots),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.filterwarnings("ignore", message="The dataset part will be refactored")
        warnings.filterwarnings("ignore", message=".*pin_memory.*")
        # Barlow Twins reduces its cross-correlation inside the graph; over a group of one that is the identity.
        warnings.filterwarnings("ignore", message="c10d::allreduce_: an autograd kernel was not registered")
        yield


@contextmanager
def _loggers_at(level: int, names: tuple[str, ...]) -> Iterator[None]:
    """Set the levels of the host's loggers, created as the host does, and put them back."""
    loggers = [importlib.import_module("mmcv.utils").get_logger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, before in zip(loggers, levels, strict=True):
            logger.setLevel(before)


@contextmanager
def _cuda_calls_stay_on_cpu() -> Iterator[None]:
    if torch.cuda.is_available():
        yield
        return

    def stay(self: Any, *_args: object, **_options: object) -> Any:
        return self

    with mock.patch.object(torch.Tensor, "cuda", stay), mock.patch.object(torch.nn.Module, "cuda", stay):
        yield


@contextmanager
def _group_of_one() -> Iterator[None]:
    if torch.distributed.is_initialized():
        yield
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    names = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": "0", "WORLD_SIZE": "1"}
    with mock.patch.dict(os.environ, names):
        torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def versions() -> dict[str, str]:
    """Versions of the packages that can change a result; `absent` where one is not installed."""
    return {name: _version(name) for name in ("torch", "torchvision", "mmcls", "mmselfsup", "numpy", "scipy")} | {
        "mmcv": importlib.import_module("mmcv").__version__
    }


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


@contextmanager
def no_epoch_pause() -> Iterator[None]:
    """Let mmcv's epoch runner start an epoch at once.

    It sleeps two seconds before each, against a deadlock of torch's data loader of 2019: most of the time of a small
    run. Only that module's `time` is replaced.
    """
    runner_module = importlib.import_module("mmcv.runner.epoch_based_runner")
    pauseless = types.SimpleNamespace(**{**vars(time), "sleep": lambda _seconds: None})
    with mock.patch.object(runner_module, "time", pauseless):
        yield
