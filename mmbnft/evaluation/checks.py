"""What a run needs of its task, checked before anything is trained."""

import numpy as np

from mmbnft.evaluation.spec import RunSpec
from mmbnft.tasks import Task
from mmbnft.tasks.task import class_counts
from mmbnft.utils.errors import UserError

# Metrics that are undefined where a class has no image; and where a class has every image.
NEED_EVERY_CLASS = ("roc_auc", "map11")
NEED_OTHERS = ("roc_auc",)


def check_run(spec: RunSpec, task: Task) -> None:
    """Refuse a run that would fail after its training, or in the middle of it; costs no image and no network.

    Args:
        spec: The run.
        task: Its task.

    Raises:
        UserError: A training-free score is asked for on a multi-label task, the metric is undefined on val and settings
            are to be chosen there, or the recipe contradicts itself.
    """
    recipe = spec.recipe
    if spec.is_score:
        if task.multi_label:
            raise UserError(
                f"the score {spec.protocol} compares classes and is not defined where an image carries several, as in "
                f"task {task.name}; leave the training-free scores out for it"
            )
        return
    if spec.arm == "probed" and recipe.norm_before_classifier:
        raise UserError(
            f"recipe {recipe.name!r} sets both probe and norm_before_classifier; drop one, a probe fits plain features"
        )
    if _sees_val(spec):
        _check_val(task)


def _sees_val(spec: RunSpec) -> bool:
    recipe = spec.recipe
    if spec.arm == "probed":
        assert recipe.probe is not None
        return len(recipe.probe["weight_decays"]) > 1
    return len(recipe.trials()) > 1


def _check_val(task: Task) -> None:
    images = task.splits["val"].labels
    counts = class_counts(images, len(task.classes))
    lacking = counts == 0 if task.metric in NEED_EVERY_CLASS else np.zeros(len(counts), bool)
    if task.metric in NEED_OTHERS:
        lacking = lacking | (counts == len(images))
    if lacking.any():
        number = int(np.flatnonzero(lacking)[0])
        what = "no image" if counts[number] == 0 else "every image"
        raise UserError(
            f"task {task.name}: {task.metric} is undefined on val, where settings are chosen, because class "
            f"{task.classes[number]!r} has {what} there; give val some images with and without each class, choose "
            "another metric, or a recipe without a search"
        )
