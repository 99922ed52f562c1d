"""What this package uses of the host stack, and the one place where it is imported.

The host packages need `compat.prepare()` before anything imports them, so nobody else imports them. A module that
imports from here costs a start of the whole stack; what should start at once must not, at any depth.
"""

from mmbnft import compat

compat.prepare()

from mmcv import Config, ConfigDict  # noqa: E402
from mmcv.parallel import MMDataParallel, MMDistributedDataParallel, is_module_wrapper  # noqa: E402
from mmcv.runner import (  # noqa: E402
    HOOKS,
    BaseModule,
    EpochBasedRunner,
    Hook,
    OptimizerHook,
    build_optimizer,
    master_only,
)
from mmcv.runner.hooks import LoggerHook, TensorboardLoggerHook  # noqa: E402
from mmcv.utils import build_from_cfg, get_logger  # noqa: E402
from mmselfsup.core.hooks import SwAVHook  # noqa: E402
from mmselfsup.datasets import build_dataloader, build_dataset  # noqa: E402
from mmselfsup.datasets.builder import DATASETS, DATASOURCES, PIPELINES  # noqa: E402
from mmselfsup.datasets.data_sources.base import BaseDataSource  # noqa: E402
from mmselfsup.models.builder import BACKBONES, HEADS, build_algorithm, build_backbone  # noqa: E402
from torchvision.datasets import DTD, FGVCAircraft, OxfordIIITPet  # noqa: E402
from torchvision.datasets.folder import make_dataset  # noqa: E402
from torchvision.transforms import Compose  # noqa: E402
from torchvision.transforms.functional import resize  # noqa: E402

__all__ = [
    "BACKBONES", "DATASETS", "DATASOURCES", "DTD", "HEADS", "HOOKS", "PIPELINES", "BaseDataSource",
    "BaseModule", "Compose", "Config", "ConfigDict", "EpochBasedRunner", "FGVCAircraft", "Hook", "LoggerHook",
    "MMDataParallel", "MMDistributedDataParallel", "OptimizerHook", "OxfordIIITPet", "SwAVHook",
    "TensorboardLoggerHook", "build_algorithm", "build_backbone", "build_dataloader", "build_dataset",
    "build_from_cfg", "build_optimizer", "get_logger", "is_module_wrapper", "make_dataset", "master_only", "resize",
]  # fmt: skip
