"""Tasks: downstream data sets with their splits, metrics and images; importing registers the builders."""

from mmbnft.tasks.arrays import array_task
from mmbnft.tasks.dataset import TaskDataset
from mmbnft.tasks.digits import digits
from mmbnft.tasks.drawn import drawn
from mmbnft.tasks.evaluation import collect, evaluate, predict
from mmbnft.tasks.glyphs import glyphs
from mmbnft.tasks.image_cache import ImageCache
from mmbnft.tasks.images import ArrayImages, Images, ListedImages
from mmbnft.tasks.ledger import SplitLedger, refuse_shared_images
from mmbnft.tasks.metrics import METRICS, compute_metric
from mmbnft.tasks.registry import TASKS, build_task
from mmbnft.tasks.shrink import BnftShrink
from mmbnft.tasks.task import Task, list_task
from mmbnft.tasks.transforms import ReverseChannels

__all__ = [
    "METRICS",
    "TASKS",
    "ArrayImages",
    "BnftShrink",
    "ImageCache",
    "Images",
    "ListedImages",
    "ReverseChannels",
    "SplitLedger",
    "Task",
    "TaskDataset",
    "array_task",
    "build_task",
    "collect",
    "compute_metric",
    "digits",
    "drawn",
    "evaluate",
    "glyphs",
    "list_task",
    "predict",
    "refuse_shared_images",
]
