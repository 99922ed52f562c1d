"""What a run needs of its task and recipe, checked before anything is trained; a task checks itself when built."""

from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.tasks import Task
from mmbnft.utils.errors import UserError


def check_run(spec: RunSpec, task: Task) -> None:
    """Refuse a run that would fail in the middle of it; costs no image and no network.

    Args:
        spec: The run.
        task: Its task.

    Raises:
        UserError: A training-free score is asked for on a multi-label task, or the recipe contradicts itself.
    """
    if spec.is_score and task.multi_label:
        raise UserError(
            f"the score {spec.protocol} compares classes and is not defined where an image carries several, as in "
            f"task {task.name}; leave the training-free scores out for it"
        )
    if "steps" in spec.recipe.search:
        raise UserError(
            f"recipe {spec.recipe.name!r} searches steps, which only few-shot episodes do; search lr or weight_decay"
        )
    if spec.arm == "probed" and spec.recipe.norm_before_classifier:
        raise UserError(
            f"recipe {spec.recipe.name!r} sets both probe and norm_before_classifier; drop one, a probe fits plain "
            "features"
        )
