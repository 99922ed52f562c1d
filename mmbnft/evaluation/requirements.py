"""What a run needs of its task and recipe, checked before anything is trained; a task checks itself when built."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.models import ProtocolBackbone
from mmbnft.tasks import Task
from mmbnft.utils.errors import UserError


def check_run(spec: RunSpec, task: Task) -> None:
    """Refuse a run that would fail in the middle of it; costs no image, and a network for a batch of one only.

    Args:
        spec: The run.
        task: Its task.

    Raises:
        UserError: A training-free score is asked for on a multi-label task, the recipe contradicts itself, or a batch
            of one image has to give statistics.
    """
    if spec.is_score and task.multi_label:
        raise UserError(
            f"the score {spec.protocol} compares classes and is not defined where an image has several, as in "
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
    if spec.arm == "trained" and spec.recipe.batch_size == 1:
        for phase in range(len(spec.adaptation.phases)):
            refuse_statistics_of_one(ProtocolBackbone(spec.model["backbone"], spec.adaptation, phase), 1)


def refuse_statistics_of_one(model: nn.Module, batch_size: int) -> None:
    """Refuse norm layers that would normalise by the statistics of a single image.

    Args:
        model: A network, or an algorithm around one, in a phase of its protocol.
        batch_size: Images of a batch.

    Raises:
        UserError: A layer normalises by its batch, and a batch is one image.
    """
    if batch_size > 1:
        return
    mode = model.training
    model.train()
    names = [name for name, module in model.named_modules() if isinstance(module, _BatchNorm) and module.training]
    model.train(mode)
    if names:
        raise UserError(
            f"a batch of 1 image has no batch statistics, which {len(names)} norm layers need, e.g. {names[0]}; set "
            "recipe.batch_size to 2 or more (with as many training images), or choose a protocol with frozen statistics"
        )
