"""The published settings of vpulab/bn_finetuning, task by task, and a stated rule where there are none.

Chosen never on test: the weights after the last epoch are read, not the best epoch on the test list, and classes are
not weighted by test counts.
"""

from typing import Any

from mmbnft.evaluation.proxies import SCORES
from mmbnft.protocols import Protocol, get_protocol, name_of
from mmbnft.recipes.recipe import Recipe
from mmbnft.recipes.vpulab_tables import CENTRE, CROP_AND_FLIP, VPULAB, Schedule

# Published under another name: the pool of episodes is the training list of plant_disease.
SAME_IMAGES = {"cropdiseases": "plant_disease"}
# Whose file a task without one follows: cars' linear file, which two other tasks got as an unedited copy, and the BN
# settings that most tasks share; or, where one is nearer, its.
LINEAR_LIKE, BN_LIKE = "cars", "flowers"
NEARER = {("cifar100", "linear"): "cifar10", ("cifar10", "bn"): "cifar100", ("cars", "bn"): "caltech101"}
# What kind of file settles a protocol exactly.
PUBLISHED_PROTOCOLS = {"linear": "linear", "bn_paper": "bn"}
# The files that train all of a network on CIFAR agree in batch, epochs and weight decay.
WHOLE_CIFAR = Schedule(128, 0.1, 350, weight_decay=5e-4)
CIFAR = ("cifar10", "cifar100")


def vpulab(task: str, protocol: str | Protocol) -> Recipe:
    """The published recipe of a task and a protocol.

    Valid files were published for `linear` and `bn_paper` of some tasks. Everything else is derived, is called
    `vpulab-derived`, and says in its remark from what: the schedule of the nearest published file of its kind (linear
    where nothing of the backbone trains, otherwise BN tuning), on the task's own images where they were published.
    """
    trains = "head" if isinstance(protocol, str) and protocol in SCORES else get_protocol(protocol).phases[-1].train
    kind = "linear" if trains == "head" else "bn"
    schedule, note = _schedule(task, name_of(protocol), kind, whole=trains not in ("head", "norm"))
    images, image_note = _images(task, kind)
    derived = [part for part in (note, image_note) if part]
    published = [f"published for {task}: {VPULAB[task].remark}"] if task in VPULAB and VPULAB[task].remark else []
    return Recipe(
        name="vpulab-derived" if derived else "vpulab",
        epochs=schedule.epochs,
        batch_size=schedule.batch_size,
        optimizer=dict(type="SGD", lr=schedule.lr, momentum=0.9, weight_decay=schedule.weight_decay),
        lr_config=dict(policy="CosineAnnealing", min_lr=0.0, by_epoch=True),
        norm_before_classifier=schedule.norm_before_classifier,
        remark="; ".join(derived + published),
        **images,
    )


def _schedule(task: str, protocol: str, kind: str, whole: bool) -> tuple[Schedule, str]:
    """The schedule, and what has to be said about where it comes from; `whole` if convolutions train."""
    if whole and task in CIFAR:
        note = "batch, epochs and weight decay of CIFAR's files for the whole network, rate of the bn file of cifar100"
        return WHOLE_CIFAR, note
    source = SAME_IMAGES.get(task, task)
    if source not in VPULAB or getattr(VPULAB[source], kind) is None:
        source = NEARER.get((task, kind), LINEAR_LIKE if kind == "linear" else BN_LIKE)
    if source == task and PUBLISHED_PROTOCOLS.get(protocol) == kind:
        return getattr(VPULAB[source], kind), ""
    note = f"nothing valid was published for {protocol} on {task}: schedule of the {kind} file of {source}"
    return getattr(VPULAB[source], kind), note


def _images(task: str, kind: str) -> tuple[dict[str, Any], str]:
    """The settings of a recipe that concern images, and what has to be said about them."""
    source = SAME_IMAGES.get(task, task)
    if source not in VPULAB:
        note = "images: none were published, so crop and flip at 224 pixels, normalised as the checkpoint"
        return {"train_pipeline": list(CROP_AND_FLIP), "test_pipeline": list(CENTRE)}, note
    published = VPULAB[source]
    own_bn = published.bn_train if kind == "bn" else None
    settings = {
        "train_pipeline": list(own_bn or published.train),
        "test_pipeline": list(published.test),
        "normalisation": {"mean": list(published.mean), "std": list(published.std)},
        "channel_order": published.channel_order,
    }
    return settings, "" if source == task else f"images: as published for {source}"
