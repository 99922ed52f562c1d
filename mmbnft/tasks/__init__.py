"""Tasks: downstream data sets with their splits, metrics and images; importing registers the builders."""

from typing import TYPE_CHECKING

from mmbnft.utils.lazy import lazy_names

if TYPE_CHECKING:
    from mmbnft.tasks.arrays import array_task as array_task
    from mmbnft.tasks.dataset import TaskDataset as TaskDataset
    from mmbnft.tasks.evaluation import collect as collect
    from mmbnft.tasks.evaluation import predict as predict
    from mmbnft.tasks.image_cache import ImageCache as ImageCache
    from mmbnft.tasks.images import ArrayImages as ArrayImages
    from mmbnft.tasks.images import Images as Images
    from mmbnft.tasks.images import ListedImages as ListedImages
    from mmbnft.tasks.ledger import SplitLedger as SplitLedger
    from mmbnft.tasks.ledger import refuse_shared_images as refuse_shared_images
    from mmbnft.tasks.metrics import METRICS as METRICS
    from mmbnft.tasks.metrics import compute_metric as compute_metric
    from mmbnft.tasks.registry import build_task as build_task
    from mmbnft.tasks.registry import register_task as register_task
    from mmbnft.tasks.registry import task_types as task_types
    from mmbnft.tasks.shrink import BnftShrink as BnftShrink
    from mmbnft.tasks.task import Task as Task
    from mmbnft.tasks.task import list_task as list_task
    from mmbnft.tasks.transforms import ReverseChannels as ReverseChannels

_HOMES = {
    "arrays": ("array_task",),
    "dataset": ("TaskDataset",),
    "evaluation": ("collect", "predict"),
    "image_cache": ("ImageCache",),
    "images": (
        "ArrayImages",
        "Images",
        "ListedImages",
    ),
    "ledger": (
        "SplitLedger",
        "refuse_shared_images",
    ),
    "metrics": (
        "METRICS",
        "compute_metric",
    ),
    "registry": ("build_task", "register_task", "task_types"),
    "shrink": ("BnftShrink",),
    "task": (
        "Task",
        "list_task",
    ),
    "transforms": ("ReverseChannels",),
}
__getattr__ = lazy_names(__name__, _HOMES)
